"""The table of generators: averages over scores, and what is no score."""

import json
import statistics

import pytest

from sertools.errors import ModelError, UsageError
from sertools.reporting.reports.score_table import compare_scores, is_score, read_score
from sertools.scoring.synthetic.verdict import BAD, KIND, REAL, VERSION


def document(method="gan", verdict=BAD, distance=1.5, taught=0.33):
    return {
        "sertools_kind": KIND,
        "sertools_version": VERSION,
        "tags": {"method": method} if method else {},
        "verdict": verdict,
        "files": {"generated": "synth.h5"},
        "all": {
            "fidelity": [
                {
                    "distance": {"generated": distance, "heldout": -0.1, "other": None},
                    "neighbourhood": {"recall": 0.5, "coverage": 0.75},
                }
            ],
            "variety": {"spread": 0.42},
            "copying": {"copied": 0.0, "z": 0.1},
            "texture": {"fine": 0.04, "checkerboard": 2.6, "extreme": 0.25},
        },
        "usefulness": None if taught is None else {"synth": taught, "real": 0.59},
    }


@pytest.fixture
def write(tmp_path):
    def write(value, name="s.json"):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
        return path

    return write


def test_scores_of_a_method_are_averaged_and_those_of_another_stand_apart(write):
    paths = [
        write(document(distance=1.0), "a.json"),
        write(document(distance=2.0, verdict=REAL, taught=None), "b.json"),
        write(document(distance=4.0, verdict=BAD), "c.json"),
        write(document(method=None), "d.json"),
    ]
    rows = json.loads(compare_scores(paths, "json"))["rows"]
    assert [(row["method"], row["n"], row["verdict"], row["verdict_n"]) for row in rows] == [
        ("gan", 3, BAD, 2),
        ("synth.h5", 1, BAD, 1),
    ]
    assert rows[0]["distance"] == pytest.approx(7 / 3, abs=1e-6)
    assert rows[0]["distance_sd"] == pytest.approx(statistics.stdev([1, 2, 4]), abs=1e-6)
    assert rows[0]["taught"] == 0.33, "averaged over those that have it"
    assert rows[1]["distance_sd"] is None
    assert rows[1]["distance_other"] is None
    text = compare_scores(paths)
    assert "bad (2)" in text
    assert "2.333 ± 1.528" in text
    assert "teach 59.0" in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(sertools_version=VERSION + 1),
        lambda d: d.update(verdict="splendid"),
        lambda d: d.update(tags=["method"]),
        lambda d: d.update(tags={"method": 3}),
        lambda d: d["all"].pop("texture"),
        lambda d: d["all"].update(fidelity=[]),
        lambda d: d["all"]["texture"].update(fine="much"),
        lambda d: d["all"]["texture"].update(fine=True),
        lambda d: d["all"]["texture"].update(fine=1e300),
    ],
)
def test_a_damaged_score_is_refused_by_name(write, damage):
    value = document()
    damage(value)
    with pytest.raises(ModelError, match=r"s\.json: .*make it again"):
        read_score(write(value))


def test_names_in_a_score_cannot_steer_a_terminal(write):
    assert read_score(write(document(method="\x1b[31mred"))).method == "\\u001b[31mred"


def test_scores_and_results_do_not_mix(write):
    result = write({"sertools_kind": "result"}, "r.json")
    assert is_score(write(document()))
    assert not is_score(result)
    assert not is_score(result.parent)
    with pytest.raises(UsageError, match=r"r\.json.*each kind on its own"):
        compare_scores([write(document()), result])
