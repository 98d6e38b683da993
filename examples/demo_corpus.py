"""Speak a small emotional speech corpus, to try sertools without a corpus of one's own.

``python examples/demo_corpus.py OUT_DIR`` writes ``OUT_DIR/<emotion>/<speaker>_<sentence>_<take>.wav``
(mono, 16 bit, 22.05 kHz) and ``OUT_DIR/labels.csv``, whose files are relative to itself: 12 synthetic
voices, six of each gender, speak 6 sentences in 4 emotions and 2 takes, 576 files of 1.5 to 4 s. Two
voices, a woman's and a man's, make a session.

An emotion is a tendency in rate, pitch, pitch range and loudness (anger fast, loud and high; sadness
slow, soft, low and flat). Speakers and takes scatter around it so widely that the classes overlap, as in
real corpora: with two speakers held out at a time, logistic regression reaches a UAR of 0.68 on mean and
spread of a log-mel spectrogram, and 0.75 if it is given pitch and duration too. Toy data: good for trying
the tools, not for claims about speech.

The voices are eSpeak NG's, from the wheel ``espeakng-loader`` (``pip install 'sertools[demo]'``). That is
under the GPL-3, unlike sertools, and nothing else in sertools uses it. The same options and the same wheel
give the same bytes.
"""

import argparse
import ctypes
import importlib
import os
import random
import shutil
import sys
import wave
from collections.abc import Iterator
from operator import add
from pathlib import Path
from typing import NamedTuple

from sertools.corpora.table import Recording, write_labels
from sertools.errors import SertoolsError

# Accent + timbre make a speaker.
VOICES = (
    ("f1", "female", "en-us+f1"),
    ("m1", "male", "en-us+m1"),
    ("f2", "female", "en-gb-x-rp+f2"),
    ("m2", "male", "en-us+m3"),
    ("f3", "female", "en-gb-scotland+f3"),
    ("m3", "male", "en-gb-scotland+m4"),
    ("f4", "female", "en-029+f4"),
    ("m4", "male", "en-gb-x-rp+m5"),
    ("f5", "female", "en-us+f5"),
    ("m5", "male", "en-029+m6"),
    ("f6", "female", "en-us+Annie"),
    ("m6", "male", "en-us+m7"),
)

# Without an emotion of their own, as actors' corpora have them.
SENTENCES = (
    "The train to the city leaves at half past seven.",
    "Your keys are lying on the kitchen table.",
    "We will talk about the letter tomorrow evening.",
    "They have painted the wall of the house white.",
    "The meeting was moved to the second floor.",
    "My brother bought some apples at the market.",
)


class Prosody(NamedTuple):
    """How something is said, in eSpeak's units."""

    rate: float  # words a minute
    pitch: float  # 0 to 100
    pitch_range: float  # 0 (monotone) to 100
    volume: float  # 0 to 200


EMOTIONS = {
    "angry": Prosody(rate=196, pitch=58, pitch_range=60, volume=124),
    "happy": Prosody(rate=180, pitch=78, pitch_range=90, volume=98),
    "neutral": Prosody(rate=162, pitch=44, pitch_range=40, volume=86),
    "sad": Prosody(rate=138, pitch=32, pitch_range=14, volume=56),
}
# Standard deviations: what a voice is like at all times, and how its takes differ.
SPEAKER_SPREAD = Prosody(rate=4, pitch=4, pitch_range=4, volume=5)
TAKE_SPREAD = Prosody(rate=11, pitch=8, pitch_range=11, volume=10)
# Keeps the words clear, and every utterance between 1.5 and 4 s.
LOWEST = Prosody(rate=125, pitch=10, pitch_range=0, volume=40)
HIGHEST = Prosody(rate=220, pitch=95, pitch_range=100, volume=130)


class DemoError(SertoolsError):
    """The demo corpus cannot be spoken."""


