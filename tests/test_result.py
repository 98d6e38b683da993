"""The result file: what is written is read again, and nothing else is."""

import copy
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertools.errors import ModelError, printable
from sertools.metrics import scores
from sertools.provenance import history
from sertools.scoring.results.result import Result, Utterance
from sertools.scoring.results.result_file import read_result, write_result
from sertools.voting import vote

CLASSES = ("angry", "happy", "sad")


def make_result(n: int = 9, **changes: Any) -> Result:
    """Give a result as `evaluate` would."""
    rng = np.random.default_rng(n)
    truth, owner = np.arange(n) % 3, np.repeat(np.arange(n), 2)
    joined = vote(rng.dirichlet([1, 1, 1], 2 * n), owner, n)
    metrics = scores(truth, joined.predicted, joined.posterior, CLASSES)
    utterances = tuple(
        Utterance(
            id=f"03a{u:02}",
            emotion=CLASSES[truth[u]],
            speaker=f"0{u % 4}",
            predicted=CLASSES[joined.predicted[u]],
            posterior=tuple(joined.posterior[u].tolist()),
            n_segments=2,
            tied=bool(joined.tied[u]),
        )
        for u in range(n)
    )
    return replace(
        Result(
            tags={"method": "CP", "fold": "1", "reduced": "angry", "seed": "0"},
            classes=CLASSES,
            vote="majority",
            allow_seen=False,
            metrics={**metrics, "n_ties": int(joined.tied.sum())},
            model={"digest": "9f3c", "arch": "cnn", "n_train_rows": {"real": 90, "copied": 30}, "updates": 500},
            utterances=utterances,
            history=('{"verb": "extract"}', '{"verb": "evaluate"}'),
        ),
        **changes,
    )


def as_text(result: Result) -> str:
    stream = io.StringIO()
    write_result(result, stream)
    return stream.getvalue()


VALIDATION = tuple(replace(u, id=f"v{u.id}") for u in make_result(5).utterances)
DOCUMENT = json.loads(as_text(make_result(validation=VALIDATION)))


def read_text(text: str | bytes, path: Path) -> Result:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_result(path)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    result = make_result()
    again = read_text(as_text(result), tmp_path / "r.json")
    rounded = tuple(replace(u, posterior=tuple(round(p, 6) for p in u.posterior)) for u in result.utterances)
    assert again == replace(result, utterances=rounded)
    assert again.source == str(tmp_path / "r.json")
    assert as_text(again) == as_text(result)


def test_validation_utterances_are_written_a_line_each_and_read_again(tmp_path: Path) -> None:
    text = as_text(make_result(validation=VALIDATION))
    again = read_text(text, tmp_path / "r.json")
    assert again.validation == tuple(
        replace(u, posterior=tuple(round(p, 6) for p in u.posterior)) for u in VALIDATION
    )
    assert as_text(again) == text
    assert sum(line.startswith('{"id": "v') for line in text.splitlines()) == 5
    # Without them the file is what it was before there were any.
    assert as_text(replace(again, validation=())) == as_text(make_result())
    assert "validation" not in as_text(make_result())


def test_the_order_in_which_it_was_filled_does_not_matter() -> None:
    result = make_result(tags={"seed": "0", "note": "x", "arch": "y", "fold": "1", "method": "CP"})
    other = make_result(tags={"arch": "y", "method": "CP", "note": "x", "fold": "1", "seed": "0"})
    other = replace(other, model={**other.model, "n_train_rows": {"copied": 30, "real": 90}})
    assert as_text(result) == as_text(other)
    assert '"tags": {"method": "CP", "fold": "1", "seed": "0", "arch": "y", "note": "x"}' in as_text(result)


