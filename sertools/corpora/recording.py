"""A row of the labels table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recording:
    """One row of the labels table: a recording, or the span of one, and what is known about it.

    Attributes
    ----------
    file : str
        Path of the audio, as found or as read.
    emotion : str
        One of `EMOTIONS` or the corpus's own word; empty if unknown.
    speaker, session : str
        Names within the corpus; empty if unknown.
    gender : str
        "female", "male" or empty; other words of a labels file are kept.
    start, end : float or None
        Span in seconds; None is from the beginning, to the end.
    extra : Mapping of str to str
        Further columns, in order.
    corpus : str
        That file, speaker and session are of; empty if unknown.
    """

    file: str
    emotion: str = ""
    speaker: str = ""
    session: str = ""
    gender: str = ""
    start: float | None = None
    end: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)
    corpus: str = ""