class Speech:
    """eSpeak NG through its C interface (``speak_lib.h``); one instance a process."""

    _SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
    _RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

    def __init__(self) -> None:
        try:
            loader = importlib.import_module("espeakng_loader")
            self._library = ctypes.CDLL(loader.get_library_path())
            data = loader.get_data_path()
        except ImportError as error:
            raise DemoError("espeakng-loader is missing; pip install 'sertools[demo]'") from error
        except (OSError, RuntimeError) as error:
            raise DemoError(
                f"espeakng-loader is damaged ({error}); pip install --force-reinstall espeakng-loader"
            ) from error
        self.sample_rate: int = self._library.espeak_Initialize(
            self._SYNCHRONOUS, 0, os.fsencode(data), self._DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise DemoError(f"{data}: eSpeak NG cannot use this data folder; try a venv with a shorter path")
        # Breathy voices add noise, which eSpeak seeds with the time of day.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._pcm = bytearray()
        pointer = ctypes.POINTER(ctypes.c_short)
        callback = ctypes.CFUNCTYPE(ctypes.c_int, pointer, ctypes.c_int, ctypes.c_void_p)
        self._callback = callback(self._collect)  # C holds no reference of its own
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_short]", n_samples: int, _events: object) -> int:
        if samples and n_samples > 0:
            self._pcm += ctypes.string_at(samples, 2 * n_samples)
        return 0

    def say(self, text: str, voice: str, prosody: Prosody) -> bytes:
        """Speak a text.

        Returns
        -------
        bytes
            16-bit mono samples in the machine's byte order, at `sample_rate`.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DemoError(f"{voice}: eSpeak NG has no such voice; pip install 'espeakng-loader>=0.2.4'")
        for parameter, value in (
            (self._RATE, prosody.rate),
            (self._VOLUME, prosody.volume),
            (self._PITCH, prosody.pitch),
            (self._RANGE, prosody.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, round(value), 0)
        self._pcm.clear()
        raw = text.encode() + b"\0"
        self._library.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, 1, 0, self._UTF8, None, None)
        if not self._pcm:
            raise DemoError(f"{voice}: eSpeak NG spoke nothing; pip install --force-reinstall espeakng-loader")
        return bytes(self._pcm)


def scatter(centre: Prosody, spread: Prosody, rng: random.Random) -> Prosody:
    """Draw a prosody around another, each part normally distributed."""
    return Prosody(*map(rng.gauss, centre, spread))


def limit(prosody: Prosody) -> Prosody:
    """Move what is out of bounds to the bounds."""
    return Prosody(*map(min, map(max, prosody, LOWEST), HIGHEST))


def speak_corpus(folder: Path, n_speakers: int, n_takes: int, seed: int) -> Iterator[Recording]:
    """Write the wavs of all speakers, sentences, takes and emotions; yield each as it is written."""
    speech = Speech()
    for emotion in EMOTIONS:
        (folder / emotion).mkdir()
    for number, (speaker, gender, voice) in enumerate(VOICES[:n_speakers]):
        # A stream of its own, so that the draws of a speaker do not depend on how many others speak.
        rng = random.Random(f"{seed} {speaker}")
        habit = scatter(Prosody(0, 0, 0, 0), SPEAKER_SPREAD, rng)
        for take in range(1, n_takes + 1):
            for emotion, tendency in EMOTIONS.items():
                own = Prosody(*map(add, tendency, habit))
                for sentence, text in enumerate(SENTENCES, start=1):
                    samples = speech.say(text, voice, limit(scatter(own, TAKE_SPREAD, rng)))
                    name = f"{emotion}/{speaker}_s{sentence}_t{take}.wav"
                    with wave.open(str(folder / name), "wb") as file:
                        file.setnchannels(1)
                        file.setsampwidth(2)
                        file.setframerate(speech.sample_rate)
                        file.writeframes(samples)
                    yield Recording(name, emotion, speaker, str(number // 2 + 1), gender)


def make_corpus(out: Path, n_speakers: int, n_takes: int, seed: int) -> int:
    """Speak the corpus beside `out` and rename it when complete; return its number of files."""
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DemoError(f"{out}: exists already; remove it or name another folder")
    partial = out.with_name(f"{out.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        recordings = list(speak_corpus(partial, n_speakers, n_takes, seed))
        recordings.sort(key=lambda recording: recording.file)
        with open(partial / "labels.csv", "w", encoding="utf-8", newline="") as stream:
            write_labels(recordings, stream)
        partial.replace(out)
    except OSError as error:
        raise DemoError(f"{out}: cannot be written ({error.strerror}); name a folder you may write") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(recordings)


def main() -> int:
    description, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="folder to make")
    parser.add_argument(
        "--speakers", type=int, default=len(VOICES), metavar="N", help=f"1 to {len(VOICES)} (default: all)"
    )
    parser.add_argument("--takes", type=int, default=2, metavar="N", help="of each sentence (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the scatter (default: 0)")
    options = parser.parse_args()
    if not 1 <= options.speakers <= len(VOICES):
        parser.error(f"--speakers is {options.speakers}; choose 1 to {len(VOICES)}")
    if options.takes < 1:
        parser.error(f"--takes is {options.takes}; choose 1 or more")
    try:
        n_files = make_corpus(options.out_dir, options.speakers, options.takes, options.seed)
    except DemoError as error:
        print(f"demo_corpus: {error}", file=sys.stderr)
        return error.exit_code
    print(f"demo_corpus: {options.out_dir}: {n_files} files, labels.csv", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
