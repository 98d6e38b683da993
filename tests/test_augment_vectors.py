"""Strategies on an encoder's rows: altered ones are those of altered audio, by the encoder of the store."""

import dataclasses
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import huggingface_hub
import librosa
import numpy as np
import pytest
import soundfile
import torch
from conftest import SR, Outcome, tone
from tiny_encoders import save_tiny

import sertools
from sertools import augment, open_store
from sertools.balance.strategies import CITED, STRATEGIES, TABLE_1
from sertools.encoders.encoder import open_encoder
from sertools.encoders.reopening import encoder_of
from sertools.errors import ModelError, StoreError, UsageError
from sertools.sound.audio import read_utterance
from sertools.store.reader import Store
from sertools.store.writer import write_store

Call = Callable[..., Outcome]
ALTERED = ("time_stretch", "pitch_shift", "gaussian_noise", "background_noise")


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    soundfile.write(folder / "rain.wav", 0.1 * np.random.default_rng(6).standard_normal(4 * SR), SR)
    return folder


def rows_of(store: Store) -> np.ndarray:
    return store.rows(np.arange(len(store)))


def altered_rows(store: Store) -> np.ndarray:
    return np.flatnonzero(np.isin(store.contents.segments["origin"], ALTERED))


def by_hand(store: Store, row: int, y: np.ndarray) -> np.ndarray:
    """Alter a recording's samples as the row says, with librosa."""
    params = json.loads(store.contents.segments["params"][row])
    if store.contents.segments["origin"][row] == "time_stretch":
        return librosa.effects.time_stretch(y, rate=params["rate"])[: round(len(y) / params["rate"])]
    return librosa.effects.pitch_shift(y, sr=SR, n_steps=params["n_steps"], res_type="soxr_hq")


def test_an_altered_row_is_the_altered_recording_encoded(
    embedded: Path, encoder: Path, call: Call, tmp_path: Path
) -> None:
    assert call("augment", embedded, "--strategy", "SARS", "--encoder", encoder, "-o", "a.h5").code == 0
    before, after, opened = open_store(embedded), open_store(tmp_path / "a.h5"), open_encoder(encoder)
    changed = altered_rows(after)
    assert len(changed) > 10
    seen = set()
    for row in changed:
        y = read_utterance(after.audio_path(int(after.contents.segments["utterance"][row])), SR).y
        np.testing.assert_array_equal(after.rows([row])[0], opened.rows(by_hand(after, row, y))[2])
        seen.add(after.contents.segments["origin"][row])
    assert seen == {"time_stretch", "pitch_shift"}
    # The others keep their bytes, and stand where they stood.
    same = np.setdiff1d(np.arange(len(before)), changed)
    assert rows_of(after)[same].tobytes() == rows_of(before)[same].tobytes()
    sizes = Counter(after.contents.emotion.tolist())
    assert len(set(sizes.values())) == 1
    parents = after.contents.segments["parent"][changed]
    assert set(parents) <= set(before.contents.segments["digest"])
    assert after.contents.lineage == before.contents.passed_on
    assert (after.damaged_rows(), after.tables_damaged()) == ([], False)


@pytest.mark.parametrize("strategy", [*TABLE_1, *CITED, STRATEGIES["RS0.8"]], ids=lambda strategy: strategy.name)
def test_every_strategy_makes_rows_of_the_same_encoder(
    strategy: object, embedded: Path, encoder: Path, noise: Path, tiny_store: Path, tmp_path: Path
) -> None:
    options = {"strategy": strategy.name, "noise": noise}
    given = {"encoder": str(encoder)} if strategy.alters else {}
    augment(embedded, tmp_path / "a.h5", **options, **given)
    store = open_store(tmp_path / "a.h5")
    assert store.contents.front_end == open_store(embedded).contents.front_end
    assert np.isfinite(rows_of(store)).all()
    assert set(store.contents.segments["n_valid_frames"]) == {1}
    if strategy.ratio is None:
        made = ("chained",) if strategy.in_a_row > 1 else strategy.transforms
        assert set(store.contents.segments["origin"]) == {"real", *made}
    said = json.loads(store.contents.history[-1])
    assert ("encoder" in said["inputs"]) == strategy.alters
    if strategy.alters:
        assert said["inputs"]["encoder"] == store.contents.front_end.encoder
        [*_, command] = sertools.info(tmp_path / "a.h5")["commands"]
        assert '--encoder "$ENCODER' in command
        assert "#" not in command


