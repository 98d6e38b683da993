"""`score` and `plot` on vectors of an encoder: planted cases, whose verdict is known beforehand."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from chains import CPU, write_rows
from conftest import SR, Outcome, tone

import sertools
from sertools.encoding import Encoding
from sertools.errors import LineageError, StoreError, UsageError
from sertools.nets.classifiers import build_classifier
from sertools.reporting.plots.latent_map import Plane
from sertools.reporting.reports.score_page import WIDTH, page
from sertools.scoring.synthetic.embedding import ComponentSpace
from sertools.scoring.synthetic.score import score
from sertools.scoring.synthetic.verdict import BAD, COLLAPSED, COPIES, REAL, UNSURE, USABLE
from sertools.training.batches import open_rows
from sertools.training.classifier import features
from sertools.training.gaussians import fit_gaussians

Call = Callable[..., Outcome]
CLASSES = ("angry", "happy", "sad")
N_SPEAKERS = 15
ENCODING = Encoding(encoder="f" * 16, family="whisper", layer=3, n_values=40)
# What the encoder says of a class; and how its values hang together.
MEANS = 6.0 * np.random.default_rng(0).standard_normal((3, 40))
MIXING = np.random.default_rng(1).standard_normal((40, 40))
OF_PICTURES = ("pixel", "picture", "texture", "fine", "checkerboard", "mel ", "spectrogram")


def spoken(rng: np.random.Generator, numbers: Sequence[int]) -> np.ndarray:
    """Vectors of classes by number, spoken by 15 new people in turn; some values are a hundred times as large."""
    people = 2.0 * rng.standard_normal((N_SPEAKERS, 40))
    rows = [
        MEANS[number] + people[k % N_SPEAKERS] + rng.standard_normal(40) @ MIXING for k, number in enumerate(numbers)
    ]
    return (np.array(rows) * np.logspace(0, 2, 40) + 7.0).astype(np.float32)


def store(path: Path, vectors: np.ndarray, emotions: Sequence[str], origin: str = "real", **options: object) -> Path:
    speakers = [f"{path.stem}{row % N_SPEAKERS}" for row in range(len(vectors))]
    return write_rows(path, vectors, emotions, origin=origin, speakers=speakers, front_end=ENCODING, **options)


def numbers(n: int) -> list[int]:
    return [number for number in range(3) for _ in range(n)]


def names(of: Sequence[int]) -> list[str]:
    return [CLASSES[number] for number in of]


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores; add to it, change nothing."""
    folder = tmp_path_factory.mktemp("planted-vectors")
    for seed, (name, n, origin) in enumerate(
        (("train", 60, "real"), ("heldout", 45, "real"), ("fresh", 45, "generated"))
    ):
        store(folder / f"{name}.h5", spoken(np.random.default_rng(10 + seed), numbers(n)), names(numbers(n)), origin)
    sertools.train_clf(folder / "train.h5", folder / "linear", loss="weighted")
    return folder


def run(folder: Path, synth: str | Path, *, heldout: str | None = "heldout.h5", **options: object) -> dict:
    heldout_path = folder / heldout if heldout else None
    return score(folder / "train.h5", folder / synth, heldout_path=heldout_path, device=CPU, **options)


def test_new_speech_of_the_same_kind_is_as_real(planted: Path) -> None:
    scored = run(planted, "fresh.h5")
    assert scored["verdict"] == REAL
    assert [each["verdict"] for each in scored["classes"].values()] == [REAL] * 3
    assert scored["all"]["texture"] is scored["all"]["texture_heldout"] is None
    assert [each["embedding"] for each in scored["all"]["fidelity"]] == ["vectors"]
    assert abs(scored["usefulness"]["synth"] - scored["usefulness"]["real"]) < 0.1


@pytest.mark.parametrize("judged", [False, True])
def test_a_class_replaced_by_another_is_bad(planted: Path, tmp_path: Path, judged: bool) -> None:
    vectors = spoken(np.random.default_rng(20), [1] * 80 + [2] * 40)
    wrong = store(tmp_path / "w.h5", vectors, names([0] * 40 + [1] * 40 + [2] * 40), "generated")
    scored = run(planted, wrong, judge_path=planted / "linear" if judged else None)
    assert scored["verdict"] == BAD
    assert scored["classes"]["angry"]["verdict"] == BAD
    assert scored["classes"]["sad"]["verdict"] in (REAL, UNSURE, USABLE)
    assert any("happy" in sentence for sentence in scored["classes"]["angry"]["why"])
    assert scored["usefulness"]["synth"] < scored["usefulness"]["real"] - 0.2
    if judged:
        assert scored["judge"]["generated"]["classes"]["angry"] < 0.2 < scored["judge"]["heldout"]["classes"]["angry"]


