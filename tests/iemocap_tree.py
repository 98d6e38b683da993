"""The layout of IEMOCAP at full size: its names, label files and counts, over one file of silence."""

import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

# angry, happiness and excitement, neutral, sad: as counted from EmoBox's list of the corpus.
FOUR_CLASSES = {
    1: {"ang": 229, "hap+exc": 278, "neu": 384, "sad": 194},
    2: {"ang": 137, "hap+exc": 327, "neu": 362, "sad": 197},
    3: {"ang": 240, "hap+exc": 286, "neu": 320, "sad": 305},
    4: {"ang": 327, "hap+exc": 303, "neu": 258, "sad": 143},
    5: {"ang": 170, "hap+exc": 442, "neu": 384, "sad": 245},
}
# How they are spread over sessions is not published; that their sums are, is all that matters here.
HAPPINESS = {1: 132, 2: 117, 3: 135, 4: 65, 5: 146}
OTHERS = {"xxx": 2507, "fru": 1849, "sur": 107, "fea": 40, "oth": 3, "dis": 2}
N_UTTERANCES, N_FEMALE, N_SCRIPTED = 10039, 4941, 5255

# The letter at the end makes the turn's letter stand one further than elsewhere.
LETTERED = {
    3: ["Ses03M_impro05a", "Ses03M_impro05b", "Ses03M_impro08a", "Ses03M_impro08b"],
    5: ["Ses05M_script01_1b"],
}
N_LETTERED_WOMEN = 65

SCRIPTS = ["script01_1", "script01_2", "script01_3", "script02_1", "script02_2", "script03_1", "script03_2"]


def codes(session: int) -> list[str]:
    """Emotion codes of a session, the four classes first."""
    four = FOUR_CLASSES[session]
    counts = {
        "ang": four["ang"],
        "hap": HAPPINESS[session],
        "exc": four["hap+exc"] - HAPPINESS[session],
        "neu": four["neu"],
        "sad": four["sad"],
        **{code: n // 5 + (session <= n % 5) for code, n in OTHERS.items()},
    }
    return [code for code, n in counts.items() for _ in range(n)]


def utterances(session: int) -> Iterator[tuple[str, str, str]]:
    """Dialog, turn and emotion code of each utterance of a session."""
    rows = codes(session)
    lettered = LETTERED.get(session, [])
    dialogs = {
        "script": [f"Ses0{session}{sex}_{script}" for script in SCRIPTS for sex in "FM"],
        "impro": [f"Ses0{session}{sex}_impro0{n}" for n in range(1, 8) for sex in "FM"],
    }
    turns: dict[str, int] = defaultdict(int)
    women, scripted = _shares(session, len(rows))
    for index, code in enumerate(rows):
        if index < 13 * len(lettered):  # of the four classes
            dialog, letter = lettered[index % len(lettered)], "F"
        else:
            kind = "script" if scripted > 0 else "impro"
            dialog = dialogs[kind][index % len(dialogs[kind])]
            letter = "F" if women > 0 else "M"
        women -= letter == "F"
        scripted -= "script" in dialog
        yield dialog, f"{letter}{turns[dialog]:03d}", code
        turns[dialog] += 1


def _shares(session: int, n: int) -> tuple[int, int]:
    """Women's and scripted utterances of a session; the last takes what is left of the published sums."""
    if session < 5:
        return n * N_FEMALE // N_UTTERANCES, n * N_SCRIPTED // N_UTTERANCES
    before = [_shares(other, len(codes(other))) for other in range(1, 5)]
    return N_FEMALE - sum(women for women, _ in before), N_SCRIPTED - sum(scripted for _, scripted in before)


def build(root: Path, sessions: Iterable[int] = range(1, 6)) -> Path:
    """Make IEMOCAP_full_release below `root`, with all that lies in the way of a reader."""
    release = root / "IEMOCAP_full_release"
    for session in sessions:
        _build_session(release / f"Session{session}", session)
    (release / "README.txt").write_text("[1.0 - 2.0]\tSes01F_impro01_F999\tang\t[1, 1, 1]\n")
    return release


def _build_session(folder: Path, session: int) -> None:
    labels = folder / "dialog" / "EmoEvaluation"
    labels.mkdir(parents=True)
    by_dialog: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for dialog, turn, code in utterances(session):
        by_dialog[dialog].append((turn, code))
    silence = folder / "dialog" / "wav" / f"Ses0{session}F_impro01.wav"
    silence.parent.mkdir()
    silence.write_bytes(_silence())
    for dialog, rows in by_dialog.items():
        text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\r\n\r\n"
        sentences = folder / "sentences" / "wav" / dialog
        sentences.mkdir(parents=True)
        for number, (turn, code) in enumerate(rows):
            text += (
                f"[{number}.0000 - {number}.5000]\t{dialog}_{turn}\t{code}\t[2.5000, 3.0000, 3.5000]\r\n"
                "C-E2:\tAnger; Sadness;\t([mixed] caf\udce9)\r\n"
                "A-E3:\tval 3; act 2; dom  ;\t()\r\n"
                f"C-{turn[0]}1:\tOther;\t()\r\n\r\n"
            )
            os.link(silence, sentences / f"{dialog}_{turn}.wav")
        (labels / f"{dialog}.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
        (labels / f"._{dialog}.txt").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X\xb0\n[")
        (sentences / f"._{dialog}_{rows[0][0]}.wav").write_bytes(b"\0\5\x16\7")
        for inner in ("Attribute", "Categorical", "Self-evaluation"):
            (labels / inner).mkdir(exist_ok=True)
            (labels / inner / f"{dialog}.txt").write_text(f"[0.0 - 0.5]\t{dialog}_F900\tang\t[1.0, 1.0, 1.0]\n")
            (labels / inner / f"{dialog}_e2_cat.txt").write_text(f"{dialog}_{rows[0][0]} :Anger; ()\n")
    (labels / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def _silence() -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(16, np.float32), 16_000, format="WAV", subtype="PCM_16")
    return stream.getvalue()