def test_rows_do_not_depend_on_the_number_of_processes(embedded: Path, encoder: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        augment(embedded, tmp_path / "a.h5", strategy="SARS", encoder=str(encoder), jobs=jobs, seed=3)
        (tmp_path / "a.h5").rename(tmp_path / f"{jobs}.h5")
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_a_piece_of_a_longer_recording_is_altered_as_that_piece(
    encoder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    for emotion, seconds in (("happy", 3.5), ("sad", 0.9)):
        (tmp_path / "w" / emotion).mkdir(parents=True)
        y = np.concatenate([np.zeros(8000, np.float32), tone(rng, 150, seconds)])
        soundfile.write(tmp_path / "w" / emotion / "a.wav", y, SR, subtype="FLOAT")
    options = {"segment_seconds": 1.0, "trim_db": 30.0}
    sertools.embed(tmp_path / "w", tmp_path / "e.h5", encoder=str(encoder), **options)
    augment(tmp_path / "e.h5", tmp_path / "a.h5", strategy="SARS", encoder=str(encoder), seed=1)
    store, opened = open_store(tmp_path / "a.h5"), open_encoder(encoder)
    rows = altered_rows(store)
    starts = sorted(set(open_store(tmp_path / "e.h5").contents.segments["start"].tolist()))
    n_pieces = 0
    for row in rows[store.contents.emotion[rows] == "happy"]:
        start = store.contents.segments["start"][row]
        y = read_utterance(store.audio_path(int(store.contents.segments["utterance"][row])), SR).y
        # A quarter of a second on either side lets the transform settle.
        first = round(start * SR)
        length = round((starts[-1] - starts[-2]) * SR)
        params = json.loads(store.contents.segments["params"][row])
        rate = params.get("rate", 1.0)
        origin = round(min(starts) * SR)
        before = min(first - origin, SR // 4)
        around = by_hand(store, row, y[first - before : first + length + SR // 4])
        kept = around[round(before / rate) :][: min(SR, round(length / rate))]
        wanted = opened.rows(kept)[2]
        found = store.rows([row])[0]
        assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
        # Another piece is not that near.
        elsewhere = opened.rows(y[(first + 2 * length) % (len(y) - length) :][: len(kept)])[2]
        assert np.abs(found - elsewhere).max() > np.abs(found - wanted).max()
        n_pieces += 1
    assert n_pieces > 1


def test_a_recording_is_not_slowed_beyond_what_the_encoder_takes(tmp_path: Path, rng: np.random.Generator) -> None:
    whisper = save_tiny("whisper", tmp_path / "whisper")
    most = open_encoder(whisper).max_samples
    for emotion, n in (("happy", 12), ("sad", 1)):
        (tmp_path / "w" / emotion).mkdir(parents=True)
        for number in range(n):
            soundfile.write(tmp_path / "w" / emotion / f"{number}.wav", tone(rng, 150, most / SR), SR)
    sertools.embed(tmp_path / "w", tmp_path / "e.h5", encoder=str(whisper))
    augment(tmp_path / "e.h5", tmp_path / "a.h5", strategy="SARS", encoder=str(whisper))
    params = [json.loads(p or "{}") for p in open_store(tmp_path / "a.h5").contents.segments["params"].tolist()]
    assert min(each.get("rate", 1) for each in params) < 1


def test_another_encoder_is_refused(embedded: Path, call: Call, tmp_path: Path) -> None:
    for kind in ("wavlm", "whisper"):
        other = save_tiny(kind, tmp_path / kind)
        done = call("augment", embedded, "--strategy", "SARS", "--encoder", other, "-o", "a.h5")
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert f"{other}: another encoder ({kind}, digest " in done.err
        assert f"than that of {embedded} (hubert, digest " in done.err
    shallow = save_tiny("hubert", tmp_path / "shallow")
    config = json.loads((shallow / "preprocessor_config.json").read_text())
    (shallow / "preprocessor_config.json").write_text(json.dumps({**config, "do_normalize": False}))
    with pytest.raises(ModelError, match=r"with another front end \(.*\); copy its preprocessor_config.json again"):
        augment(embedded, tmp_path / "a.h5", strategy="SARS", encoder=str(shallow))
    assert not (tmp_path / "a.h5").exists()


def test_a_missing_encoder_is_asked_for(embedded: Path, call: Call, tmp_path: Path) -> None:
    for more in ([], ["--dry-run"]):
        done = call("augment", embedded, "--strategy", "SARS", "-o", "a.h5", *more)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "give --encoder DIR (hubert, digest " in done.err
    done = call("augment", embedded, "--strategy", "SARS", "-o", "a.h5", "--encoder", "nowhere/")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "nowhere" in done.err
    assert not (tmp_path / "a.h5").exists()


def test_what_the_store_names_is_taken_from_what_was_downloaded(
    embedded: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(embedded)
    named = dataclasses.replace(store.contents.front_end, name="some/hubert@" + "a" * 40)
    contents = dataclasses.replace(store.contents, front_end=named, audio_root="corpus")
    write_store(tmp_path / "named.h5", contents, [rows_of(store)])
    shutil.copytree(store.audio_path(0).parents[1], tmp_path / "corpus")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    there = tmp_path / "hub" / "models--some--hubert"
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", partial(huggingface_hub.snapshot_download, cache_dir=tmp_path / "hub")
    )
    with pytest.raises(UsageError, match=r"named\.h5: .*; give --encoder hf:some/hubert@a{40}, or its folder"):
        augment(tmp_path / "named.h5", tmp_path / "a.h5", strategy="SARS")
    shutil.copytree(encoder, there / "snapshots" / ("a" * 40))
    augment(tmp_path / "named.h5", tmp_path / "a.h5", strategy="SARS")
    augment(embedded, tmp_path / "b.h5", strategy="SARS", encoder=str(encoder))
    np.testing.assert_array_equal(rows_of(open_store(tmp_path / "a.h5")), rows_of(open_store(tmp_path / "b.h5")))


def test_a_rehearsal_alters_and_encodes_a_few(embedded: Path, encoder: Path, call: Call, tmp_path: Path) -> None:
    done = call("augment", embedded, "--strategy", "SARS", "--encoder", encoder, "-o", "a.h5", "--dry-run")
    assert done.code == 0
    n_new = int(done.out.split(" rows from altered audio")[0].split()[-1])
    assert f"about {n_new * 16 * 4 / 1000:.3g} kB" in done.out
    assert "time         about" in done.out
    assert not (tmp_path / "a.h5").exists()


def test_audio_that_has_changed_is_refused(tiny_corpus: Path, encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_corpus, tmp_path / "w")
    sertools.embed(tmp_path / "w" / "labels.csv", tmp_path / "e.h5", encoder=str(encoder))
    for path in (tmp_path / "w").rglob("*.wav"):
        soundfile.write(path, tone(np.random.default_rng(9), 200, 4.0), SR)
    with pytest.raises(StoreError, match=r"is not the audio that .*; give .* by --audio-root, or embed again"):
        augment(tmp_path / "e.h5", tmp_path / "a.h5", strategy="SARS", encoder=str(encoder))


def test_the_encoder_is_opened_as_the_store_was_made(tiny_corpus: Path, tmp_path: Path) -> None:
    whisper = save_tiny("whisper", tmp_path / "whisper")
    options = {"layer": "1", "pool": "mean-std", "segment_seconds": 1.0, "padded": True}
    sertools.embed(tiny_corpus / "sad", tmp_path / "e.h5", encoder=str(whisper), **options)
    encoding = open_store(tmp_path / "e.h5").contents.front_end
    opened = encoder_of(encoding, "e.h5", str(whisper), torch.device("cpu"), "float32")
    assert (opened.layers, opened.dim) == ((1,), 32)
    y = tone(np.random.default_rng(1), 120, 0.7)
    wanted = open_encoder(whisper, layers=[1], pool="mean-std", padded=True).rows(y)[1]
    assert opened.rows(y)[1].tobytes() == wanted.tobytes()


@pytest.mark.skipif("SERTOOLS_MODELS" not in os.environ or "SERTOOLS_DATA" not in os.environ, reason="needs both")
def test_real_speech_altered_stays_near_its_own_class(tmp_path: Path) -> None:
    """By a real encoder, slower or higher speech lies nearer to what it was made of than to other recordings."""
    model = str(Path(os.environ["SERTOOLS_MODELS"]) / "whisper-base-encoder")
    data = Path(os.environ["SERTOOLS_DATA"]) / "ravdess"
    recordings = [
        each
        for each in sertools.corpus("ravdess", data)
        if each.emotion in ("angry", "sad", "neutral") and each.speaker in ("01", "02")
    ]
    sertools.embed(recordings, tmp_path / "e.h5", encoder=model, trim_db=35.0)
    augment(tmp_path / "e.h5", tmp_path / "a.h5", strategy="SARS", encoder=model)
    store = open_store(tmp_path / "a.h5")
    rows, made = rows_of(store), altered_rows(store)
    before = open_store(tmp_path / "e.h5")
    parents = before.contents.segments["digest"].tolist()
    real = rows_of(before)
    nearest = [
        parents[int(np.square(real - rows[row]).sum(axis=1).argmin())] == store.contents.segments["parent"][row]
        for row in made
    ]
    assert len(nearest) > 5
    assert np.mean(nearest) > 0.5
