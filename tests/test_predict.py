"""`predict`: what a classifier says of recordings is what it says of their rows in a store."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import SR, Outcome, tone
from tiny_encoders import save_tiny

import sertools
from sertools.errors import AudioError, LineageError, ModelError, SertoolsWarning, UsageError
from sertools.scoring.results.label_file import write_predictions
from sertools.scoring.results.operating_point import decide, fit_biases
from sertools.scoring.results.predicting import Predicted
from sertools.scoring.results.result import Result
from sertools.scoring.results.temperature import fit_temperature, log_loss, tempered

Call = Callable[..., Outcome]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("hubert", tmp_path_factory.mktemp("encoder") / "hubert")


@pytest.fixture(scope="module")
def linear(tiny_corpus: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with vectors of the tiny corpus by speaker, in pieces of a second, and a classifier of them."""
    folder = tmp_path_factory.mktemp("linear")
    options = {"encoder": str(encoder), "layer": "3", "pool": "mean-std", "segment_seconds": 1.0, "trim_db": 30.0}
    sertools.embed(tiny_corpus / "labels.csv", folder / "emb.h5", **options)
    for name, speakers in (("train", "01,02,03"), ("val", "04,05"), ("test", "06")):
        sertools.select(folder / "emb.h5", folder / f"{name}.h5", where=[f"speaker={speakers}"])
    sertools.train_clf(folder / "train.h5", folder / "clf", loss="weighted")
    return folder


@pytest.fixture(scope="module")
def second(linear: Path) -> Path:
    """Another classifier of the same vectors, whose training implied other class shares."""
    sertools.select(linear / "train.h5", linear / "fewer.h5", keep={"angry": 0.5})
    sertools.train_clf(linear / "fewer.h5", linear / "second")
    return linear / "second"


def wavs_of(corpus: Path, speaker: str) -> list[Path]:
    return sorted(corpus.glob(f"*/{speaker}_*.wav"))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def assert_same(found: list[Predicted], result: Result) -> None:
    """Compare by the file's stem."""
    said = {Path(u.id).as_posix(): u for u in result.utterances}
    assert len(found) == len(said)
    for one in found:
        other = said["/".join(Path(one.name).with_suffix("").parts[-2:])]
        assert (one.predicted, one.n_segments) == (other.predicted, other.n_segments)
        np.testing.assert_allclose(list(one.posterior.values()), other.posterior, atol=1e-6)
        assert one.confidence == one.posterior[one.predicted]


@pytest.mark.parametrize("options", [{}, {"vote": "mean"}, {"adjust": "priors"}])
def test_vectors_of_recordings_are_those_of_embed(
    linear: Path, tiny_corpus: Path, encoder: Path, options: dict[str, str]
) -> None:
    result = sertools.evaluate(linear / "clf", linear / "test.h5", **options)
    found = sertools.predict(linear / "clf", wavs_of(tiny_corpus, "06"), encoder=str(encoder), **options)
    assert_same([*found], result)
    assert max(one.n_segments for one in found) > 1
    assert_same([*sertools.predict(linear / "clf", linear / "test.h5", **options)], result)


@pytest.mark.parametrize("vote", ["majority", "mean"])
def test_pictures_of_recordings_are_those_of_extract(chain, tiny_corpus: Path, vote: str) -> None:
    found = [*sertools.predict(chain.clf, wavs_of(tiny_corpus, "06"), vote=vote)]
    assert_same(found, sertools.evaluate(chain.clf, chain.test, vote=vote))
    assert [one.name for one in found] == [str(path) for path in wavs_of(tiny_corpus, "06")]


