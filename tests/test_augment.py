"""Augmented rows: one in, one out, each as its parameters say, and the same whatever else is made."""

import csv
import dataclasses
import json
import math
import os
import shutil
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import soxr
from chains import write_rows
from conftest import SR, TINY, tone
from stores import read_all

from sertools.balance.augmentation import _lay_out, augment_store
from sertools.balance.plan import plan_rows
from sertools.balance.strategies import CITED, STRATEGIES, TABLE_1, Strategy, adjusted, options_of
from sertools.config import FrontEnd
from sertools.corpora.sources import list_recordings
from sertools.errors import SertoolsWarning, UsageError
from sertools.sound.audio import UtteranceAudio, trimmed
from sertools.sound.features import valid_frames
from sertools.sound.noise import NoiseFolder, open_noise
from sertools.store.conditions import parse_condition
from sertools.store.escapes import unescape_name
from sertools.store.extraction import extract
from sertools.store.reader import Store, open_store
from sertools.store.select import Selection, select_store

# The corpora are tones, some of which are alike.
pytestmark = pytest.mark.filterwarnings("ignore:.*(the same sound as another|silent):sertools.errors.SertoolsWarning")

OF_THE_PAPER = ("time_stretch", "pitch_shift", "gaussian_noise", "background_noise")
ALTERED = (*OF_THE_PAPER, "speed", "vocal_tract", "frequency_filter")
KEYS = {
    "time_stretch": ["rate"],
    "pitch_shift": ["n_steps"],
    "gaussian_noise": ["snr_db"],
    "background_noise": ["noise", "noise_start", "snr_db"],
}


@pytest.fixture(scope="session")
def noise_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(6)
    for name, sr in (("rain.wav", SR), ("sub/street.wav", 32_000)):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, 0.1 * rng.standard_normal(4 * sr), sr)
    return folder


@pytest.fixture(scope="session")
def noise(noise_dir: Path) -> NoiseFolder:
    return open_noise(noise_dir, 1.0)


@pytest.fixture(scope="session")
def sar(tiny_store: Path, noise: NoiseFolder) -> Path:
    """The tiny store under SAR, seed 0; copy it before changing it."""
    path = tiny_store.parent / "sar.h5"
    augment(tiny_store, path, noise=noise)
    return path


def augment(source: Path, output: Path, strategy: Strategy = STRATEGIES["SAR"], **options: object) -> Store:
    for _ in augment_store(source, output, strategy, **options):
        pass
    return open_store(output)


def only(*transforms: str) -> Strategy:
    return Strategy(name="X", transforms=transforms, replace="all")


def shares(store: Store) -> dict[str, tuple[int, int]]:
    """Class → (clean rows, altered rows)."""
    altered = np.isin(store.contents.segments["origin"], ALTERED)
    return {
        name: tuple(int(((store.contents.emotion == name) & (altered == kind)).sum()) for kind in (False, True))
        for name in store.contents.classes()
    }


def loudness(y: np.ndarray) -> float:
    """Power of the frames of 25 ms within 30 dB of the loudest."""
    frames = [np.square(y[i : i + 400], dtype=np.float64).mean() for i in range(0, len(y), 400)]
    return float(np.mean([power for power in frames if power >= max(frames) / 1000]))


