"""`score` on planted cases, whose verdict is known beforehand."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from chains import CPU, FRONT_END, classify, write_rows

from sertools.classifier_config import PICTURE_ARCHS
from sertools.config import FrontEnd
from sertools.errors import LineageError, ModelError, SertoolsWarning, StoreError, UsageError
from sertools.nets.classifiers import build_classifier
from sertools.reporting.reports.score_page import WIDTH, page
from sertools.reporting.reports.score_table import read_score
from sertools.scoring.synthetic.score import score
from sertools.scoring.synthetic.verdict import BAD, COLLAPSED, COPIES, MARRED, REAL, UNSURE, USABLE, VERDICTS
from sertools.store.merge import merge_stores
from sertools.training.batches import open_rows
from sertools.training.classifier import features, posteriors

CLASSES = ("angry", "happy", "sad")
N_SPEAKERS = 15


def ridges(rng: np.random.Generator, number: int, n: int) -> np.ndarray:
    """Pictures in dB of a class: two ridges where the class has them, an onset, an end, and grain."""
    mel, time = np.arange(32)[:, None], np.arange(32)[None]
    pictures = []
    for _ in range(n):
        place = 5 + 7 * number + rng.normal(0, 1.2) + rng.normal(0, 0.08) * (time - 16)
        ridge = sum(np.exp(-0.5 * ((mel - place - gap) / 1.2) ** 2) for gap in (0, 6))
        sounding = (time >= rng.integers(0, 8)) & (time < rng.integers(22, 33))
        level = -60 + rng.uniform(28, 40) * ridge * (0.7 + 0.3 * np.sin(time * rng.uniform(0.5, 0.9)))
        pictures.append(np.where(sounding, level + rng.normal(0, 4, (32, 32)), -80 + 0 * mel))
    return np.array(pictures, dtype=np.float32).reshape(n, 32, 32)


def store(path: Path, seed: int, n: int | Sequence[int], origin: str = "real", **options: object) -> Path:
    """Write rows of all classes, or as many of each as `n` says."""
    rng = np.random.default_rng(seed)
    counts = [n] * len(CLASSES) if isinstance(n, int) else n
    pictures = np.concatenate([ridges(rng, number, count) for number, count in enumerate(counts)])
    speakers = [f"{path.stem}{row % N_SPEAKERS}" for row in range(len(pictures))]
    return write_rows(path, pictures, labels(counts), origin=origin, speakers=speakers, **options)


def labels(counts: Sequence[int]) -> list[str]:
    return [name for name, count in zip(CLASSES, counts, strict=True) for _ in range(count)]


def altered(path: Path, seed: int, change) -> Path:
    """Write 40 new rows of each class as generated ones, after a change."""
    rng = np.random.default_rng(seed)
    pictures = np.concatenate([change(ridges(rng, number, 40), rng) for number in range(3)])
    return write_rows(path, pictures.astype(np.float32), labels([40] * 3), origin="generated")


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of train.h5 and heldout.h5; add to it, change nothing."""
    folder = tmp_path_factory.mktemp("planted")
    store(folder / "train.h5", 1, 60)
    store(folder / "heldout.h5", 2, 45)
    store(folder / "fresh.h5", 3, 45, origin="generated")
    return folder


def run(folder: Path, synth: str | Path, *, heldout: str | None = "heldout.h5", **options: object) -> dict:
    return score(
        folder / "train.h5",
        folder / synth,
        heldout_path=folder / heldout if heldout else None,
        device=CPU,
        **options,
    )


@pytest.mark.parametrize("heldout", ["heldout.h5", None])
def test_copies_of_the_training_set_are_called_copies(planted, heldout):
    scored = run(planted, "train.h5", heldout=heldout)
    assert scored["verdict"] == COPIES
    assert scored["all"]["copying"]["copied"] == 1.0
    assert scored["all"]["copying"]["copied_heldout"] < 0.05
    assert {each["verdict"] for each in scored["classes"].values()} == {COPIES}