def test_csv_and_ndjson_say_the_same(chain, tiny_corpus: Path, call: Call, tmp_path: Path) -> None:
    wavs = wavs_of(tiny_corpus, "06")
    table = call("predict", chain.clf, *wavs, "-q")
    assert (table.code, table.err) == (0, "")
    lines = call("predict", chain.clf, "-", "--format", "ndjson", stdin="".join(f"{wav}\n" for wav in wavs))
    assert lines.err == "8 recordings\n"
    said = [json.loads(line) for line in lines.out.splitlines()]
    for row, one in zip(rows(table.out), said, strict=True):
        assert list(row) == ["file", "predicted", "confidence", "p_angry", "p_happy", "p_neutral", "p_sad"]
        assert (row["file"], row["predicted"]) == (one["file"], one["predicted"])
        assert {f"p_{name}": str(share) for name, share in one["posterior"].items()}.items() <= row.items()
    done = call("predict", chain.clf, *wavs, "-o", "labels.csv")
    assert (done.code, done.out, done.err) == (0, "", "labels.csv: 8 recordings\n")
    assert (tmp_path / "labels.csv").read_text() == table.out
    assert call("predict", chain.clf, chain.test).out.splitlines()[1].startswith("angry/06_1,")


def test_parts_of_files_have_their_place(chain, tiny_corpus: Path, call: Call, tmp_path: Path) -> None:
    wav = wavs_of(tiny_corpus, "06")[0]
    (tmp_path / "spans.csv").write_text(f"file,start,end\n{wav},0,0.2\n{wav},0.1,0.3\n")
    # What is said of a span is not looked at: another word for it is no matter.
    (tmp_path / "said.csv").write_text(f"file,emotion,start,end\n{wav},???,0,0.2\n")
    done = call("predict", chain.clf, "spans.csv", "said.csv")
    found = rows(done.out)
    assert done.err == "2 recordings\n"
    assert call("predict", chain.clf, "-", stdin=(tmp_path / "spans.csv").read_bytes()).out == done.out
    assert [(row["start"], row["end"]) for row in found] == [("0.0", "0.2"), ("0.1", "0.3")]
    assert found[0]["p_sad"] != found[1]["p_sad"]


def test_a_line_is_written_before_the_next_recording_is_read(chain, tiny_corpus: Path) -> None:
    found, kept = sertools.predict(chain.clf, wavs_of(tiny_corpus, "06")), io.BytesIO()

    def watched() -> Iterator[Predicted]:
        for number, one in enumerate(found, 1):
            # Not only in the stream's own buffer.
            assert kept.getvalue().count(b"\n") == (number if number > 1 else 0)
            yield one

    assert write_predictions(found, watched(), io.TextIOWrapper(kept), "csv") == len(found) == 8


def test_recordings_are_labelled_when_their_turn_comes(chain, tiny_corpus: Path, tmp_path: Path) -> None:
    wavs = [
        Path(shutil.copy(wav, tmp_path / f"{number}.wav"))
        for number, wav in enumerate(wavs_of(tiny_corpus, "06")[:3])
    ]
    labelled = iter(sertools.predict(chain.clf, wavs))
    assert next(labelled).name == str(wavs[0])
    wavs[2].write_bytes(b"")
    next(labelled)
    with pytest.raises(AudioError, match="empty file"):
        next(labelled)


def test_bad_files_are_listed_or_skipped(chain, tiny_corpus: Path, call: Call, tmp_path: Path) -> None:
    wavs = tmp_path / "wavs"
    wavs.mkdir()
    shutil.copy(wavs_of(tiny_corpus, "06")[0], wavs / "a.wav")
    shutil.copy(wavs_of(tiny_corpus, "06")[1], wavs / "z.wav")
    soundfile.write(wavs / "none.wav", np.zeros(0, dtype=np.float32), SR)
    (wavs / "text.wav").write_text("no sound")
    done = call("predict", chain.clf, "wavs", "-o", "labels.csv")
    assert (done.code, done.out) == (1, "")
    assert "2 of 4 files" in done.err
    assert "wavs/none.wav: holds no samples" in done.err
    assert "wavs/text.wav: not readable as audio" in done.err
    assert os.listdir(tmp_path) == ["wavs"]
    done = call("predict", chain.clf, "wavs")
    assert (done.code, len(done.out.splitlines())) == (1, 3)
    done = call("predict", chain.clf, "wavs", "-o", "labels.csv", "--on-error", "skip")
    assert (done.code, len(done.err.splitlines())) == (0, 3)
    assert done.err.endswith("labels.csv: 2 recordings, 2 skipped\n")
    assert len(rows((tmp_path / "labels.csv").read_text())) == 2
    for name in ("a.wav", "z.wav"):
        (wavs / name).unlink()
    done = call("predict", chain.clf, "wavs", "-o", "none.csv", "--on-error", "skip")
    assert done.code == 1
    assert done.err.endswith(": none of the 2 recordings could be read\n")
    assert not (tmp_path / "none.csv").exists()


