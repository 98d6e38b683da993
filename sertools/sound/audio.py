"""Decode, resample, cut: from an audio file to the samples of fixed-size segments (§3.2).

Conventions
-----------
``y`` is mono float32 in [-1, 1]; times are seconds from the start of the file. Short utterances and tails are
never lost: the last piece of an utterance is padded (``tail="pad"``) or moved back to end at the end
(``tail="overlap"``).
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from sertools.arrays import Waveform
from sertools.config import FrontEnd
from sertools.encoding import Encoding, RowSource
from sertools.errors import AudioError
from sertools.provenance import digest_bytes
from sertools.sound.activity import speech_span

_LFS_MARK = b"version https://git-lfs"
_LONGEST_HOURS = 24.0
_TRIM_MARGIN_SECONDS = 0.1
# The file is not at fault: it would be lost if it were skipped.
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
# Labels and headers are rounded, so this much may be missing at the end.
_SLACK_SECONDS = 0.05
# Full scale is 1, and integers kept as floats reach 2**31; beyond that the power of a spectrum leaves float32.
_LOUDEST = 1e10
_LEAST_POWER = 1e-12
# What libsndfile notes of a chunk that ends after the file does; W64 and RF64 give the length of the whole file.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
# Where the length was not known when the header was written (a pipe), it is all ones, or nearly.
_UNKNOWN_LENGTH = 0x7F00_0000


@dataclass(frozen=True)
class UtteranceAudio:
    """The decoded samples of one utterance.

    Attributes
    ----------
    y
        Mono samples at the front end's rate [shape=(n,)].
    duration
        Seconds, at the file's own rate.
    digest
        Digest of the decoded mono samples at the file's own rate; empty for silent or constant audio, which has
        no identity to trace.
    offset
        Seconds that were trimmed before `y`.
    sr
        Rate of the file in Hz.
    peak
        Largest absolute sample of any channel; 1 is full scale.
    mixdown_db
        Power of the averaged channels over what that of unrelated channels would be: 3 for two equal ones, far below
        0 where they cancel each other; None of a file of one channel, or a silent one.
    """

    y: Waveform
    duration: float
    digest: str
    offset: float = 0.0
    sr: int = 0
    peak: float = 0.0
    mixdown_db: float | None = None


@dataclass(frozen=True)
class Piece:
    """One segment's place in its utterance, in samples."""

    start: int
    n_valid: int


def read_utterance(path: Path, sr: int, start: float | None = None, end: float | None = None) -> UtteranceAudio:
    """Decode a file, or the span from `start` to `end` seconds of it, to mono at `sr`.

    Channels are averaged; resampling is soxr HQ, librosa's default.

    Raises
    ------
    AudioError
        If the file is missing, empty, truncated, not audio, or holds samples that are NaN, infinite or far too large,
        or the span lies outside.
    """
    with _opened(path) as file:
        file_sr = int(file.samplerate)
        first, last = _span(path, file.frames, file_sr, start, end)
        file.seek(first)
        channels = file.read(last - first, dtype="float32", always_2d=True)
        missing = (last - first - len(channels)) / file_sr
    if missing > _SLACK_SECONDS and len(channels) and _knows_its_length(path, file.format):
        raise AudioError(f"{path}: truncated or damaged: {missing:.3g} s of it cannot be decoded")
    if channels.size == 0:
        raise AudioError(f"{path}: holds no samples")
    low, high = float(channels.min()), float(channels.max())
    # Where one sample is NaN, so are the least and the largest.
    if not (math.isfinite(low) and math.isfinite(high)):
        raise AudioError(f"{path}: holds NaN or infinite samples")
    loudest = max(-low, high)
    if loudest > _LOUDEST:
        raise AudioError(f"{path}: holds samples of {loudest:.3g}, where 1 is full scale; correct the file")
    y = np.ascontiguousarray(channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1))
    # A signal that never changes says nothing: two silences are not the same utterance.
    constant = low == high if channels.shape[1] == 1 else float(np.ptp(y)) == 0.0
    digest = "" if constant else digest_bytes(str(file_sr).encode(), y.data)
    y_at_sr = resampled(y, file_sr, sr)
    if y_at_sr.size == 0:
        raise AudioError(f"{path}: too short to resample to {sr} Hz")
    return UtteranceAudio(
        y_at_sr, y.size / file_sr, digest, sr=file_sr, peak=loudest, mixdown_db=_mixdown_db(channels, y)
    )


def resampled(y: Waveform, before: int, after: int) -> Waveform:
    """Give samples of the rate `before` at the rate `after`, both in Hz; at the same one they stay as they are."""
    return y if before == after else soxr.resample(y, before, after, quality="HQ").astype(np.float32, copy=False)


def _mixdown_db(channels: Waveform, y: Waveform) -> float | None:
    n_channels = channels.shape[1]
    power = float(np.vdot(channels, channels)) / n_channels**2 if n_channels > 1 else 0.0
    return 10.0 * math.log10(max(float(np.vdot(y, y)) / power, _LEAST_POWER)) if power else None


