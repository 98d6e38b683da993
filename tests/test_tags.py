"""Tags: one form for each place of a table, and each tag once."""

from dataclasses import replace

import pytest
from test_report import make_run

from sertools import api
from sertools.errors import ModelError, UsageError
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result_file import read_result, write_result
from sertools.scoring.results.tags import canonical_tag, canonical_tags


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        *(
            ("fold", value, "1")
            for value in ("1", "01", "1.0", "1.", " 1", "+1", "1e0", "\N{ARABIC-INDIC DIGIT ONE}")
        ),
        ("seed", "-0", "0"),
        ("seed", "10.0", "10"),
        # These are names.
        ("fold", "1.5", "1.5"),
        ("fold", "1/5", "1/5"),
        ("fold", "Session1", "Session1"),
        ("fold", "inf", "inf"),
        ("seed", "9" * 400, "9" * 400),
        ("seed", "12345678901234567890", "12345678901234567890"),
        ("method", "01", "01"),
        ("method", "A\N{COMBINING DIAERESIS}", "\N{LATIN CAPITAL LETTER A WITH DIAERESIS}"),
        ("corpus", "1.0", "1.0"),
    ],
)
def test_a_tag_has_one_form(name, value, form):
    assert canonical_tag(name, value) == form
    assert canonical_tag(name, form) == form


def test_a_tag_stands_once():
    with pytest.raises(UsageError, match="is there twice"):
        canonical_tags({"fold": "1", "fold\u200b": "2"})
    with pytest.raises(UsageError, match="has no name"):
        canonical_tags({" ": "1"})


@pytest.mark.parametrize("verb", [("evaluate", "none.clf", "none.h5"), ("score", "none.h5", "none.h5")])
def test_a_tag_given_twice_is_a_usage_error(call, verb):
    """The last one won."""
    done = call(*verb, "--tag", "fold=1", "--tag", "fold=2")
    assert done.code == 2
    assert "--tag 'fold=2': fold is '1' before; leave one out" in done.err
    assert call(*verb, "--tag", "fold=1", "--tag", " fold =1").code == 2


def test_a_file_written_before_is_read_in_one_form(tmp_path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, fold in zip(paths, ("1", "01"), strict=True):
        run = replace(make_run("GAN"), source=path.name)
        with path.open("w") as stream:
            write_result(run, stream)
        path.write_text(path.read_text().replace('"fold": "1"', f'"fold": "{fold}"'))
    assert read_result(paths[1]).tags["fold"] == "1"
    with pytest.raises(ModelError, match="fills the same place"):
        summarise([read_result(path) for path in paths])


def test_a_result_and_a_score_are_written_in_one_form(chain, tiny_store, tmp_path):
    result = api.evaluate(chain.clf, chain.test, tags={"fold": "01", "seed": "7.0", "method": "01"}, device="cpu")
    assert result.tags == {"fold": "1", "seed": "7", "method": "01"}
    made = tmp_path / "made.h5"
    api.generate(chain.gan, made, per_class=15, device="cpu")
    assert api.score(tiny_store, made, tags={"fold": "01"}, device="cpu")["tags"] == {"fold": "1"}