def test_copies_with_a_little_noise_are_copies_too(planted, tmp_path):
    rng = np.random.default_rng(1)
    pictures = np.concatenate([ridges(rng, number, 60) for number in range(3)])
    near = pictures + np.random.default_rng(9).normal(0, 0.5, pictures.shape).astype(np.float32)
    synth = write_rows(tmp_path / "near.h5", near, labels([60] * 3), origin="generated")
    assert run(planted, synth)["verdict"] == COPIES


def test_one_row_in_six_that_is_a_copy_is_enough(planted, tmp_path):
    train = np.concatenate([ridges(np.random.default_rng(1), 0, 10), ridges(np.random.default_rng(7), 0, 50)])
    synth = write_rows(tmp_path / "some.h5", train, ["angry"] * 60, origin="generated")
    scored = run(planted, synth)
    assert scored["verdict"] == COPIES
    assert scored["all"]["copying"]["copied"] == pytest.approx(10 / 45, abs=0.06)


def test_real_rows_that_nobody_has_seen_score_as_real(planted):
    scored = run(planted, "fresh.h5")
    assert scored["verdict"] == REAL
    distance = scored["all"]["fidelity"][0]["distance"]
    assert distance["p_farther"] > 0.05
    assert abs(distance["generated"] - distance["heldout"]) < 0.2 * (distance["other"] - distance["heldout"])
    assert abs(scored["usefulness"]["synth"] - scored["usefulness"]["real"]) < 0.1


@pytest.mark.parametrize("seed", range(20, 28))
def test_real_rows_are_never_called_bad(planted, tmp_path, seed):
    synth = store(tmp_path / "s.h5", seed, 35, origin="generated")
    assert run(planted, synth, seed=seed)["verdict"] in (REAL, UNSURE, USABLE)


def test_the_held_out_rows_themselves_are_real_with_a_warning(planted):
    with pytest.warns(SertoolsWarning, match="135 of the rows to be scored are held-out rows themselves"):
        scored = run(planted, "heldout.h5")
    assert scored["verdict"] == REAL
    assert scored["usefulness"] is None


def test_noise_is_bad(planted, tmp_path):
    synth = altered(tmp_path / "noise.h5", 4, lambda x, rng: rng.uniform(-80, -20, x.shape))
    scored = run(planted, synth)
    assert scored["verdict"] == BAD
    assert scored["all"]["fidelity"][0]["neighbourhood"]["coverage"] < 0.1


@pytest.mark.parametrize("seed", [1, 5], ids=["of the training set", "new"])
def test_one_row_repeated_is_collapsed(planted, tmp_path, seed):
    pictures = np.concatenate(
        [np.repeat(ridges(np.random.default_rng(seed), number, 1), 40, axis=0) for number in range(3)]
    )
    synth = write_rows(tmp_path / "one.h5", pictures, labels([40] * 3), origin="generated")
    scored = run(planted, synth)
    assert scored["verdict"] == COLLAPSED
    assert scored["all"]["variety"]["spread"] < 0.01
    assert scored["all"]["variety"]["repeated"] == 1.0


def test_a_few_rows_repeated_are_collapsed_though_they_lie_apart(planted, tmp_path):
    synth = altered(tmp_path / "few.h5", 6, lambda x, rng: x[rng.integers(5, size=len(x))])
    scored = run(planted, synth)
    assert scored["verdict"] == COLLAPSED
    assert "a twin" in scored["why"][0]


def test_rows_of_another_class_are_bad_for_the_class(planted, tmp_path):
    rng = np.random.default_rng(8)
    pictures = np.concatenate([ridges(rng, number, 40) for number in (1, 1, 2)])
    synth = write_rows(tmp_path / "wrong.h5", pictures, labels([40] * 3), origin="generated")
    scored = run(planted, synth)
    assert scored["verdict"] == BAD
    assert scored["classes"]["angry"]["verdict"] == BAD
    assert scored["classes"]["sad"]["verdict"] in (REAL, UNSURE, USABLE)
    assert any("angry" in sentence for sentence in scored["why"])
    assert scored["usefulness"]["synth"] < scored["usefulness"]["real"] - 0.2


