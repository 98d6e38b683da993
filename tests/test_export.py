"""`export`: what another tool reads is what the file says, the same bytes each time."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import sertools
from sertools.corpora import read_corpus
from sertools.reporting.exports.predictions import _time
from sertools.training.classifier import load_classifier, posteriors_of
from sertools.training.log import read_log


@pytest.fixture(scope="module")
def trained(chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a training's log and a result."""
    folder = tmp_path_factory.mktemp("trained")
    sertools.train_clf(chain.train, folder / "clf", preset="smoke", arch="cnn", steps=20, batch_size=8, device="cpu")
    sertools.evaluate(chain.clf, chain.test, folder / "result.json", device="cpu")
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_numpy_arrays_and_labels(augmented: Path, tmp_path: Path):
    store = sertools.open_store(augmented / "sars.h5")
    assert sertools.export(augmented / "sars.h5", tmp_path / "arrays", format="npy") == len(store)
    pictures = np.load(tmp_path / "arrays" / "spectrogram.npy", mmap_mode="r")
    assert (pictures == store.rows(range(len(store)))).all()
    labels = table(tmp_path / "arrays" / "labels.csv")
    assert [row["emotion"] for row in labels] == store.contents.emotion.tolist()
    assert [row["origin"] for row in labels] == store.contents.segments["origin"].tolist()
    assert json.loads((tmp_path / "arrays" / "front_end.json").read_text())["n_mels"] == 32


