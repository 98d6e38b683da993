"""`embed`, and what else works on a store of vectors: a tiny random encoder, and a real one of SERTOOLS_MODELS."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from conftest import SR, Outcome, tone
from tiny_encoders import save_tiny

import sertools
from sertools import evaluate, merge, open_store, select, train_clf
from sertools.encoders.encoder import open_encoder
from sertools.errors import StoreError, UsageError
from sertools.sound.audio import read_utterance
from sertools.store.format import picture_digest
from sertools.store.writer import write_store

Call = Callable[..., Outcome]


def rows_of(path: Path) -> np.ndarray:
    store = open_store(path)
    return store.rows(np.arange(len(store)))


def test_a_row_is_what_the_encoder_says_of_the_recording(embedded: Path, tiny_corpus: Path, encoder: Path) -> None:
    store, opened = open_store(embedded), open_encoder(encoder)
    assert store.shape == (16,)
    assert opened.layers == (2,)
    for row in (0, 17, len(store) - 1):
        y = read_utterance(store.audio_path(row), SR).y
        np.testing.assert_array_equal(store.rows([row])[0], opened.rows(y)[2])
    assert store.contents.column("emotion").tolist() == sorted(store.contents.column("emotion").tolist())
    with h5py.File(embedded) as file:
        assert file["embedding"].shape == (48, 16)
        assert file.attrs["sertools_kind"].decode() == "embeddings"
        assert "spectrogram" not in file
        # Nowhere does the file say where the encoder or the corpus lay.
        assert str(encoder) not in str(list(file["front_end"].attrs.items()))


def test_shards_merged_are_the_whole_byte_for_byte(embedded: Path, tiny_corpus: Path, encoder: Path) -> None:
    folder = embedded.parent
    for k in (1, 2, 3):
        sertools.embed(tiny_corpus / "labels.csv", folder / f"{k}.h5", encoder=str(encoder), shard=f"{k}/3")
    merge([folder / f"{k}.h5" for k in (2, 1, 3)], folder / "merged.h5")
    assert (folder / "merged.h5").read_bytes() == embedded.read_bytes()


def test_layers_have_a_store_each_and_are_not_mixed(tiny_corpus: Path, encoder: Path, tmp_path: Path) -> None:
    folder = tiny_corpus / "angry"
    sertools.embed(folder, str(tmp_path / "e{layer}.h5"), encoder=str(encoder), layer="3,0")
    sertools.embed(folder, tmp_path / "alone.h5", encoder=str(encoder), layer="3")
    assert (tmp_path / "e3.h5").read_bytes() == (tmp_path / "alone.h5").read_bytes()
    assert not np.allclose(rows_of(tmp_path / "e0.h5"), rows_of(tmp_path / "e3.h5"))
    with pytest.raises(StoreError, match=r"e3\.h5: its front end differs from .*e0\.h5's \(layer 3 instead of 0\)"):
        merge([tmp_path / "e0.h5", tmp_path / "e3.h5"], tmp_path / "m.h5")
    with pytest.raises(UsageError, match=r"-o .*one\.h5: 2 layers need a name for each"):
        sertools.embed(folder, tmp_path / "one.h5", encoder=str(encoder), layer="1,2")
    for wrong in ("x", "1,", "-1", "2,2"):
        with pytest.raises(UsageError, match="--layer"):
            sertools.embed(folder, tmp_path / "{layer}.h5", encoder=str(encoder), layer=wrong)


def test_a_store_stands_for_its_recordings(embedded: Path, tiny_store: Path, encoder: Path, tmp_path: Path) -> None:
    sertools.embed(tiny_store, tmp_path / "emb.h5", encoder=str(encoder))
    mine, direct = open_store(tmp_path / "emb.h5").contents, open_store(embedded).contents
    np.testing.assert_array_equal(rows_of(tmp_path / "emb.h5"), rows_of(embedded))
    for column in ("id", "emotion", "speaker", "session", "gender", "digest", "duration"):
        assert mine.of_utterances(column).tolist() == direct.of_utterances(column).tolist()
    select(tiny_store, tmp_path / "some.h5", where=["emotion=sad"], fold="1/2")
    sertools.embed(tmp_path / "some.h5", tmp_path / "some-emb.h5", encoder=str(encoder))
    wanted = open_store(tmp_path / "some.h5").contents.utterances["id"].tolist()
    assert open_store(tmp_path / "some-emb.h5").contents.utterances["id"].tolist() == wanted


def test_a_recording_that_has_changed_is_refused(tiny_corpus: Path, encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_corpus / "sad", tmp_path / "w" / "sad")
    sertools.extract(tmp_path / "w", tmp_path / "s.h5")
    soundfile.write(tmp_path / "w" / "sad" / "02_1.wav", tone(np.random.default_rng(9), 200, 4.0), SR)
    with pytest.raises(sertools.SertoolsError, match=r"sad/02_1\.wav: its audio has changed since the store was"):
        sertools.embed(tmp_path / "s.h5", tmp_path / "e.h5", encoder=str(encoder))


def test_the_store_that_is_read_is_never_written_over(tiny_store: Path, encoder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_store, tmp_path / "s.h5")
    select(tiny_store, tmp_path / "v.h5", where=["emotion=sad"])
    before = (tmp_path / "s.h5").read_bytes()
    with pytest.raises(UsageError, match=r"s\.h5"):
        sertools.embed(tmp_path / "s.h5", tmp_path / "s.h5", encoder=str(encoder))
    assert (tmp_path / "s.h5").read_bytes() == before
    with pytest.raises(UsageError, match=tiny_store.name):
        sertools.embed(tmp_path / "v.h5", tiny_store, encoder=str(encoder))
    assert open_store(tiny_store).contents.front_end.kind == "spectrograms"


def test_a_store_is_no_audio_for_extract(tiny_store: Path, tmp_path: Path) -> None:
    with pytest.raises(sertools.SertoolsError, match=tiny_store.name):
        sertools.extract(tiny_store, tmp_path / "x.h5")


def test_the_printed_command_says_how_rows_were_made(tiny_corpus: Path, tmp_path: Path) -> None:
    whisper = save_tiny("whisper", tmp_path / "whisper")
    options = {"layer": "1", "pool": "mean-std", "segment_seconds": 1.0, "trim_db": 30.0, "padded": True}
    sertools.embed(tiny_corpus / "sad", tmp_path / "e.h5", encoder=str(whisper), **options)
    [command] = sertools.info(tmp_path / "e.h5")["commands"]
    words = "--layer 1 --pool mean-std --seconds 1.0 --trim 30.0 --padded"
    for word in (*words.split(" --")[1:], '--encoder "$ENCODER'):
        assert word in command
    assert "#" not in command


def test_made_rows_have_no_recording(tiny_store: Path, encoder: Path, tmp_path: Path) -> None:
    sertools.augment(tiny_store, tmp_path / "cp.h5", strategy="CP")
    with pytest.raises(StoreError, match=r"cp\.h5: \d+ rows were made \(\w+\), not recorded"):
        sertools.embed(tmp_path / "cp.h5", tmp_path / "e.h5", encoder=str(encoder))


def test_a_long_recording_is_cut_into_equal_pieces(encoder: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "w").mkdir()
    y = tone(rng, 120, 3.5)
    soundfile.write(tmp_path / "w" / "long.wav", y, SR, subtype="FLOAT")
    sertools.embed(tmp_path / "w", tmp_path / "e.h5", encoder=str(encoder), segment_seconds=1.0)
    store, opened = open_store(tmp_path / "e.h5"), open_encoder(encoder)
    assert store.contents.segments["start"].tolist() == [0.0, 0.875, 1.75, 2.625]
    for number, row in enumerate(rows_of(tmp_path / "e.h5")):
        np.testing.assert_array_equal(row, opened.rows(y[number * 14_000 : (number + 1) * 14_000])[2])


def test_what_is_too_short_is_named(
    tiny_corpus: Path, encoder: Path, call: Call, tmp_path: Path, rng: np.random.Generator
) -> None:
    shutil.copytree(tiny_corpus / "angry", tmp_path / "w" / "angry")
    soundfile.write(tmp_path / "w" / "angry" / "short.wav", tone(rng, 120, 0.005), SR)
    done = call("embed", "w", "-o", "e.h5", "--encoder", encoder)
    assert done.code == 1
    assert "angry/short.wav: 0.005 s are too short for the encoder" in done.err
    assert not (tmp_path / "e.h5").exists()
    done = call("embed", "w", "-o", "e.h5", "--encoder", encoder, "--on-error", "skip")
    assert (done.code, len(open_store(tmp_path / "e.h5"))) == (0, 6)
    assert call("embed", "w", "-o", "d.h5", "--encoder", encoder, "--on-error", "skip", "--dry-run").code == 0
    assert not (tmp_path / "d.h5").exists()


def test_a_classifier_of_vectors_from_start_to_end(embedded: Path, call: Call, tmp_path: Path) -> None:
    call("select", embedded, "--fold", "1/3", "-o", "test.h5")
    call("select", embedded, "--fold", "1/3", "-v", "-o", "train.h5")
    for number in (1, 2):
        assert (
            call("train-clf", "train.h5", "-o", f"{number}.clf", "--loss", "logit-adjust", "--seed", number).code == 0
        )
    assert (tmp_path / "1.clf").read_bytes() == (tmp_path / "2.clf").read_bytes()  # there is nothing to draw
    assert call("evaluate", "1.clf", "test.h5", "-o", "r.json", "--tag", "method=logit-adjust").code == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["model"]["arch"] == "linear"
    # Tones of four pitches: even a random network hears them.
    assert found["metrics"]["uar"] > 0.5
    assert call("report", "r.json").code == 0
    assert call("plot", "r.json", "-o", "r.png").code == 0
    described = json.loads(call("info", "1.clf", "--json").out)
    assert described["kind"] == "classifier"
    refused = call("evaluate", "1.clf", "train.h5", "-o", "x.json")
    assert refused.code == 1
    assert "trained on" in refused.err


def test_a_net_learns_vectors_too(embedded: Path, tmp_path: Path) -> None:
    select(embedded, tmp_path / "test.h5", fold="1/3")
    select(embedded, tmp_path / "train.h5", fold="1/3", invert=True)
    train_clf(tmp_path / "train.h5", tmp_path / "mlp", arch="mlp", preset="smoke", steps=200, mixup=0.2)
    assert evaluate(tmp_path / "mlp", tmp_path / "test.h5").metrics["uar"] > 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 5}, "--steps: has no meaning for linear"),
        ({"arch": "cnn"}, "--arch cnn: the rows of .* are vectors; give --arch linear or mlp"),
        ({"arch": "mlp", "spec_augment": "weak"}, "--spec-augment: changes pictures, and the rows of .* are vectors"),
        ({"arch": "mlp", "cut_paste": 0.5}, "--cut-paste: changes pictures, and the rows of .* are vectors"),
        ({"penalty": 0.0}, "--penalty 0: expected"),
    ],
)
def test_what_has_no_meaning_for_vectors_is_refused(
    embedded: Path, tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        train_clf(embedded, tmp_path / "clf", **options)
    assert not (tmp_path / "clf").exists()


def test_pictures_are_not_for_vectors_nor_vectors_for_pictures(
    embedded: Path, tiny_store: Path, call: Call, tmp_path: Path
) -> None:
    for arch in ("linear", "mlp"):
        with pytest.raises(UsageError, match=f"--arch {arch}: the rows of .* are pictures"):
            train_clf(tiny_store, tmp_path / "clf", arch=arch)
    with pytest.raises(StoreError, match=r"its rows are embeddings, those of .* are spectrograms"):
        merge([tiny_store, embedded], tmp_path / "m.h5")
    for line in (
        ["pretrain-ae", embedded, "-o", "ae", "--latent", "conv"],
        ["to-wav", embedded, "-o", "wavs"],
    ):
        done = call(*line)
        assert done.code in (1, 2), (line, done.err)
        assert done.err.count("\n") == 1, (line, done.err)
        assert "are vectors" in done.err or "vectors of an encoder" in done.err, line


def test_vectors_are_exported_and_drawn_by_their_counts(embedded: Path, call: Call, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    assert call("plot", embedded, "-o", "b.png", "--kind", "balance").code == 0
    for form, name in (("npz", "e.npz"), ("arrow", "e.arrow"), ("npy", "folder")):
        assert call("export", embedded, "-o", name, "--format", form).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "e.npz")["embedding"], rows_of(embedded))
    np.testing.assert_array_equal(np.load(tmp_path / "folder" / "embedding.npy"), rows_of(embedded))
    with pyarrow.OSFile(str(tmp_path / "e.arrow")) as file:
        table = pyarrow.ipc.open_stream(file).read_all()
    np.testing.assert_array_equal(np.stack(table["embedding"].to_pylist()), rows_of(embedded))


def test_another_encoder_is_another_kind_of_rows(embedded: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    other = save_tiny("wavlm", tmp_path / "wavlm")
    sertools.embed(tiny_corpus / "angry", tmp_path / "o.h5", encoder=str(other))
    with pytest.raises(
        StoreError, match=r"o\.h5: its front end differs from .*encoder .*; family 'wavlm' instead of"
    ):
        merge([embedded, tmp_path / "o.h5"], tmp_path / "m.h5")


@pytest.mark.skipif("SERTOOLS_MODELS" not in os.environ or "SERTOOLS_DATA" not in os.environ, reason="needs both")
def test_real_speech_through_a_real_encoder(tmp_path: Path) -> None:
    """Of two actors in turn, four emotions are recognised far above chance by what two others said."""
    data = Path(os.environ["SERTOOLS_DATA"]) / "ravdess"
    recordings = [
        each
        for each in sertools.corpus("ravdess", data)
        if each.emotion in ("angry", "happy", "neutral", "sad") and each.speaker in ("01", "02", "03", "04")
    ][::2]
    sertools.embed(
        recordings, tmp_path / "e.h5", encoder=str(Path(os.environ["SERTOOLS_MODELS"]) / "whisper-base-encoder"),
        trim_db=35.0,
    )  # fmt: skip
    select(tmp_path / "e.h5", tmp_path / "test.h5", fold="1/2")
    select(tmp_path / "e.h5", tmp_path / "train.h5", fold="1/2", invert=True)
    train_clf(tmp_path / "train.h5", tmp_path / "clf", loss="weighted")
    assert evaluate(tmp_path / "clf", tmp_path / "test.h5").metrics["uar"] > 0.5


@pytest.mark.parametrize("n_rows", [1, 3, 15, 17, 64, 65, 100])
@pytest.mark.parametrize("n_values", [1, 5, 100, 257])
def test_vectors_of_any_size_lie_in_the_file_as_they_were(
    embedded: Path, tmp_path: Path, n_rows: int, n_values: int, rng: np.random.Generator
) -> None:
    """Short vectors share pages of the file with its tables."""
    contents = open_store(embedded).contents
    segments, utterances = contents.take(np.arange(n_rows) % len(contents))
    vectors = rng.normal(size=(n_rows, n_values)).astype(np.float32)
    segments = segments.with_column("digest", np.array([picture_digest(vector) for vector in vectors]))
    front_end = dataclasses.replace(contents.front_end, n_values=n_values)
    made = dataclasses.replace(contents, front_end=front_end, segments=segments, utterances=utterances)
    write_store(tmp_path / "s.h5", made, [vectors[: n_rows // 2], vectors[n_rows // 2 :]])
    store = open_store(tmp_path / "s.h5")
    np.testing.assert_array_equal(store.rows(np.arange(n_rows)), vectors)
    assert (store.damaged_rows(), store.tables_damaged()) == ([], False)
    with h5py.File(tmp_path / "s.h5") as file:
        np.testing.assert_array_equal(file["embedding"][:], vectors)