def test_blur_is_seen(planted, tmp_path):
    def blur(x, rng):
        for axis in (1, 2):
            x = sum(np.roll(x, shift, axis) for shift in (-1, 0, 1)) / 3
        return x

    scored = run(planted, altered(tmp_path / "blurred.h5", 3, blur))
    assert scored["verdict"] == MARRED
    assert "blurred" in scored["why"][0]
    assert scored["all"]["texture"]["fine"] < 0.3


def test_a_checkerboard_is_seen(planted, tmp_path):
    pattern = 4.0 * (-1.0) ** np.add.outer(np.arange(32), np.arange(32))
    stripes = 4.0 * np.cos(np.pi / 2 * np.arange(32))[:, None] * np.random.default_rng(0).choice([-1, 1], (1, 32))
    scored = run(planted, altered(tmp_path / "board.h5", 3, lambda x, rng: x + pattern + stripes))
    assert scored["verdict"] == MARRED
    assert any("checkerboard" in sentence for sentence in scored["why"])


def test_a_class_of_few_rows_is_not_scored_alone(planted, tmp_path):
    synth = store(tmp_path / "few.h5", 3, [28, 40, 40], origin="generated")
    scored = run(planted, synth)
    assert scored["classes"]["angry"]["verdict"] is None
    assert scored["classes"]["angry"]["why"] == ["28 generated rows; 30 needed"]
    assert "fidelity" not in scored["classes"]["angry"]
    assert scored["classes"]["happy"]["verdict"] in VERDICTS
    assert scored["rows"]["compared"] == 28 + 40 + 40
    assert "not scored: 28 generated rows; 30 needed" in page(scored)


def test_without_held_out_rows_the_real_ones_are_halved_and_it_says_so(planted):
    scored = run(planted, "fresh.h5", heldout=None)
    assert scored["verdict"] in (UNSURE, USABLE)
    assert scored["rows"]["heldout"] == 0
    assert scored["rows"]["compared"] == 90
    assert "halves" in " ".join(scored["notes"])


def test_real_rows_among_generated_ones_are_set_aside(planted, tmp_path):
    store(tmp_path / "real.h5", 5, 10)
    merge_stores([tmp_path / "real.h5", planted / "fresh.h5"], tmp_path / "both.h5")
    scored = run(planted, tmp_path / "both.h5")
    alone = run(planted, "fresh.h5")
    assert "30 real rows in the generated store are set aside" in scored["notes"]
    assert scored["all"] == alone["all"]


@pytest.fixture(scope="session")
def judge(planted: Path) -> Path:
    """A classifier of the real training rows."""
    classify([planted / "train.h5"], planted / "judge")
    return planted / "judge"


def test_a_judge_looks_too(planted, judge):
    scored = run(planted, "fresh.h5", judge_path=judge)
    assert [each["embedding"] for each in scored["all"]["fidelity"]] == ["pixels", "judge"]
    assert set(scored["judge"]) == {"generated", "heldout"}
    assert set(scored["judge"]["generated"]["classes"]) == set(CLASSES)
    assert "judge's eyes" in page(scored)


@pytest.mark.parametrize("arch", PICTURE_ARCHS)
def test_features_are_what_the_last_layer_sees(planted, arch):
    rows = open_rows([planted / "fresh.h5"])
    scaler, index = rows.fit_scaler(), np.array([3, 0, 70])
    net = build_classifier(arch, (32, 32), 3, 1 / 8).eval()
    seen, said = features(net, rows, index, scaler, CPU)
    last = [module for module in net.modules() if isinstance(module, torch.nn.Linear)][-1]
    assert seen.shape == (3, last.in_features)
    again = torch.softmax(last(torch.from_numpy(seen).float()).double(), 1).detach().numpy()
    np.testing.assert_allclose(again, said, atol=1e-6)
    np.testing.assert_allclose(said, posteriors(net, rows, scaler, CPU)[index], atol=1e-5)
    assert not last._forward_pre_hooks