def test_the_prior_is_there_where_it_is_known(tmp_path: Path) -> None:
    result = make_result()
    assert read_text(as_text(result), tmp_path / "r.json").implied_prior is None
    prior = {"sad": 0.2, "angry": 0.5, "happy": 0.3}
    known = replace(result, model={**result.model, "prior": prior})
    again = read_text(as_text(known), tmp_path / "r.json")
    assert (again.adjust, again.implied_prior) == ("none", (0.5, 0.3, 0.2))
    assert '"prior": {"angry": 0.5, "happy": 0.3, "sad": 0.2}' in as_text(known)
    adjusted = read_text(as_text(replace(known, adjust="priors")), tmp_path / "r.json")
    assert (adjusted.adjust, adjusted.implied_prior) == ("priors", (1 / 3, 1 / 3, 1 / 3))


def test_one_utterance_a_line() -> None:
    lines = as_text(make_result()).splitlines()
    found = [line for line in lines if '"id"' in line]
    assert len(found) == 9
    assert json.loads(found[3].rstrip(","))["id"] == "03a03"


def test_the_file_is_plain_json_with_six_decimals() -> None:
    assert DOCUMENT["sertools_kind"] == "result"
    assert DOCUMENT["sertools_version"] == 1
    decimals = [str(p).partition(".")[2] for u in DOCUMENT["utterances"] for p in u["posterior"]]
    assert max(map(len, decimals)) == 6


def test_a_result_without_history_is_whole(tmp_path: Path) -> None:
    assert read_text(as_text(make_result(history=())), tmp_path / "r.json").history == ()


def test_nothing_that_steers_a_terminal_goes_in_or_out(tmp_path: Path) -> None:
    evil = "a\x1b[31m\u202e\ud800\x9b"
    harmless = r"a\u001b[31m\u202e\ud800\u009b"
    result = make_result(tags={"method": evil}, history=("one\ntwo",))
    utterances = (replace(result.utterances[0], id=evil), *result.utterances[1:])
    text = as_text(replace(result, utterances=utterances))
    assert text.replace("\n", "").isprintable()
    document = copy.deepcopy(DOCUMENT)
    document["tags"]["method"] = document["utterances"][0]["id"] = evil
    for given_text in (text, json.dumps(document)):
        again = read_text(given_text, tmp_path / "r.json")
        assert (again.tags["method"], again.utterances[0].id) == (harmless, harmless)


def test_a_line_of_the_history_stays_json_whatever_is_in_it(tmp_path: Path) -> None:
    chosen = ["emotion=très\xa0triste", "speaker=\x7f\u202e\ud800\U000e0001"]
    again = read_text(as_text(make_result(history=history("select", {"where": chosen}))), tmp_path / "r.json")
    assert again.history[0].isprintable()
    assert json.loads(again.history[0])["options"] == {"where": chosen}


def test_areas_follow_from_what_is_written_to_the_last_tie(tmp_path: Path) -> None:
    # What parts the first two is lost in the file: there they are a tie.
    posteriors = [(0.30000001, 0.69999999, 0.0), (0.30000002, 0.69999998, 0.0), (0.2, 0.2, 0.6)]
    result = make_result(3)
    utterances = tuple(
        replace(u, posterior=p, predicted="happy") for u, p in zip(result.utterances, posteriors, strict=True)
    )
    metrics = {**scores([0, 1, 2], [1, 1, 1], posteriors, CLASSES), "n_ties": result.metrics["n_ties"]}
    assert metrics["auc"]["angry"] == 0.75
    text = as_text(replace(result, utterances=utterances, metrics=metrics))
    assert read_text(text, tmp_path / "r.json").metrics["auc"] == metrics["auc"]


def test_printable_text_stays_as_it_is() -> None:
    assert printable("Zoë's 怒り, 50 %") == "Zoë's 怒り, 50 %"
    assert printable("a\nb\tc") == r"a\nb\tc"
    assert printable(printable("\x07")) == printable("\x07")


