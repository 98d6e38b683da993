"""Lineage: what a file has seen is found again, and silence is never seen."""

import pytest

from sertools.errors import LineageError
from sertools.store.lineage import Lineage, check_unseen, union

SEEN = Lineage(frozenset({"a", "b"}), frozenset({"v"}))


def check(digests: list[str], *, selection_too: bool = True, lineage: Lineage = SEEN) -> None:
    check_unseen(
        lineage,
        digests,
        [f"id-{digest}" for digest in digests],
        model="clf.st",
        store="test.h5",
        selection_too=selection_too,
        remedy="take others",
    )


def test_what_was_not_seen_passes() -> None:
    check([])
    check(["x", "y"])
    check(["v"], selection_too=False)


def test_what_was_trained_on_is_named() -> None:
    for selection_too in (True, False):
        with pytest.raises(LineageError) as caught:
            check(["x", "b", "a", "y"], selection_too=selection_too)
        assert str(caught.value) == (
            "test.h5: 2 of its 4 utterances were trained on by clf.st, 'id-b' among them; take others"
        )


def test_what_was_chosen_on_is_named() -> None:
    with pytest.raises(LineageError, match=r"1 of its 2 utterances were chosen on by clf\.st, 'id-v'"):
        check(["x", "v"])


def test_silence_does_not_count() -> None:
    lineage = Lineage().trained(["", "a"]).selected(["", "v"])
    assert lineage == Lineage(frozenset({"a"}), frozenset({"v"}))
    check(["", ""], lineage=lineage)


def test_lineages_add_up() -> None:
    assert Lineage().trained(["a"], ["07", ""]) == Lineage(frozenset("a"), speakers=frozenset({"07"}))
    both = union([Lineage(speakers=frozenset({"1"})), Lineage(speakers=frozenset({"2"}))])
    assert both.selected(["v"]) == Lineage(selected_on=frozenset("v"), speakers=frozenset("12"))
    assert SEEN.trained(["c"]) == Lineage(frozenset("abc"), frozenset("v"))
    assert SEEN.selected(["a"]) == Lineage(frozenset("ab"), frozenset("av"))
    assert union([]) == Lineage()
    assert union([SEEN, Lineage(frozenset("z")), Lineage(selected_on=frozenset("b"))]) == Lineage(
        frozenset("abz"), frozenset("bv")
    )