def test_a_judge_that_knows_the_held_out_rows_is_refused(planted, tmp_path):
    classify([planted / "train.h5", planted / "heldout.h5"], tmp_path / "clf")
    with pytest.raises(LineageError, match=r"135 of its 135 utterances were trained on by .*clf.*--judge"):
        run(planted, "fresh.h5", judge_path=tmp_path / "clf")


def test_a_judge_of_generated_rows_is_remarked(planted, tmp_path):
    classify([planted / "train.h5", planted / "fresh.h5"], tmp_path / "clf")
    with pytest.warns(SertoolsWarning, match="trained on 135 generated rows too"):
        run(planted, "fresh.h5", judge_path=tmp_path / "clf")


def test_a_judge_of_other_classes_is_refused(planted, tmp_path):
    store(tmp_path / "two.h5", 4, [20, 20, 0])
    classify([tmp_path / "two.h5"], tmp_path / "clf")
    with pytest.raises(UsageError, match="does not know the class 'sad'"):
        run(planted, "fresh.h5", judge_path=tmp_path / "clf")


def test_a_judge_must_be_a_classifier(planted):
    with pytest.raises(ModelError, match=r"train\.h5"):
        run(planted, "fresh.h5", judge_path=planted / "train.h5")


def test_other_front_ends_are_refused(planted, tmp_path):
    other = FrontEnd(segment_seconds=2.0, n_mels=32, n_frames=32)
    store(tmp_path / "s.h5", 3, 40, origin="generated", front_end=other)
    store(tmp_path / "h.h5", 3, 40, front_end=other)
    with pytest.raises(StoreError, match=r"s\.h5: its front end differs.*segment_seconds"):
        run(planted, tmp_path / "s.h5")
    with pytest.raises(StoreError, match=r"h\.h5: its front end differs.*segment_seconds"):
        run(planted, "fresh.h5", heldout=tmp_path / "h.h5")
    assert other != FRONT_END


def test_held_out_rows_must_be_held_out(planted, tmp_path):
    with pytest.raises(LineageError, match=r"180 of its 180 utterances are in .*train\.h5 too"):
        run(planted, "fresh.h5", heldout="train.h5")
    seen = open_rows([planted / "heldout.h5"]).lineage()
    store(tmp_path / "leaky.h5", 3, 45, origin="generated", lineage=seen)
    with pytest.raises(LineageError, match=r"trained on by what made .*leaky\.h5"):
        run(planted, tmp_path / "leaky.h5")


def test_one_class_no_rows_no_labels_and_too_few_are_said(planted, tmp_path):
    store(tmp_path / "one.h5", 1, [40, 0, 0])
    with pytest.raises(StoreError, match="holds 1 class"):
        score(tmp_path / "one.h5", planted / "fresh.h5", device=CPU)
    write_rows(tmp_path / "none.h5", np.empty((0, 32, 32), np.float32), [])
    with pytest.raises(StoreError, match="no rows"):
        run(planted, tmp_path / "none.h5")
    store(tmp_path / "generated.h5", 1, 40, origin="generated")
    with pytest.raises(StoreError, match="holds no real rows"):
        score(tmp_path / "generated.h5", planted / "fresh.h5", device=CPU)
    write_rows(tmp_path / "strange.h5", ridges(np.random.default_rng(1), 0, 40), ["bored"] * 40, origin="generated")
    with pytest.raises(StoreError, match="the emotion 'bored'"):
        run(planted, tmp_path / "strange.h5")
    store(tmp_path / "few.h5", 3, 9, origin="generated")
    with pytest.raises(StoreError, match="only 27 rows can be compared, 30 are needed"):
        run(planted, tmp_path / "few.h5")


