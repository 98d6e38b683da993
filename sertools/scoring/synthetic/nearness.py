"""What is shown of generated rows: their place between held-out speech of the class and of others, with a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DISTANCE, CLASS = "distance", "class"  # what a place is measured by
PIXELS, VECTORS, JUDGE = "pixels", "vectors", "judge"  # what rows are looked at by
# Of the way from held-out speech of the class to that of other classes. Along the direction that tells two classes
# apart a place is a share of rows: one in four of the wrong class, and a class half of which is wrong lies at twice
# that. A kernel distance is a square, and blind in most directions: its margin is half of the way, beyond which rows
# that are told apart are bad. A narrower one would want more rows than are drawn.
FARTHEST = 0.5
MARGIN = {DISTANCE: FARTHEST, CLASS: 0.25}
LEVEL = 0.95  # of the one-sided bound that has to lie below the margin
POWER = 0.8  # that the planned size reaches, if the rows are in truth no farther than held-out speech
LEAST_SPEAKERS = 5  # of held-out speech: a spread over fewer is a guess


@dataclass(frozen=True)
class Nearness:
    """Where generated rows lie: 0 is held-out speech of the class, of other speakers; 1 is that of another class.

    Attributes
    ----------
    measure
        ``distance`` (kernel distance to the training rows) or ``class`` (along the direction that tells two classes
        apart).
    embedding
        ``pixels``, ``vectors`` or ``judge``.
    towards
        The other class; None for the mean of all.
    place
        Estimate; None where the two ends do not lie apart in that order.
    upper
        Bound of the place, one-sided, 95 %, resampled by speakers; None where there is none.
    p_farther
        That the rows have gone no way at all, one-sided.
    speakers, voices
        Of the held-out rows, and of the generated ones, where rows without a speaker count one by one.
    speakers_needed, rows_needed
        Held-out speakers and generated rows that would do, by the spread found here; None where no number would.
    """

    measure: str
    embedding: str
    towards: str | None
    place: float | None
    upper: float | None
    p_farther: float
    speakers: int
    voices: int
    speakers_needed: int | None
    rows_needed: int | None

    @property
    def margin(self) -> float:
        """Below which the bound has to lie."""
        return MARGIN[self.measure]

    @property
    def shown(self) -> bool:
        """Whether the bound lies below the margin."""
        return self.upper is not None and self.upper < self.margin

    @property
    def far(self) -> bool:
        """Whether the estimate itself lies at the margin or beyond."""
        return self.place is not None and self.place >= self.margin

    @property
    def what(self) -> str:
        """Name the measure, as it stands in a sentence."""
        eyes = in_eyes_of(self.embedding)
        if self.measure == DISTANCE:
            return f"distance{eyes}"
        return f"class{eyes}" if self.towards is None else f"rows like {self.towards}{eyes}"

    def found(self) -> str:
        """Say the place and its bound in words."""
        if self.place is None:
            return f"{self.what}: held-out speech of the classes is not apart itself"
        bound = "without a bound" if self.upper is None else f"at most {self.upper:.2f}"
        return f"{self.what}: {self.place:.2f} of the way to another class, {bound} (95 %, by speakers)"

    def wanted(self) -> str:
        """Say what would do."""
        if self.speakers_needed is None:
            return "no number of rows can be planned"
        return (
            f"about {_round(self.speakers_needed)} held-out speakers (here {self.speakers}) and "
            f"{_round(self.rows_needed or 0)} generated rows would do, if they are in truth as near"
        )


def in_eyes_of(embedding: str) -> str:
    """Say that a judge looked, where one did, behind what was found."""
    return " in the judge's eyes" if embedding == JUDGE else ""


def astray(found: Sequence[Nearness], alpha: float) -> list[Nearness]:
    """Find the directions along which rows have gone towards another class, corrected for their number."""
    directions = [each for each in found if each.measure == CLASS and each.place is not None]
    return [each for each in directions if each.p_farther < alpha / len(directions)]


def by_speakers(found: Sequence[Nearness], speakers: int, embedding: str) -> float:
    """Probability that the distance in an embedding is no farther, over speakers; 0 where they are too few to say."""
    said = [
        each.p_farther
        for each in found
        if (each.measure, each.embedding) == (DISTANCE, embedding) and min(speakers, each.voices) >= LEAST_SPEAKERS
    ]
    return max(said, default=0.0)


def is_shown(found: Sequence[Nearness], speakers: int, hindrance: str | None) -> tuple[bool, str]:
    """Whether every bound lies below the margin, and a sentence on the largest, or on what is lacking.

    Parameters
    ----------
    speakers
        Of the held-out rows.
    hindrance
        Why these rows can show nothing, whatever the bounds.
    """
    if hindrance:
        return False, hindrance
    if speakers < LEAST_SPEAKERS:
        return False, f"held-out rows of {speakers} speakers bound nothing; {LEAST_SPEAKERS} are needed"
    if not found:
        return False, "there is no other class to measure a distance by"
    if lacking := [each for each in found if not each.shown]:
        least = max(lacking, key=lambda each: (each.speakers_needed is None, each.speakers_needed or 0))
        return False, f"{least.found()}; below {least.margin} is to be shown: {least.wanted()}"
    most = max(found, key=lambda each: (each.upper or 0.0) / each.margin)
    return True, f"{most.found()}; below {most.margin} counts as none"


def _round(count: int) -> int:
    """Two digits: a planned size is no more exact."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // unit) * unit