@pytest.mark.parametrize("heldout", ["heldout.h5", None])
def test_copies_are_called_copies(planted: Path, heldout: str | None) -> None:
    scored = run(planted, "train.h5", heldout=heldout)
    assert scored["verdict"] == COPIES
    assert scored["all"]["copying"]["copied"] == 1.0
    assert scored["all"]["copying"]["copied_heldout"] < 0.05


def test_one_vector_repeated_is_collapsed_and_noise_is_bad(planted: Path, tmp_path: Path) -> None:
    one = np.repeat(spoken(np.random.default_rng(21), [0, 1, 2]), 40, axis=0)
    assert run(planted, store(tmp_path / "o.h5", one, names(numbers(40)), "generated"))["verdict"] == COLLAPSED
    noise = np.random.default_rng(22).normal(0, 300, (120, 40)).astype(np.float32)
    assert run(planted, store(tmp_path / "n.h5", noise, names(numbers(40)), "generated"))["verdict"] == BAD


def test_altered_recordings_are_scored_beside_new_ones(
    encoder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    for part in ("train", "heldout"):
        for emotion, pitch in (("happy", 160), ("sad", 110)):
            (tmp_path / part / emotion).mkdir(parents=True)
            for number in range(20):
                y = tone(rng, pitch * rng.uniform(0.9, 1.1), 0.4)
                soundfile.write(tmp_path / part / emotion / f"{part}{number}.wav", y, SR)
        sertools.embed(tmp_path / part, tmp_path / f"{part}.h5", encoder=str(encoder))
    sertools.select(tmp_path / "train.h5", tmp_path / "few.h5", keep={"sad": 0.1})
    sertools.augment(tmp_path / "few.h5", tmp_path / "sar.h5", strategy="SARS", encoder=str(encoder))
    scored = run(tmp_path, "sar.h5")
    assert scored["rows"] == {"real": 40, "generated": 36, "heldout": 40, "compared": 36}
    assert "4 real rows in the generated store are set aside" in scored["notes"]
    assert [each["embedding"] for each in scored["all"]["fidelity"]] == ["vectors"]
    assert scored["verdict"] != COLLAPSED


def test_what_is_printed_has_no_words_of_pictures(
    planted: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["score", "train.h5", "fresh.h5", "--heldout", "heldout.h5", "--judge", "linear", "--device", "cpu"]
    first = call(*line, cwd=planted)
    assert first.code == 0
    again = call(*line, cwd=planted)
    assert first.out == again.out
    (tmp_path / "s.json").write_text(first.out)
    for form in ("text", "markdown", "json", "csv"):
        table = call("report", "s.json", "--format", form).out
        assert "fresh.h5" in table
        if form != "csv":
            assert "standardised vectors" in table
        if form in ("text", "markdown"):
            assert not [word for word in OF_PICTURES if word in table], form
    scored = json.loads(first.out)
    texts = [page(scored), page(run(planted, "train.h5", heldout=None))]
    monkeypatch.setattr(sys.modules["sertools.cli.score"], "_on_terminal", lambda: True)
    shown = call(*line, cwd=planted).out
    assert shown == texts[0]
    for text in texts:
        assert not [word for word in OF_PICTURES if word in text.lower()]
        assert max(map(len, text.splitlines())) <= WIDTH
    assert "In vectors (64 principal components)" in texts[0]
    assert "distance in vectors beside its references, real rows covered," in texts[0]


def test_scores_of_pictures_and_of_vectors_are_not_averaged(planted: Path, call: Call, tmp_path: Path) -> None:
    scored = run(planted, "fresh.h5")
    (tmp_path / "v.json").write_text(json.dumps(scored))
    scored["all"]["fidelity"][0]["embedding"] = "pixels"
    (tmp_path / "p.json").write_text(json.dumps(scored))
    done = call("report", "v.json", "p.json")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "p.json: of pixels, and v.json of vectors" in done.err
    for strange in ("smells", [], {}):
        scored["all"]["fidelity"][0]["embedding"] = strange
        (tmp_path / "p.json").write_text(json.dumps(scored))
        done = call("report", "p.json")
        assert (done.code, "no known kind of rows" in done.err) == (1, True)


def test_a_linear_judge_looks_by_its_logits(planted: Path) -> None:
    rows = open_rows([planted / "fresh.h5"])
    scaler, index = rows.fit_scaler(), np.array([3, 0, 70])
    x = torch.from_numpy(scaler.scale(rows.pictures(index)))
    torch.manual_seed(0)
    for arch, n_features in (("linear", 3), ("mlp", 32)):
        net = build_classifier(arch, (40,), 3, 1 / 8).eval()
        seen, said = features(net, rows, index, scaler, CPU)
        assert seen.shape == (3, n_features)
        np.testing.assert_allclose(said, torch.softmax(net(x).double(), 1).detach().numpy(), atol=1e-6)
    net = build_classifier("linear", (40,), 3, 1 / 8).eval()
    np.testing.assert_allclose(features(net, rows, index, scaler, CPU)[0], net(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("arch", ["linear", "mlp"])
def test_a_judge_looks_too(planted: Path, tmp_path: Path, arch: str) -> None:
    options = {"preset": "smoke", "steps": 100} if arch == "mlp" else {}
    sertools.train_clf(planted / "train.h5", tmp_path / "clf", arch=arch, **options)
    scored = run(planted, "fresh.h5", judge_path=tmp_path / "clf")
    assert [each["embedding"] for each in scored["all"]["fidelity"]] == ["vectors", "judge"]
    assert scored["judge"]["generated"]["all"] > 0.8
    assert scored["verdict"] in (REAL, UNSURE)


def test_components_are_the_same_by_rows_and_by_values(planted: Path) -> None:
    rows = open_rows([planted / "train.h5"])
    scaler = rows.fit_scaler()
    few, many = np.arange(0, 180, 6), np.arange(180)
    for index in (few, many):
        points = ComponentSpace(rows, index, scaler).points(rows, index)
        x = scaler.scale(rows.pictures(index)).astype(np.float64)
        x -= x.mean(0)
        values = np.linalg.svd(x, compute_uv=False)[: points.shape[1]]
        found = np.linalg.norm(points, axis=0)
        np.testing.assert_allclose(found / found[0], values / values[0], rtol=1e-4)


def test_what_does_not_go_together_is_refused(planted: Path, chain, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"its rows are spectrograms, those of .*train\.h5 are embeddings"):
        score(planted / "train.h5", chain.train, device=CPU)
    with pytest.raises(StoreError, match=r"its rows are embeddings, those of .* are spectrograms"):
        score(chain.train, planted / "fresh.h5", device=CPU)
    with pytest.raises(LineageError, match="180 of its 180 utterances"):
        run(planted, "fresh.h5", heldout="train.h5")
    same = np.ones((120, 40), np.float32)
    store(tmp_path / "train.h5", same, names(numbers(40)))
    with pytest.raises(StoreError, match="120 real rows hold 1 different vectors"):
        score(tmp_path / "train.h5", planted / "fresh.h5", device=CPU)


def test_stores_of_vectors_are_drawn_as_a_map(planted: Path, call: Call, tmp_path: Path) -> None:
    figure = sertools.plot([planted / "train.h5", planted / "fresh.h5"], names=["real", "made"])
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == ["real", "made"]
    assert "of what tells the classes apart" in panels[0].get_xlabel()
    # Every class as an ellipse, its rows around it in both panels.
    for axes in panels:
        assert len(axes.patches) == 3
        for ellipse, points in zip(axes.patches, axes.collections, strict=True):
            assert np.linalg.norm(points.get_offsets().mean(axis=0) - ellipse.get_center()) < 0.25 * ellipse.width
    assert call("plot", planted / "train.h5", planted / "fresh.h5", "-o", "m.png", "--kind", "map").code == 0
    done = call("plot", planted / "train.h5", "-o", "s.png", "--kind", "spectrograms")
    assert (done.code, "--kind spectrograms: is not for these files" in done.err) == (2, True)


def test_a_class_of_one_row_and_classes_that_are_alike_are_drawn(tmp_path: Path) -> None:
    vectors = spoken(np.random.default_rng(5), [0] * 9 + [1])
    store(tmp_path / "lone.h5", vectors, names([0] * 9 + [1]))
    assert len(sertools.plot(tmp_path / "lone.h5").axes) == 1
    store(tmp_path / "same.h5", np.ones((8, 40), np.float32), names([0, 1] * 4))
    assert len(sertools.plot(tmp_path / "same.h5").axes) == 1


def test_the_plane_tells_classes_apart_where_speakers_spread_most() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat(CLASSES, 60)
    vectors = rng.standard_normal((180, 50))
    vectors[:, 0] += 30 * rng.standard_normal(180)  # what is largest tells nothing
    vectors[labels == "angry", 1] += 6
    vectors[labels == "happy", 2] += 6
    gaussians = fit_gaussians(vectors, labels.tolist(), "empirical")
    plane = Plane.telling_apart(gaussians, vectors, labels)
    placed = plane.place(vectors)
    means = np.stack([placed[labels == name].mean(axis=0) for name in CLASSES])
    within = np.mean([placed[labels == name].std(axis=0) for name in CLASSES])
    assert min(np.linalg.norm(means[a] - means[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 3 * within
    assert plane.shares.sum() == pytest.approx(1.0)
    # New rows of no class at all lie together: nothing was learnt from noise.
    noise = plane.place(rng.standard_normal((600, 50)))
    assert np.linalg.norm(noise[:300].mean(axis=0) - noise[300:].mean(axis=0)) < within


def test_a_store_of_pictures_is_no_map(chain, planted: Path) -> None:
    with pytest.raises(UsageError, match="--kind map: is not for these files"):
        sertools.plot(chain.train, kind="map")
    with pytest.raises(StoreError, match="its rows are"):
        sertools.plot([planted / "train.h5", chain.train])