def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    """Put another value at a place in the document; `...` takes it out."""

    def apply(document: dict[str, Any]) -> None:
        at: Any = document
        for step in path[:-1]:
            at = at[step]
        if to is ...:
            del at[path[-1]]
        else:
            at[path[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("sertools_kind", to="report"), 'kind "report", not "result"'),
        (change("sertools_kind", to=...), "is not a result file"),
        (change("sertools_version", to=2), "version 2.*upgrade"),
        (change("classes", to=["angry", "happy", "angry"]), "classes must be different"),
        (change("classes", to=[]), "classes must be different"),
        (change("classes", 0, to=7), "classes is 7"),
        (change("tags", to=["CP"]), "tags is"),
        (change("tags", "method", to=1), "method is 1"),
        (change("tags", "reduced", to="bored"), "reduced=bored is none of its classes angry, happy, sad"),
        (change("vote", to="soft"), 'vote "soft" is unknown'),
        (change("adjust", to="soft"), 'adjust "soft" is unknown'),
        (change("adjust", to=None), "adjust is null"),
        (change("adjust", to="priors"), "model.prior is missing, by which"),
        (change("model", "prior", to=[0.5, 0.3, 0.2]), "prior is"),
        (change("model", "prior", to={"angry": 0.5, "happy": 0.5}), "model.prior must have a share above 0 for each"),
        (
            change("model", "prior", to={"angry": 1.0, "happy": 0.0, "sad": 0.0}),
            "model.prior must have a share above 0",
        ),
        (change("model", "prior", to={"angry": 0.5, "happy": 0.4, "sad": 0.3}), "which add up to 1"),
        (change("allow_seen", to=0), "allow_seen is 0"),
        (change("allow_seen", to=...), "allow_seen is missing"),
        (change("history", to=[1]), "history is 1"),
        (change("model", "digest", to="xyz"), "not hexadecimal"),
        (change("model", "arch", to=...), "arch is missing"),
        (change("model", "updates", to=-1), "model.updates is -1"),
        (change("model", "updates", to=True), "model.updates is true"),
        (change("model", "n_train_rows", "real", to=1.5), "n_train_rows.real is 1.5"),
        (change("utterances", to=[]), "utterances must be there"),
        (change("utterances", 0, to="x"), 'an utterance is "x"'),
        (change("utterances", 1, "id", to="03a00"), "different ids"),
        (change("utterances", 1, "id", to=...), "utterance null: id is missing"),
        (change("utterances", 1, "emotion", to="bored"), 'utterance "03a01": "bored" is none of the classes'),
        (change("utterances", 1, "predicted", to="bored"), '"bored" is none of the classes'),
        (change("utterances", 1, "speaker", to=None), "speaker is null"),
        (change("utterances", 1, "posterior", to=[0.5, 0.5]), "posterior must be 3 numbers"),
        (change("utterances", 1, "posterior", to=[0.5, 0.5, 0.5]), "add up to 1"),
        (change("utterances", 1, "posterior", to=[2, -1, 0]), "from 0 to 1"),
        (change("utterances", 1, "posterior", to=["1", 0, 0]), "posterior must be"),
        (change("utterances", 1, "n_segments", to=0), "n_segments is 0"),
        (change("utterances", 1, "tied", to="no"), 'tied is "no"'),
        (change("validation", to=[]), "validation must be there"),
        (change("validation", to=None), "validation is null"),
        (change("validation", 1, "id", to="v03a00"), "validation must be there and have different ids"),
        (change("validation", 1, "id", to="03a01"), 'utterance "03a01" is both tested and validated on'),
        (change("validation", 1, "posterior", to=[2, -1, 0]), 'utterance "v03a01": posterior must be'),
        (change("validation", 1, "emotion", to="bored"), '"bored" is none of the classes'),
        (change("validation", 1, "predicted", to=...), "predicted is missing"),
        (change("metrics", "uar", to=0.99), "metrics.uar does not follow"),
        (change("metrics", "macro_f1", to=None), "metrics.macro_f1 does not follow"),
        (change("metrics", "accuracy", to=...), "metrics.accuracy does not follow"),
        (change("metrics", "recall", "sad", to=0.123), "metrics.recall does not follow"),
        (change("metrics", "recall", "sad", to=...), "metrics.recall does not follow"),
        (change("metrics", "auc", "sad", to=1.5), "metrics.auc does not follow"),
        (change("metrics", "auc", "sad", to=0.999), "metrics.auc does not follow"),
        (change("metrics", "auc", "sad", to="x"), "metrics.auc does not follow"),
        (change("metrics", "confusion", 0, 0, to=99), "metrics.confusion does not follow"),
        (change("metrics", "n_ties", to=99), "metrics.n_ties does not follow"),
        (change("metrics", "n_utterances", to=9.0), "metrics.n_utterances does not follow"),
        (change("metrics", "extra", to=10**40), "far too large"),
    ],
)
def test_damage_is_named(damage: Callable[[dict[str, Any]], None], message: str, tmp_path: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    damage(document)
    with pytest.raises(ModelError, match=message) as caught:
        read_text(json.dumps(document), tmp_path / "r.json")
    assert str(caught.value).startswith(f"{tmp_path / 'r.json'}: ")
    assert str(caught.value).endswith("make it again with 'sertools evaluate'")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a result file"),
        ("[]", "is not a result file"),
        ("{}", "is not a result file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is not a result file"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (as_text(make_result())[:-200], "is damaged at line"),
        (as_text(make_result()) + "x", "is damaged at line 22"),
        ('{"a": ' + "[" * 100_000, "nested too deep"),
        ('{"a": ' + "[" * 20 + "]" * 20 + "}", "nested too deep"),
        ('{"a": ' + "1" * 10_000 + "}", "number"),
        ('{"a": NaN}', "not finite"),
        ('{"a": 1e999}', "not finite"),
        ('{"vote": "mean", "vote": "majority"}', "names a field twice"),
    ],
)
def test_what_is_no_result_is_one_line(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        read_text(text, tmp_path / "r.json")
    assert str(caught.value).startswith(f"{tmp_path / 'r.json'}: ")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.json: cannot be read: No such file"):
        read_result(tmp_path / "gone.json")
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read_result(tmp_path)
    with pytest.raises(ModelError, match=r"a\\nb: cannot be read"):
        read_result(tmp_path / "a\nb")


def test_a_byte_order_mark_and_blanks_do_no_harm(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf\r\n" + as_text(make_result()).encode()
    assert len(read_text(text, tmp_path / "r.json").utterances) == 9


def test_what_could_not_be_read_is_not_written() -> None:
    result = make_result()
    stream = io.StringIO()
    with pytest.raises(ModelError, match=r"metrics\.uar does not follow"):
        write_result(replace(result, metrics={**result.metrics, "uar": 1.0}), stream)
    assert stream.getvalue() == ""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in items for place in places(item, (*path, key))]


def refusal(text: str | bytes, path: Path) -> str:
    """What a refused file is told; nothing if it was read, and then it can be written too."""
    try:
        result = read_text(text, path)
    except ModelError as error:
        return str(error)
    as_text(result)
    return ""


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)


@FUZZ
@given(st.sampled_from(places(DOCUMENT)), st.just(...) | ANY_JSON)
def test_any_json_at_any_place_is_read_or_refused(tmp_path: Path, place: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(*place, to=value)(document)
    assert refusal(json.dumps(document), tmp_path / "r.json").isprintable()


@FUZZ
@given(st.integers(0, 2000), st.integers(0, 20), st.binary(max_size=6))
def test_any_bytes_at_any_place_are_read_or_refused(tmp_path: Path, start: int, n_lost: int, put: bytes) -> None:
    raw = as_text(make_result()).encode()
    assert refusal(raw[:start] + put + raw[start + n_lost :], tmp_path / "r.json").isprintable()