def test_one_npz_file(tiny_store: Path, tmp_path: Path):
    store = sertools.open_store(tiny_store)
    for name in ("a.npz", "b.npz"):
        sertools.export(tiny_store, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert (arrays["spectrogram"] == store.rows(range(len(store)))).all()
        assert (arrays["speaker"] == store.contents.column("speaker")).all()
        assert json.loads(str(arrays["front_end"]))["sr"] == 16_000


def test_an_arrow_file(tiny_store: Path, tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    store = sertools.open_store(tiny_store)
    sertools.export(tiny_store, tmp_path / "s.arrow", format="arrow")
    with pyarrow.memory_map(str(tmp_path / "s.arrow")) as source:
        read = pyarrow.ipc.open_stream(source).read_all()
    pictures = np.array(read["spectrogram"].to_pylist(), dtype=np.float32)
    assert (pictures == store.rows(range(len(store)))).all()
    assert read["emotion"].to_pylist() == store.contents.emotion.tolist()


def test_predictions_as_audformat_are_a_corpus_again(trained: Path, tiny_corpus: Path, tmp_path: Path):
    result = sertools.read_result(trained / "result.json")
    n = sertools.export(trained / "result.json", tmp_path / "db", audio_root=tiny_corpus)
    assert n == len(result.utterances)
    shutil.copytree(tiny_corpus, tmp_path / "db", dirs_exist_ok=True)
    read = {Path(r.file).relative_to(tmp_path / "db").with_suffix("").as_posix(): r for r in
            read_corpus("audformat", tmp_path / "db")}  # fmt: skip
    assert {name: (r.emotion, r.speaker) for name, r in read.items()} == {
        u.id: (u.emotion, u.speaker) for u in result.utterances
    }
    said = table(tmp_path / "db" / "db.predicted.csv")
    assert [row["predicted"] for row in said] == [u.predicted for u in result.utterances]
    for row, utterance in zip(said, result.utterances, strict=True):
        assert [float(row[f"p_{name}"]) for name in result.classes] == list(utterance.posterior)


def test_parts_of_files_have_a_start_and_an_end(trained: Path, tmp_path: Path):
    text = (trained / "result.json").read_text(encoding="utf-8")
    first = sertools.read_result(trained / "result.json").utterances[0].id
    (tmp_path / "r.json").write_text(text.replace(f'"{first}"', f'"{first}@61.500-3662.250"'), encoding="utf-8")
    sertools.export(tmp_path / "r.json", tmp_path / "db")
    rows = table(tmp_path / "db" / "db.emotion.csv")
    assert (rows[0]["start"], rows[0]["end"]) == ("0 days 00:01:01.500000", "0 days 01:01:02.250000")
    assert (rows[1]["start"], rows[1]["end"]) == ("0 days 00:00:00.000000", "")
    assert "type: segmented" in (tmp_path / "db" / "db.yaml").read_text()
    assert _time(59.9999) == "0 days 00:00:59.999900"


def test_a_log_as_an_event_file(trained: Path, tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    log = read_log(trained / "clf.log.ndjson")
    assert sertools.export(trained / "clf.log.ndjson", tmp_path / "runs") == len(log.lines)
    (file,) = (tmp_path / "runs").iterdir()
    events = [event for event in EventFileLoader(str(file)).Load() if event.summary.value]
    assert [event.step for event in events] == [line.step for line in log.lines]
    assert {value.tag for event in events for value in event.summary.value} == set(log.lines[-1].values)


def test_a_log_without_tensorboard_says_what_to_install(trained: Path, call, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.compat.proto.event_pb2", None)
    done = call("export", trained / "clf.log.ndjson", "-o", "runs")
    assert done.code == 1
    assert "sertools[tensorboard]" in done.err
    assert os.listdir(tmp_path) == []


def test_arrow_without_pyarrow_says_what_to_install(tiny_store: Path, call, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    done = call("export", tiny_store, "-o", "s.arrow", "--format", "arrow")
    assert done.code == 1
    assert "sertools[arrow]" in done.err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{train} -o out --format nzp", "did you mean 'npz'?"),
        ("{train} -o out --format audformat", "is spectrograms; give npz or npy or arrow"),
        ("{trained}/result.json -o out --format npz", "is result; give audformat"),
        ("{ae} -o out", "is autoencoder"),
        ("{train} -o out --audio-root .", "--audio-root"),
        ("{train} -o {train}", "is read by this command"),
        ("{trained}/result.json -o out --audio-root .", "correct --audio-root"),
        ("{trained}/result.json -o nowhere/out", "nowhere/out"),
    ],
)
def test_what_cannot_be_exported_is_one_line(line, words, chain, trained, call, tmp_path):
    done = call("export", *line.format_map({**vars(chain), "trained": trained}).split())
    assert done.code in (1, 2)
    assert words in done.err
    assert done.err.count("\n") == 1
    assert os.listdir(tmp_path) == []


def speaks(path: Path, rows: np.ndarray) -> np.ndarray:
    """What onnxruntime says of rows."""
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["posterior"], {"rows": rows})[0]


@pytest.mark.parametrize("arch", ["vgg19", "vgg19-bn", "vgg16", "alexnet", "crnn", "cnn", "linear", "mlp"])
def test_a_classifier_says_the_same_as_onnx(
    arch: str, tiny_store: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    onnx = pytest.importorskip("onnx")
    if arch in ("linear", "mlp"):
        pytest.importorskip("transformers")
        from tiny_encoders import save_tiny

        encoder = save_tiny("hubert", tmp_path / "hubert")
        sertools.embed(tiny_store, tmp_path / "s.h5", encoder=str(encoder), pool="mean-std")
    else:
        shutil.copy(tiny_store, tmp_path / "s.h5")
    numbers = {} if arch == "linear" else {"preset": "smoke", "steps": 3, "batch_size": 8, "width": 1 / 8}
    sertools.train_clf(tmp_path / "s.h5", tmp_path / "clf", arch=arch, device="cpu", **numbers)
    assert sertools.export(tmp_path / "clf", tmp_path / "clf.onnx") > 0
    sertools.export(tmp_path / "clf", tmp_path / "again.onnx", format="onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "clf.onnx").read_bytes()

    store = sertools.open_store(tmp_path / "s.h5")
    rows = store.rows(range(len(store)))
    header, net = load_classifier(tmp_path / "clf")
    for count in (1, 5, len(rows)):
        ours = posteriors_of(net, rows[:count], header.scaler, torch.device("cpu"))
        np.testing.assert_allclose(speaks(tmp_path / "clf.onnx", rows[:count]), ours, atol=1e-5)
    # Beyond the scale as well.
    far = rng.normal(0, 100, rows.shape).astype(np.float32)
    ours = posteriors_of(net, far, header.scaler, torch.device("cpu"))
    np.testing.assert_allclose(speaks(tmp_path / "clf.onnx", far), ours, atol=1e-5)

    model = onnx.load(tmp_path / "clf.onnx")
    metadata = {each.key: each.value for each in model.metadata_props}
    assert json.loads(metadata["classes"]) == ["angry", "happy", "neutral", "sad"]
    assert metadata["kind"] == store.contents.front_end.kind
    assert json.loads(metadata["front_end"])["sr"] == 16_000
    assert metadata["sertools_version"] == sertools.__version__
    # Neither where it was made nor by whom.
    assert str(tmp_path).encode() not in model.SerializeToString()
    assert str(Path(sertools.__file__).parent).encode() not in model.SerializeToString()


def test_a_classifier_has_no_other_form(trained: Path, call, tmp_path: Path) -> None:
    for options, words in (
        (["-o", "x.npz", "--format", "npz"], "--format npz: clf is classifier; give onnx"),
        (["-o", "x.bin"], "-o x.bin: an ONNX file is known by its suffix; call it x.onnx"),
        (["-o", "x.onnx", "--audio-root", "."], "--audio-root"),
    ):
        shutil.copy(trained / "clf", tmp_path / "clf")
        done = call("export", "clf", *options)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert words in done.err
    assert os.listdir(tmp_path) == ["clf"]