def read_duration(path: Path) -> float:
    """Duration of a file in seconds, by its header.

    Raises
    ------
    AudioError
        If the file is missing, empty or not audio.
    """
    with _opened(path) as file:
        if file.frames <= 0:
            raise AudioError(f"{path}: holds no samples")
        return float(file.frames / file.samplerate)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a file for reading; whatever goes wrong with it is an `AudioError`."""
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder, not an audio file")
        if not path.is_file():
            absent = "a link to nothing" if path.is_symlink() else "no such file"
            raise AudioError(f"{path}: {'not a regular file' if path.exists() else absent}")
        # As bytes: soundfile cannot encode names that are not UTF-8.
        with soundfile.SoundFile(os.fsencode(path)) as file:
            if file.frames / file.samplerate > _LONGEST_HOURS * 3600:
                raise AudioError(f"{path}: longer than {_LONGEST_HOURS:g} hours; cut it, or correct its header")
            _refuse_truncated(path, file)
            yield file
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise AudioError(f"{path}: {_why_unreadable(path, error)}") from error
    except OSError as error:
        if error.errno in _SHORTAGES:
            raise
        raise AudioError(f"{path}: {error.strerror or error}") from error


def _refuse_truncated(path: Path, file: soundfile.SoundFile) -> None:
    """Refuse a file that is shorter than its header says; libsndfile reads what is left and says nothing."""
    for promised, found in ((int(a), int(b)) for a, b in _CUT_SHORT.findall(file.extra_info)):
        seconds = (promised - found) / max(found, 1) * file.frames / file.samplerate
        if promised < _UNKNOWN_LENGTH and seconds > _SLACK_SECONDS:
            raise AudioError(f"{path}: truncated: {found} of {promised} bytes are there; copy it again")


def _knows_its_length(path: Path, kind: str) -> bool:
    """Whether the number of frames is more than a guess; an MP3 has it in a Xing or Info header, or not at all."""
    if kind not in ("MP3", "MPEG"):
        return True
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    return b"Xing" in head or b"Info" in head


def trimmed(utterance: UtteranceAudio, front_end: RowSource, sr: int | None = None) -> UtteranceAudio:
    """Leave out the silence before and after the speech, if the front end says so; `sr` where it is not its own."""
    if not front_end.trim_db:
        return utterance
    sr = sr or front_end.sr
    first, last = speech_span(utterance.y, sr, front_end.trim_db, _TRIM_MARGIN_SECONDS)
    return replace(utterance, y=utterance.y[first:last], offset=first / sr)


def _span(path: Path, n_frames: int, sr: int, start: float | None, end: float | None) -> tuple[int, int]:
    """Turn seconds into the first and the last sample, and refuse what lies outside the file."""
    # Half up, so that spans start alike wherever they lie. The end counts from the start: a span that is read again
    # by the duration that was stored of it is the same, whatever start and end were rounded to.
    first = 0 if start is None else math.floor(start * sr + 0.5)
    last = n_frames if end is None else first + math.floor((end - (start or 0.0)) * sr + 0.5)
    slack = math.ceil(_SLACK_SECONDS * sr)
    if first >= n_frames > 0 or last > n_frames + slack:
        raise AudioError(
            f"{path}: span {start or 0:g} to {n_frames / sr if end is None else end:g} s lies outside its "
            f"{n_frames / sr:g} s; correct start and end in the labels"
        )
    return first, min(last, n_frames)


def _why_unreadable(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as stream:
            head = stream.read(len(_LFS_MARK))
    except OSError as why:
        if why.errno in _SHORTAGES:
            raise
        return why.strerror or str(why)
    if not head:
        return "empty file"
    if head == _LFS_MARK:
        return "a Git LFS pointer, not audio; run `git lfs pull` where it came from"
    # libsndfile's own words, without the name that soundfile puts before them.
    reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
    if reason.startswith("File does not exist"):
        # It says so of text in a file whose suffix it trusts, such as .mp3; but the file exists.
        reason = "Format not recognised"
    return f"not readable as audio ({reason})"


def cut(n_samples: int, front_end: FrontEnd) -> list[Piece]:
    """Say where the segments of an utterance of `n_samples` start, and how much of each is real.

    With ``min_tail_seconds``, a last piece shorter than that joins the one before it, which then slides to end at
    the utterance's end.
    """
    length = front_end.segment_samples
    n_full, rest = divmod(n_samples, length)
    if n_full == 0:
        return [Piece(0, n_samples)]
    pieces = [Piece(i * length, length) for i in range(n_full)]
    if rest == 0:
        return pieces
    end_aligned = Piece(n_samples - length, length)
    if rest < front_end.min_tail_seconds * front_end.sr:
        return [*pieces[:-1], end_aligned]
    if front_end.tail == "overlap":
        return [*pieces, end_aligned]
    return [*pieces, Piece(n_full * length, rest)]


def cut_evenly(n_samples: int, encoding: Encoding) -> list[Piece]:
    """Say where the equal pieces of a recording start, each at most `segment_seconds` long."""
    n_pieces = math.ceil(n_samples / encoding.segment_samples)
    edges = [round(n_samples * number / n_pieces) for number in range(n_pieces + 1)]
    return [Piece(first, last - first) for first, last in itertools.pairwise(edges)]


def piece_samples(y: Waveform, piece: Piece, front_end: FrontEnd) -> Waveform:
    """Return the samples of one segment, padded to its full length [shape=(segment_samples,)]."""
    length = front_end.segment_samples
    valid = y[piece.start : piece.start + piece.n_valid]
    if valid.size == length:
        return valid
    if front_end.pad == "loop":
        return np.resize(valid, length)
    padded = np.zeros(length, dtype=np.float32)
    padded[: valid.size] = valid
    return padded
