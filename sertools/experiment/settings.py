"""What the experiment runs on and how: every setting with its words and its value where none is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sertools.errors import UsageError, one_of

Settings = Mapping[str, str]  # every setting's name → its value
_FOLDER = re.compile(r"[\w./@+,#-]+")  # that make and the shell take as it is
SPEAKERS = "speakers"  # FOLDS: one for each
# Short for one on the hub, unless a folder has the name.
ENCODERS = {"whisper-base": "hf:openai/whisper-base@main"}


@dataclass(frozen=True)
class Setting:
    """A variable of make, from its command line or the environment.

    Attributes
    ----------
    name
        In capitals.
    words
        What it is.
    default
        Its value where none is given; for those in `PROFILES` that of the profile.
    """

    name: str
    words: str
    default: str = ""


WHAT = (
    Setting("CORPUS", "a corpus folder, or for mine also a CSV; empty: a corpus spoken on the spot by espeak-ng"),
    Setting("READER", "how that folder is read; see `sertools corpus --list`", "folders"),
    Setting(
        "ENCODER",
        "a pretrained encoder as embed takes it, or whisper-base, from the hub: rows are its vectors; empty: log-mel "
        "pictures",
    ),
    Setting("RELABEL", "emotions that count as another, such as calm=neutral"),
    Setting("PROFILE", "smoke: minutes; cpu: an hour or so on two cores; paper: the paper, for a GPU", "smoke"),
    Setting("EMOTIONS", "the classes of Table 2, and of mine: there all", "angry happy sad neutral"),
    Setting("CLASSES", "those that are reduced, one at a time (§3.2); of mine: that are looked at; empty: the rare"),
    Setting("KEEP", "to this share of their utterances", "0.2"),
    Setting(
        "FOLDS", "how many; or speakers: one tests each; or published ones, as select --folds has them; all are run"
    ),
    Setting("BY", "what a fold keeps together: speaker or session", "speaker"),
    Setting(
        "VAL",
        "one part in so many of the training set is for validation: to fit operating points on, never to train on; "
        "empty: none",
    ),
    Setting("VAL_BY", "what that keeps together: speaker, session or utterance"),
    Setting("SEEDS", "each: subset + generator + classifier, other ones in every fold and for every class", "0"),
    Setting("DONORS", "stores of other corpora, as embed or extract made them, for methods that have donors"),
    Setting("METHODS", "rows of the table, or joined as in pot+half; empty: the table's own"),
    Setting("NOISE", "background noise for SA, SAR, SARM, SARB; or a folder `noise` beside the corpus"),
    Setting("TEST", "Table 3: a store to test on; empty: fold 1 of 3, by BY"),
    Setting("WILD", "Table 3: its classes; empty: all of the corpus"),
    Setting("THIN", 'Table 3: thin the corpus out, such as THIN="sad=0.2 happy=0.5"'),
    Setting("RIVALS", "CSVs of other tools' predictions, for the table; see `sertools report --help`"),
)
HOW = (
    Setting("OUT", "where all files go; other settings want another folder"),
    Setting("PRESET", "numbers of the training steps"),
    Setting("FRONT_END", "options of extract, or of embed"),
    Setting("WIDTH", "scales the filters of all nets; empty: the preset's"),
    Setting("AE_OPTS", "further options of pretrain-ae"),
    Setting("COV_OPTS", "of fit-latents"),
    Setting("GAN_OPTS", "of finetune-gan"),
    Setting("GEN_OPTS", "of train-generator"),
    Setting("FLOW_OPTS", "of generate for flow, such as --strength 0.8"),
    Setting("PCA", "principal components that pot, potw and potcut move pictures in; vectors move as they are", "60"),
    Setting("CLF_OPTS", "of train-clf"),
    Setting("DEVICE", "of every net: auto, cpu, cuda", "auto"),
)
SETTINGS = {setting.name: setting for setting in (*WHAT, *HOW)}

PROFILES: Mapping[str, Mapping[str, str]] = {
    "smoke": {
        "CLASSES": "angry",
        "KEEP": "0.05",
        "FOLDS": "3",
        "VAL": "",
        "VAL_BY": "speaker",
        "FRONT_END": "--mels 64 --frames 64 --tail overlap",
    },
    "cpu": {
        "CLASSES": "angry happy sad",
        "FOLDS": "3",
        "VAL": "4",
        "VAL_BY": "speaker",
        "FRONT_END": "--mels 64 --frames 64 --tail overlap --trim 35",
    },
    "paper": {
        "CLASSES": "angry happy sad",
        "FOLDS": "5",
        "VAL": "10",
        "VAL_BY": "utterance",
        "FRONT_END": "",
    },
}


def resolve(given: Mapping[str, str]) -> dict[str, str]:
    """Give every setting its value.

    Parameters
    ----------
    given
        Name → value; names that are no setting are left out.

    Returns
    -------
    dict
        Every name in `SETTINGS` → its value, on one line and without spaces at its ends.

    Raises
    ------
    UsageError
        If there is no such profile, no seed or one that is no number, VAL is no number of parts, FOLDS is nothing
        that it may be, or make takes no name such as OUT.
    """
    own = {name: " ".join(value.splitlines()).strip() for name, value in given.items() if name in SETTINGS}
    profile = own.get("PROFILE", SETTINGS["PROFILE"].default)
    one_of("PROFILE", profile, tuple(PROFILES))
    values = {**{name: setting.default for name, setting in SETTINGS.items()}, **PROFILES[profile], **own}
    corpus = values["CORPUS"]
    encoder = values["ENCODER"]
    if encoder in ENCODERS and not Path(encoder).exists():
        values["ENCODER"] = ENCODERS[encoder]
    derived = {
        "OUT": f"build/{values['READER'] if corpus else 'demo'}-{profile}{'-encoder' if encoder else ''}",
        "PRESET": profile,
        "NOISE": _noise_beside(corpus),
    }
    if encoder:
        if profile == "smoke":
            derived["SEEDS"] = "0 1 2"  # which cost seconds
        # A regression that is fitted to its end has nothing to choose on validation rows.
        derived |= {"FRONT_END": "--trim 35", "VAL": ""}
    values.update((name, value) for name, value in derived.items() if name not in own)
    if not _FOLDER.fullmatch(values["OUT"]):
        raise UsageError(
            f"OUT {values['OUT']!r}: make takes no such name; use letters, digits and . _ - / alone, without spaces"
        )
    if not values["SEEDS"]:
        raise UsageError("SEEDS: expected at least one, such as SEEDS=0")
    for seed in values["SEEDS"].split():
        if not (seed.isascii() and seed.isdigit()):
            raise UsageError(f"SEEDS {seed!r}: expected whole numbers, such as SEEDS='0 1 2'")
    folds = values["FOLDS"]
    if not (are_parts(folds) or folds == SPEAKERS or Path(folds).exists()):
        raise UsageError(f"FOLDS {folds!r}: expected a number of parts, {SPEAKERS}, or a path of published folds")
    if values["VAL"] and not are_parts(values["VAL"]):
        raise UsageError(f"VAL {values['VAL']!r}: expected a number of parts")
    return values


def are_parts(value: str) -> bool:
    """Whether a value is a number of parts."""
    return value.isascii() and value.isdigit() and int(value) > 0


def _noise_beside(corpus: str) -> str:
    folder, slash, _ = corpus.removesuffix("/").rpartition("/")
    noise = f"{folder}{slash or './'}noise"
    return noise if Path(noise).exists() else ""