def test_generated_rows_of_one_class_are_scored_without_teaching(planted, judge, tmp_path):
    scored = run(planted, store(tmp_path / "one.h5", 3, [45, 0, 0], origin="generated"))
    assert scored["verdict"] == scored["classes"]["angry"]["verdict"] == REAL
    assert [each["towards"] for each in scored["classes"]["angry"]["nearness"]] == [None, "happy", "sad"]
    judged = run(planted, tmp_path / "one.h5", judge_path=judge)["classes"]["angry"]["nearness"]
    assert [each["embedding"] for each in judged] == ["pixels", "judge", "judge", "judge"]
    assert scored["usefulness"] is None
    assert scored["all"]["fidelity"][0]["distance"]["other"] is None


def test_silence_does_no_harm(planted, tmp_path):
    silent = np.full((120, 32, 32), -80.0, dtype=np.float32)
    synth = write_rows(tmp_path / "silent.h5", silent, labels([40] * 3), origin="generated")
    assert run(planted, synth)["verdict"] == COLLAPSED
    write_rows(tmp_path / "train.h5", silent, labels([40] * 3))
    with pytest.raises(StoreError, match="120 real rows hold 1 different pictures"):
        score(tmp_path / "train.h5", planted / "fresh.h5", device=CPU)


def test_the_same_files_and_seed_give_the_same_bytes(planted, judge, tmp_path, call):
    for name in ("train.h5", "fresh.h5", "heldout.h5", "judge"):
        shutil.copy(planted / name, tmp_path)
    line = ["score", "train.h5", "fresh.h5", "--heldout", "heldout.h5", "--judge", "judge", "--device", "cpu"]
    first, again, other = call(*line), call(*line, "--json"), call(*line, "--seed", 1)
    assert (first.code, first.err) == (0, "")
    assert first.out == again.out != other.out
    said = json.loads(first.out)
    assert said["sertools_kind"] == "score"
    (tmp_path / "s.json").write_text(first.out)
    assert read_score(tmp_path / "s.json").method == "fresh.h5"
    assert call(*line, "--tag", "method=GAN").out != first.out
    assert call("report", "s.json").out.startswith("method")
    assert said["verdict"] in VERDICTS
    assert str(tmp_path) not in first.out


def test_on_a_terminal_it_is_a_page(planted, call, monkeypatch):
    monkeypatch.setattr(sys.modules["sertools.cli.score"], "_on_terminal", lambda: True)
    done = call("score", "train.h5", "fresh.h5", "--heldout", "heldout.h5", cwd=planted)
    assert done.code == 0
    assert done.out.startswith("verdict    AS REAL AS HELD-OUT SPEECH\n")


def test_a_page_is_narrow_and_every_figure_is_named(planted, judge, tmp_path):
    synth = altered(tmp_path / ("long name " * 8 + ".h5"), 4, lambda x, rng: rng.uniform(-80, -20, x.shape))
    for scored in (
        run(planted, "train.h5"),
        run(planted, "fresh.h5", heldout=None, judge_path=judge),
        run(planted, synth, judge_path=judge),
    ):
        lines = page(scored).splitlines()
        assert max(map(len, lines)) <= WIDTH
        assert all(line == line.rstrip() for line in lines)
        assert not any("nan" in line.split() for line in lines)


def test_words_that_a_terminal_would_obey_are_escaped(tmp_path):
    names = ["a\x1b[31m", "b\x9b31m"]
    rng = np.random.default_rng(0)
    for stem, n, origin in (("train", 60, "real"), ("synth", 40, "generated"), ("heldout", 40, "real")):
        pictures = np.concatenate([ridges(rng, number, n) for number in range(2)])
        write_rows(tmp_path / f"{stem}.h5", pictures, [name for name in names for _ in range(n)], origin=origin)
    scored = run(tmp_path, "synth.h5")
    for text in (page(scored), json.dumps(scored, ensure_ascii=False)):
        assert "\x1b" not in text
        assert "\x9b" not in text