def by_hand(store: Store, row: int, noise_dir: Path | None = None) -> np.ndarray:
    """Make an altered row again from its parameters and the audio, with librosa."""
    contents, front_end = store.contents, store.contents.front_end
    facts = {name: contents.segments[name][row] for name in ("utterance", "start", "origin", "params")}
    y, sr = soundfile.read(store.audio_path(int(facts["utterance"])), dtype="float32")
    first = math.floor(contents.utterances["start"][facts["utterance"]] * sr + 0.5)
    y = y[first : first + round(contents.column("duration")[row] * sr)]
    if sr != front_end.sr:
        y = soxr.resample(y, sr, front_end.sr, quality="HQ")
    utterance = trimmed(UtteranceAudio(y, 0.0, ""), front_end)
    y, length = utterance.y, front_end.segment_samples
    first = round((facts["start"] - utterance.offset) * front_end.sr)
    last = min(len(y), first + length)
    params = json.loads(facts["params"])
    rate = params.get("rate", 1.0)
    if last - first == length:  # as much speech as fills a segment at the new speed, from both sides
        size = min(len(y), math.ceil(length * rate))
        first = min(max(0, first - (size - length) // 2), len(y) - size)
        last = first + size
    before = min(first, front_end.sr // 4)
    y, kept = y[first - before : last + front_end.sr // 4], min(length, round((last - first) / rate))
    if facts["origin"] == "time_stretch":
        y = librosa.effects.time_stretch(y, rate=rate)
    elif facts["origin"] == "pitch_shift":
        y = librosa.effects.pitch_shift(y, sr=front_end.sr, n_steps=params["n_steps"], res_type="soxr_hq")
    elif facts["origin"] == "speed":
        y = soxr.resample(y, rate, 1.0, quality="HQ")
    else:
        noise, sr = soundfile.read(noise_dir / params["noise"], dtype="float32")
        first = math.floor(params["noise_start"] * sr + 0.5)
        noise = noise[first : first + math.floor(len(y) / front_end.sr * sr + 0.5)]
        noise = noise if sr == front_end.sr else soxr.resample(noise, sr, front_end.sr, quality="HQ")
        noise = np.resize(noise, len(y))
        y = y + noise * np.sqrt(loudness(y) / loudness(noise) * 10 ** (-params["snr_db"] / 10))
    y = y[round(before / rate) :][:kept]
    y = np.pad(y, (0, length - len(y))) if front_end.pad == "silence" else np.resize(y, length)
    mel = librosa.feature.melspectrogram(
        y=y.astype(np.float64),
        sr=front_end.sr,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
        n_mels=front_end.n_mels,
        pad_mode="constant",
    )
    picture = np.full(store.shape, -100.0)
    picture[:, : mel.shape[1]] = 10 * np.log10(np.maximum(mel, 1e-10))[:, : picture.shape[1]]
    return picture


# One row in, one row out


def test_no_class_is_recognisable_by_its_altered_rows(tiny_store: Path, sar: Path) -> None:
    sizes = Counter(open_store(tiny_store).contents.emotion.tolist())
    most, least = max(sizes.values()), min(sizes.values())
    assert least < sorted(sizes.values())[1] < most
    assert shares(open_store(sar)) == dict.fromkeys(sizes, (least, most - least))


@pytest.mark.parametrize("strategy", TABLE_1, ids=lambda strategy: strategy.name)
def test_every_strategy_of_table_1(strategy: Strategy, tiny_store: Path, noise: NoiseFolder, tmp_path: Path) -> None:
    store = augment(tiny_store, tmp_path / "x.h5", strategy, noise=noise)
    sizes = Counter(open_store(tiny_store).contents.emotion.tolist())
    most, least = max(sizes.values()), min(sizes.values())
    replaced = {
        "none": dict.fromkeys(sizes, 0),
        "all": {name: n - least for name, n in sizes.items()},
        "majority": {name: most - least if n == most else 0 for name, n in sizes.items()},
    }[strategy.replace]
    segments = store.contents.segments
    for name, n in sizes.items():
        origins = Counter(segments["origin"][store.contents.emotion == name].tolist())
        assert origins.total() == most
        assert origins.pop("real") == n - replaced[name]
        assert set(origins) <= set(strategy.transforms)
    assert set(segments["origin"]) == {"real", *strategy.transforms}
    # Replaced rows stand where their sources stood, in a class that is replaced; all others are added behind.
    n = len(open_store(tiny_store))
    assert (segments["origin"][:n] != "real").sum() == sum(replaced.values())
    assert (segments["origin"][n:] != "real").all()


@pytest.mark.parametrize("strategy", CITED, ids=lambda strategy: strategy.name)
def test_every_strategy_of_the_works_cited(strategy: Strategy, tiny_store: Path, tmp_path: Path) -> None:
    select_store(tiny_store, tmp_path / "some.h5", Selection(where=(parse_condition("speaker=02,05"),)))
    once, again, other = (
        augment(tmp_path / "some.h5", tmp_path / f"{name}.h5", strategy, **options)
        for name, options in {"once": {}, "again": {"jobs": 2}, "other": {"seed": 1}}.items()
    )
    assert once.path.read_bytes() == again.path.read_bytes()
    sizes = Counter(open_store(tmp_path / "some.h5").contents.emotion.tolist())
    assert set(Counter(once.contents.emotion.tolist()).values()) == {max(sizes.values())}
    segments, other_segments = once.contents.segments, other.contents.segments
    made = segments["origin"] != "real"
    assert set(segments["origin"][made]) == {"chained" if strategy.in_a_row > 1 else strategy.transforms[0]}
    assert made.sum() == sum(max(sizes.values()) - n for n in sizes.values()) > 4
    assert np.isfinite(read_all(once)).all()
    assert set(segments["digest"][made]) != set(other_segments["digest"][made])


def test_rows_of_a_chain_go_through_its_transforms_one_after_the_other(tiny_store: Path, tmp_path: Path) -> None:
    strategy = adjusted(STRATEGIES["RA"], in_a_row=3, magnitude=8)
    store = augment(tiny_store, tmp_path / "ra.h5", strategy)
    segments = store.contents.segments
    seen: Counter[str] = Counter()
    for text in segments["params"][segments["origin"] == "chained"]:
        chain = json.loads(text)["chain"]
        assert len(chain) == 3
        for step in chain:
            seen[step["transform"]] += 1
            assert step.get("snr_db", 8.0) == 8.0
            assert abs(step.get("n_steps", 3.2)) == 3.2
    assert set(seen) == set(STRATEGIES["RA"].transforms)
    said = json.loads(store.contents.history[-1])["options"]
    assert said == {"strategy": "RA", "in_a_row": 3, "magnitude": 8}


def test_a_chain_of_one_transform_is_that_transform(tiny_store: Path, tmp_path: Path) -> None:
    one = adjusted(STRATEGIES["RA"], among="speed", in_a_row=1, magnitude=10)
    store = augment(tiny_store, tmp_path / "one.h5", one)
    rows = np.flatnonzero(store.contents.segments["origin"] == "speed")
    assert len(rows) > 10
    assert {json.loads(store.contents.segments["params"][row])["rate"] for row in rows} == {1.2, 0.8333}
    for row in rows[:5]:
        np.testing.assert_allclose(store.rows([row])[0], by_hand(store, row), rtol=0, atol=1e-3)
    # Two stretches that undo each other leave as much as there was.
    two = dataclasses.replace(one, transforms=("time_stretch",), in_a_row=2)
    store = augment(tiny_store, tmp_path / "two.h5", two)
    for row in np.flatnonzero(store.contents.segments["origin"] == "chained"):
        rates = [step["rate"] for step in json.loads(store.contents.segments["params"][row])["chain"]]
        n, at = (round(store.contents.column(name)[row] * SR) for name in ("duration", "start"))
        rate = rates[0] * rates[1]
        enough = min(n, math.ceil(rate * SR)) if n - at >= SR else n - at
        assert store.contents.segments["n_valid_frames"][row] == valid_frames(min(SR, round(enough / rate)), TINY)


def test_a_strategy_of_ones_own_is_looked_through() -> None:
    with pytest.raises(UsageError, match=r"strategy OWN: 'noise': no such transform; .*gaussian_noise"):
        Strategy(name="OWN", transforms=("noise",))
    with pytest.raises(UsageError, match=r"strategy OWN: 'copied' is no transform to go through"):
        Strategy(name="OWN", transforms=("copied", "speed"), in_a_row=2)


def test_a_strategy_draws_from_the_transforms_that_are_asked_for(tiny_store: Path, tmp_path: Path) -> None:
    wide = adjusted(STRATEGIES["SA"], among="pitch_shift,speed,vocal_tract,frequency_filter,speed")
    assert wide.transforms == ("pitch_shift", "speed", "vocal_tract", "frequency_filter")
    store = augment(tiny_store, tmp_path / "wide.h5", wide)
    assert set(store.contents.segments["origin"]) == {"real", *wide.transforms}
    assert options_of(wide) == {"strategy": "SA", "among": "pitch_shift,speed,vocal_tract,frequency_filter"}
    assert options_of(STRATEGIES["RA"]) == {"strategy": "RA"}


def test_a_new_row_says_what_it_was_made_of(tiny_store: Path, sar: Path) -> None:
    before, after = open_store(tiny_store).contents, open_store(sar).contents
    row_of = {digest: row for row, digest in enumerate(before.segments["digest"].tolist())}
    for row in range(len(after)):
        facts = {name: after.segments[name][row] for name in after.segments}
        if facts["origin"] == "real":
            assert (facts["parent"], facts["params"]) == ("", "")
            source = row_of[facts["digest"]]
        else:
            source = row_of[facts["parent"]]
            assert sorted(json.loads(facts["params"])) == KEYS[facts["origin"]]
            assert facts["digest"] not in row_of
        for name in ("id", "path", "start", "emotion", "speaker", "session", "gender"):
            assert after.column(name)[row] == before.column(name)[source]
    assert set(after.segments["origin"]) == {"real", *OF_THE_PAPER}


def test_full_rows_stay_full(tiny_store: Path, tmp_path: Path) -> None:
    """Where the utterance has enough speech; a padded row has as much as a stretch makes of it."""
    store = augment(tiny_store, tmp_path / "ts.h5", only("time_stretch"))
    contents, full = store.contents, valid_frames(SR, TINY)
    seen = set()
    for row in np.flatnonzero(contents.segments["origin"] == "time_stretch"):
        rate = json.loads(contents.segments["params"][row])["rate"]
        n, at = (round(contents.column(name)[row] * SR) for name in ("duration", "start"))
        enough = min(n, math.ceil(rate * SR)) if n - at >= SR else n - at
        made = min(SR, round(enough / rate))
        assert contents.segments["n_valid_frames"][row] == valid_frames(made, TINY)
        assert (store.rows([row])[0, :, valid_frames(made, TINY) + 1 :] == -100).all()
        seen.add((made == SR, rate > 1, n - at >= SR))
    assert {(True, True, True), (True, False, True), (False, True, False), (False, False, False)} <= seen
    assert full == 31


@pytest.mark.parametrize("origin", ["time_stretch", "pitch_shift", "background_noise"])
def test_the_same_rows_by_hand(origin: str, sar: Path, noise_dir: Path) -> None:
    store = open_store(sar)
    rows = np.flatnonzero(store.contents.segments["origin"] == origin)
    assert len(rows) > 10
    for row in rows[:10]:
        np.testing.assert_allclose(store.rows([row])[0], by_hand(store, row, noise_dir), rtol=0, atol=1e-3)


@pytest.mark.parametrize("origin", ["gaussian_noise", "background_noise"])
def test_noise_in_a_picture_has_the_level_that_is_recorded(
    origin: str, noise: NoiseFolder, tmp_path: Path, rng: np.random.Generator
) -> None:
    """A tone of half a second in silence: above it, a picture shows the noise alone."""
    y = np.zeros(SR)
    y[4000:12_000] = 0.3 * np.sin(2 * np.pi * 220 * np.arange(8000) / SR)
    store = corpus(tmp_path, {f"{e}/{i}": y for e, n in (("happy", 12), ("sad", 1)) for i in range(n)}, TINY)
    store = augment(store.path, tmp_path / "noisy.h5", only(origin), noise=noise)
    filters = librosa.filters.mel(sr=SR, n_fft=TINY.n_fft, n_mels=TINY.n_mels)[16:]
    window = librosa.filters.get_window("hann", TINY.n_fft)
    rows = np.flatnonzero(store.contents.segments["origin"] == origin)
    for row in rows:
        power = 10 ** (store.rows([row])[0, 16:, 2:28].astype(np.float64) / 10)
        per_sample = (power / filters.sum(axis=1, keepdims=True)).mean() / (window**2).sum()
        found = 10 * np.log10(0.3**2 / 2 / per_sample)
        assert found == pytest.approx(json.loads(store.contents.segments["params"][row])["snr_db"], abs=1.0)
    assert len(rows) == 22
    # Drawn anew for each.
    assert len(set(store.contents.segments["digest"][rows])) == 22


def test_the_transforms_of_sa_occur_about_equally_often(rng: np.random.Generator, tmp_path: Path) -> None:
    emotions = ["happy"] * 900 + ["sad"] * 100
    path = write_rows(tmp_path / "s.h5", rng.uniform(-90, 0, (1000, 32, 32)).astype(np.float32), emotions)
    for name in ("SA", "SARS"):
        strategy = STRATEGIES[name]
        rows = _lay_out(open_store(path), plan_rows(emotions, strategy, 0), strategy, 0)
        times = Counter(rows.origin[rows.origin != ""].tolist())
        expected = times.total() / len(strategy.transforms)
        assert set(times) == set(strategy.transforms)
        assert all(abs(n - expected) < 4 * math.sqrt(expected) for n in times.values())
        assert len(set(rows.entropy.values())) == times.total() == (800 if name == "SA" else 1600)


# All kinds of stores


def corpus(
    folder: Path, signals: dict[str, np.ndarray], front_end: FrontEnd, sr: int = SR, spans: tuple = ()
) -> Store:
    """Extract ``emotion/name`` → samples; each `spans` of a signal is an utterance of its own."""
    rows = []
    for name, y in signals.items():
        (folder / "wavs" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "wavs" / f"{name}.wav", y, sr, subtype="PCM_16")
        for start, end in spans or [("", "")]:
            rows.append([f"{name}.wav", name.partition("/")[0], "01", start, end])
    with (folder / "wavs" / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "emotion", "speaker", "start", "end"], *rows])
    listing = list_recordings([str(folder / "wavs" / "labels.csv")], None, sys.stdin)
    with warnings.catch_warnings():
        # Copies and silence are meant here.
        warnings.filterwarnings("ignore", ".*recordings (is|are) ", SertoolsWarning)
        for _ in extract(listing, folder / "corpus.h5", front_end):
            pass
    return open_store(folder / "corpus.h5")


def speech(seed: int, seconds: float, sr: int = SR, silence: float = 0.0) -> np.ndarray:
    y = librosa.resample(tone(np.random.default_rng(seed), 120, seconds), orig_sr=SR, target_sr=sr)
    return np.pad(y, round(silence * sr))


# Ends that are half a sample at 44.1 and 22.05 kHz.
SPANS = ((0.005, 1.239), (0.01, 2.51), (4.005, 4.405))


@pytest.mark.parametrize(
    ("options", "sr", "spans"),
    [
        ({}, 48_000, ()),
        ({"tail": "overlap"}, SR, ()),
        ({"pad": "loop"}, SR, ()),
        ({"min_tail_seconds": 0.9}, SR, ()),
        ({"trim_db": 35.0}, SR, ()),
        ({"trim_db": 35.0, "tail": "overlap"}, 44_100, SPANS),
        ({}, SR, SPANS),
        ({}, 44_100, SPANS),
        ({}, 22_050, SPANS),
    ],
)
def test_rows_are_made_from_their_own_stretch_of_audio(
    options: dict, sr: int, spans: tuple, noise: NoiseFolder, noise_dir: Path, tmp_path: Path
) -> None:
    signals = {
        f"{emotion}/{i}": speech(i, 4.5 if spans else 0.7 * (i + 1), sr, 0.4)
        for emotion, n in (("happy", 5), ("sad", 1))
        for i in range(n)
    }
    store = corpus(tmp_path, signals, dataclasses.replace(TINY, **options), sr, spans)
    strategy = only("time_stretch", "pitch_shift", "background_noise", "speed")
    store = augment(store.path, tmp_path / "x.h5", strategy, noise=noise)
    least, altered = shares(store)["happy"]
    assert shares(store)["sad"] == (least, altered)
    assert altered >= 8
    for row in np.flatnonzero(np.isin(store.contents.segments["origin"], ALTERED)):
        np.testing.assert_allclose(store.rows([row])[0], by_hand(store, row, noise_dir), rtol=0, atol=1e-3)


@pytest.mark.parametrize("seconds", [3 / 48_000, 3 / SR, 0.05])
@pytest.mark.parametrize("name", ALTERED)
def test_very_short_audio(name: str, seconds: float, noise: NoiseFolder, tmp_path: Path) -> None:
    """No warning either: they are errors here."""
    sr = 48_000 if seconds < 1e-4 else SR
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (5, round(seconds * sr)))
    signals = {f"{'sad' if i else 'happy'}/{i}": y for i, y in enumerate(samples)}
    store = augment(corpus(tmp_path, signals, TINY, sr).path, tmp_path / "x.h5", only(name), noise=noise)
    assert shares(store) == {"happy": (1, 3), "sad": (1, 3)}
    assert np.isfinite(read_all(store)).all()
    assert store.contents.segments["n_valid_frames"].max() <= 3
    assert (read_all(store)[:, :, 6:] == -100).all()


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("beside", [0.0, 1.0])
def test_silence_stays_silence(name: str, beside: float, noise: NoiseFolder, tmp_path: Path) -> None:
    """A silent recording, and a silent stretch of one that is not."""
    y = np.zeros(4 * SR)
    y[: round(beside * SR)] = 0.1
    y[: round(beside * SR) : 3] = -0.1
    store = corpus(tmp_path, {f"{e}/{i}": y for e, n in (("happy", 3), ("sad", 1)) for i in range(n)}, TINY)
    store = augment(store.path, tmp_path / "x.h5", only(name), noise=noise)
    segments = store.contents.segments
    late = segments["start"] >= 2
    altered = segments["origin"] == name
    assert (late & altered).sum() > 6
    assert (read_all(store)[late] == -100).all()
    assert (segments["n_valid_frames"][late & altered & (segments["start"] < 3)] == 31).all()
    if beside:
        assert (read_all(store)[~late & altered].max(axis=(1, 2)) > -60).any()


# The same, whatever else is made


def test_the_seed_fixes_the_bytes(tiny_store: Path, noise: NoiseFolder, tmp_path: Path) -> None:
    select_store(tiny_store, tmp_path / "some.h5", Selection(where=(parse_condition("speaker=02,05"),)))
    runs = {"once": {}, "again": {"jobs": 2}, "other": {"seed": 1}}
    once, again, other = (
        augment(tmp_path / "some.h5", tmp_path / f"{name}.h5", noise=noise, **options)
        for name, options in runs.items()
    )
    assert once.path.read_bytes() == again.path.read_bytes()
    assert len(made_rows(once)) > 8  # or no second process is started
    first, second = (set(store.contents.segments["digest"].tolist()) for store in (once, other))
    assert len(first & second) < len(first) / 2


def made_rows(store: Store) -> dict[tuple, list[tuple]]:
    """Source row → its altered versions, in order."""
    made = defaultdict(list)
    contents = store.contents
    for row in np.flatnonzero(np.isin(contents.segments["origin"], ALTERED)):
        source = (contents.column("id")[row], float(contents.segments["start"][row]))
        made[source].append(tuple(contents.segments[name][row] for name in ("origin", "params", "parent", "digest")))
    return made


def test_a_row_does_not_depend_on_the_others(tiny_store: Path, sar: Path, noise: NoiseFolder, tmp_path: Path) -> None:
    select_store(tiny_store, tmp_path / "some.h5", Selection(where=(parse_condition("speaker=01,03,04"),)))
    some, whole = made_rows(augment(tmp_path / "some.h5", tmp_path / "x.h5", noise=noise)), made_rows(open_store(sar))
    common = some.keys() & whole.keys()
    assert len(common) > 15
    for source in common:
        n = min(len(some[source]), len(whole[source]))
        assert some[source][:n] == whole[source][:n]
    # Further rows of one source are drawn anew.
    several = [rows for rows in whole.values() if len(rows) > 1]
    assert len(several) > 10
    assert sum(len(set(rows)) == len(rows) for rows in several) > 0.8 * len(several)


def test_noise_that_is_not_used_changes_nothing(tiny_store: Path, noise: NoiseFolder, tmp_path: Path) -> None:
    for name, given in (("with", noise), ("without", None)):
        augment(tiny_store, tmp_path / f"{name}.h5", STRATEGIES["CP"], noise=given)
    assert (tmp_path / "with.h5").read_bytes() == (tmp_path / "without.h5").read_bytes()


def test_noise_of_any_name(tiny_store: Path, noise_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "noise").mkdir()
    shutil.copy(noise_dir / "rain.wav", tmp_path / "noise" / 'a "\udcff\n.wav')
    store = augment(tiny_store, tmp_path / "x.h5", STRATEGIES["SARB"], noise=open_noise(tmp_path / "noise", 1.0))
    params = store.contents.segments["params"][store.contents.segments["origin"] == "background_noise"]
    assert {unescape_name(json.loads(text)["noise"]) for text in params} == {'a "\udcff\n.wav'}


def test_what_the_history_says(tiny_store: Path, sar: Path, noise: NoiseFolder, noise_dir: Path) -> None:
    before, after = open_store(tiny_store).contents, open_store(sar).contents
    assert after.history[:-1] == before.history
    line = json.loads(after.history[-1])
    assert (line["verb"], line["options"], line["seed"]) == ("augment", {"strategy": "SAR"}, 0)
    assert line["inputs"] == {"store": before.digest(), "noise": noise.digest()}
    assert after.lineage.trained_on == set(before.utterances["digest"].tolist())
    content = sar.read_bytes()
    for path in (noise_dir, tiny_store.parent):
        assert os.fsencode(path) not in content


def test_rows_wait_on_the_disk(tiny_store: Path, noise: NoiseFolder, tmp_path: Path) -> None:
    steps = augment_store(tiny_store, tmp_path / "x.h5", STRATEGIES["SAR"], noise=noise)
    row_bytes, sizes = 32 * 32 * 4, []
    for step in steps:
        if step.done > 20:
            [spool] = tmp_path.iterdir()
            # Less what a file buffers.
            assert spool.stat().st_size >= (step.done - 4) * row_bytes
            sizes.append(spool.stat().st_size)
        if step.done > 40:
            break
    assert len(sizes) > 3
    # Stopped half-way, it leaves nothing.
    steps.close()
    assert not list(tmp_path.iterdir())