def test_silence_and_what_was_trained_on_are_remarked(chain, tiny_corpus: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(SR, dtype=np.float32), SR)
    known = wavs_of(tiny_corpus, "01")[0]
    with pytest.warns(SertoolsWarning) as caught:
        assert len([*sertools.predict(chain.clf, [tmp_path / "silent.wav", known])]) == 2
    words = [str(each.message) for each in caught]
    assert any("1 of 2 recordings are silent" in text and "silent.wav" in text for text in words)
    assert any("1 of 2 recordings were trained on" in text and known.name in text for text in words)
    # Generated rows were trained on too.
    with pytest.warns(SertoolsWarning, match="12 of 12 recordings were trained on"):
        assert len([*sertools.predict(chain.clf, chain.synth)]) == 12


def test_short_clips(chain, linear: Path, encoder: Path, call: Call, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", tone(np.random.default_rng(0), 120, 0.005), SR)
    assert call("predict", chain.clf, "short.wav").code == 0
    done = call("predict", linear / "clf", "short.wav", "--encoder", encoder)
    assert done.code == 1
    assert "0.005 s are too short for the encoder" in done.err


def test_a_validation_set_calibrates(linear: Path, call: Call, tmp_path: Path) -> None:
    """The posteriors have the temperature that suits the set; what is predicted, the operating point of a report."""
    raw = sertools.evaluate(linear / "clf", linear / "test.h5", val=linear / "val.h5")
    found = sertools.predict(linear / "clf", linear / "test.h5", val=linear / "val.h5")
    said = np.array([u.posterior for u in raw.validation])
    truth = [raw.classes.index(u.emotion) for u in raw.validation]
    temperature = fit_temperature(truth, said)
    assert found.calibration.temperature == pytest.approx(temperature, rel=1e-6)
    biases = fit_biases(truth, said, raw.implied_prior)
    tested = np.array([u.posterior for u in raw.utterances])
    assert [one.predicted for one in found] == [raw.classes[k] for k in decide(tested, biases)]
    np.testing.assert_allclose(
        [list(one.posterior.values()) for one in found], tempered(tested, temperature), atol=1e-6
    )
    adjusted = sertools.predict(linear / "clf", linear / "test.h5", val=linear / "val.h5", adjust="priors")
    # A prior that is divided by on both sides changes no decision.
    assert [one.predicted for one in adjusted] == [one.predicted for one in found]
    done = call("predict", linear / "clf", linear / "test.h5", "--val", linear / "val.h5")
    before, after = log_loss(truth, said), log_loss(truth, tempered(said, temperature))
    assert f"log loss {before:.3f} before, {after:.3f} with the temperature" in done.err
    with pytest.raises(LineageError, match="were trained on"):
        sertools.predict(linear / "clf", linear / "test.h5", val=linear / "train.h5")


@pytest.mark.parametrize("planted", [0.4, 1.0, 2.5])
def test_a_planted_temperature_is_found(planted: float, rng: np.random.Generator) -> None:
    logits = rng.normal(0, 1.5, (20_000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (honest.cumsum(axis=1) > rng.uniform(size=(len(honest), 1))).argmax(axis=1)
    # A classifier that is `planted` times as sure as it should be.
    said = honest**planted / (honest**planted).sum(axis=1, keepdims=True)
    found = fit_temperature(truth, said)
    assert found == pytest.approx(planted, rel=0.03)
    assert (tempered(said, found).argmax(axis=1) == said.argmax(axis=1)).all()
    assert log_loss(truth, tempered(said, found)) <= log_loss(truth, said) + 1e-9
    for other in (found / 1.05, found * 1.05):
        assert log_loss(truth, tempered(said, found)) < log_loss(truth, tempered(said, other))


def test_few_utterances_without_error_leave_a_temperature() -> None:
    said = np.full((6, 3), 0.2) + 0.4 * np.eye(3)[[0, 0, 1, 1, 2, 2]]
    assert 0.1 < fit_temperature([0, 0, 1, 1, 2, 2], said) < 1


def test_what_cannot_be_used_is_one_line(
    chain, linear: Path, encoder: Path, tiny_corpus: Path, call: Call, tmp_path: Path
) -> None:
    wav = wavs_of(tiny_corpus, "06")[0]
    save_tiny("wavlm", tmp_path / "wavlm")
    shutil.copy(chain.clf, tmp_path / "clf")
    (tmp_path / "folder").mkdir()
    before = sorted(os.listdir(tmp_path))
    for line, words in (
        (["clf", wav, "--encoder", encoder], "--encoder: clf takes pictures; leave it out"),
        (
            [linear / "clf", wav],
            "does not say where its encoder lies; give --encoder DIR (hubert",
        ),
        ([linear / "clf", wav, "--encoder", "wavlm"], "wavlm: another encoder (wavlm, digest "),
        (
            [linear / "clf", linear / "test.h5", "--encoder", encoder],
            "--encoder: a store has its rows; leave it out",
        ),
        ([linear / "clf", linear / "test.h5", wav], "is a store, and other sources are recordings"),
        ([linear / "clf", chain.test], "its rows are spectrograms, those of"),
        ([chain.ae, wav], "classifier is wanted here"),
        ([chain.test, wav], "not a model file"),
        (["missing", wav], "missing"),
        (["clf", "missing"], "missing: no such file or folder"),
        (["clf", "folder"], "folder"),
        (["clf", wav, "--val", wav], "not an HDF5 file"),
        (["clf", wav, "-o", "clf"], "clf: is read by this command"),
        (["clf", wav, "-o", "nowhere/x"], "there is no folder nowhere"),
        (["clf", wav, "--format", "json"], "--format 'json': expected one of csv, ndjson"),
    ):
        done = call("predict", *line)
        assert done.code in (1, 2), line
        assert (done.out, done.err.count("\n")) == ("", 1), (line, done.err)
        assert words in done.err, (line, done.err)
    assert sorted(os.listdir(tmp_path)) == before


def test_an_encoder_of_the_hub_is_asked_for_by_its_commit(
    tiny_corpus: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files lie in the hub's own cache, so that nothing is requested."""
    cache, commit = tmp_path / "hub", "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(encoder, cache / "models--someone--hubert" / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    sertools.embed(tiny_corpus / "labels.csv", tmp_path / "e.h5", encoder=f"hf:someone/hubert@{commit}")
    sertools.select(tmp_path / "e.h5", tmp_path / "train.h5", where=["speaker=01,02"])
    sertools.train_clf(tmp_path / "train.h5", tmp_path / "clf")
    wavs = wavs_of(tiny_corpus, "06")
    found = [*sertools.predict(tmp_path / "clf", wavs)]
    assert found == [*sertools.predict(tmp_path / "clf", wavs, encoder=str(encoder))]


def test_a_rehearsal_reads_a_little_and_writes_nothing(chain, tiny_corpus: Path, call: Call, tmp_path: Path) -> None:
    done = call("predict", chain.clf, *wavs_of(tiny_corpus, "06"), "-o", "labels.csv", "--dry-run")
    assert done.code == 0
    assert "label 8 recordings" in done.out
    assert done.out.endswith("nothing was written\n")
    assert os.listdir(tmp_path) == []
    with pytest.raises(UsageError, match="--encoder"):
        sertools.rehearse(sertools.predict, chain.clf, wavs_of(tiny_corpus, "06"), encoder="x")


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_classifiers_that_answer_together_say_what_evaluate_says(
    linear: Path, tiny_corpus: Path, encoder: Path, second: Path, call: Call, mean: str
) -> None:
    options = {"average": [second], "mean": mean}
    result = sertools.evaluate(linear / "clf", linear / "test.h5", **options)
    wavs = wavs_of(tiny_corpus, "06")
    together = list(sertools.predict(linear / "clf", wavs, encoder=str(encoder), **options))
    assert_same(together, result)
    alone = list(sertools.predict(linear / "clf", wavs, encoder=str(encoder)))
    assert [one.posterior for one in together] != [one.posterior for one in alone]
    # Their own mean is the classifier itself.
    twice = sertools.predict(linear / "clf", wavs, encoder=str(encoder), average=[linear / "clf"], mean=mean)
    for one, other in zip(twice, alone, strict=True):
        np.testing.assert_allclose(list(one.posterior.values()), list(other.posterior.values()), atol=1e-9)
    done = call("predict", linear / "clf", *wavs, "--encoder", encoder, "--average", second, "--mean", mean)
    assert [row["predicted"] for row in rows(done.out)] == [one.predicted for one in together]


def test_several_are_calibrated_as_one(linear: Path, second: Path) -> None:
    options = {"average": [second], "mean": "geometric", "val": linear / "val.h5"}
    raw = sertools.evaluate(linear / "clf", linear / "test.h5", **options)
    found = sertools.predict(linear / "clf", linear / "test.h5", **options)
    truth = [raw.classes.index(u.emotion) for u in raw.validation]
    biases = fit_biases(truth, np.array([u.posterior for u in raw.validation]), raw.implied_prior)
    tested = np.array([u.posterior for u in raw.utterances])
    assert [one.predicted for one in found] == [raw.classes[k] for k in decide(tested, biases)]
    with pytest.raises(ModelError, match=r"implied different class shares.* give --mean geometric"):
        sertools.predict(linear / "clf", linear / "test.h5", average=[second], val=linear / "val.h5")
    # Where each one's own prior is divided by, an arithmetic mean implies equal shares.
    same = {"average": [second], "val": linear / "val.h5", "adjust": "priors"}
    assert sertools.predict(linear / "clf", linear / "test.h5", **same).calibration.n == len(raw.validation)


def test_classifiers_that_do_not_go_together_are_refused(
    chain, linear: Path, tiny_corpus: Path, encoder: Path, call: Call, tmp_path: Path
) -> None:
    wav = wavs_of(tiny_corpus, "06")[0]
    sertools.select(linear / "train.h5", tmp_path / "two.h5", where=["emotion=angry,happy"])
    sertools.train_clf(tmp_path / "two.h5", tmp_path / "two")
    for line, words in (
        (["--average", "two"], "only classifiers of the same classes can be averaged"),
        (["--average", chain.clf], "its rows are spectrograms"),
        (["--mean", "geometric"], "--mean geometric: there is nothing to average; give --average another classifier"),
        (["--average", "missing"], "missing"),
    ):
        done = call("predict", linear / "clf", wav, "--encoder", encoder, *line)
        assert done.code in (1, 2), line
        assert (done.out, done.err.count("\n")) == ("", 1), (line, done.err)
        assert words in done.err, (line, done.err)
    with pytest.raises(LineageError, match="were trained on"):
        sertools.predict(linear / "clf", wav, average=[linear / "clf"], val=linear / "train.h5")
