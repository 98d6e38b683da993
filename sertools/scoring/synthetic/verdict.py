"""From figures to words: is a set of generated rows any good, and why.

Every limit is relative to what real speech that nobody has seen scores under the same conditions, so that it means
the same on any corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sertools.scoring.synthetic.nearness import FARTHEST, Nearness, astray, by_speakers, in_eyes_of, is_shown

if TYPE_CHECKING:  # torch comes with them, which a table of scores does not need
    from sertools.scoring.synthetic.fidelity import Neighbourhood
    from sertools.scoring.synthetic.texture import TextureGap
    from sertools.scoring.synthetic.usefulness import Usefulness

KIND = "score"  # of the file that a verdict stands in
VERSION = 1

COLLAPSED = "collapsed"
COPIES = "copies of the training set"
BAD = "bad: unlike real speech of the class"
MARRED = "marred: the right shape, but not the texture of real speech"
USABLE = "usable: near real speech, but told apart from it"
UNSURE = "not told apart: too few rows"
REAL = "as real as held-out speech"
# The worst first.
VERDICTS = (COLLAPSED, COPIES, BAD, MARRED, USABLE, UNSURE, REAL)

# Of the spread of held-out speech. Speakers alone change it by a fifth; a blurred decoder keeps 40 to 50 %, which is
# little, but not the same row again and again.
LEAST_SPREAD = 0.25
LITTLE_SPREAD = 0.8
MOST_REPEATED = 0.5
# One row in ten: a leak of recordings that training already has, and more than chance gives.
MOST_COPIED = 0.1
# Chance moves a distance by so many of its standard deviations once in a thousand times; the way to the other
# classes is never taken for shorter.
CHANCE_WAY = 3.0
ALPHA = 0.05  # of the test whether generated rows are farther from real ones than held-out rows are
# Speakers and sentences alone change these by a tenth or two.
LEAST_FINE, MOST_FINE = 0.5, 2.0
MOST_CHECKERBOARD = 1.5
LEAST_COVERAGE = 0.8  # of what held-out speech covers
LEAST_TAUGHT = 0.5  # of what as many real rows teach, above chance
_SURE = 2.0  # standard errors above chance before a classifier is believed
NEAR_Z = -3.0


@dataclass(frozen=True)
class Distance:
    """Unbiased kernel distance (KID) to real rows of the same class, beside its two references.

    Attributes
    ----------
    generated, heldout, other
        Of generated rows, of held-out real rows (the floor), and of held-out real rows of the other classes (the
        ceiling); None where there is no other class.
    p_different
        That generated and real rows are drawn alike, by permutation.
    p_farther
        That generated rows are no farther from the real ones than held-out rows are.
    chance
        Standard deviation of the difference of the first two if they are drawn alike.
    """

    generated: float
    heldout: float
    other: float | None
    p_different: float
    p_farther: float
    chance: float

    @property
    def place(self) -> float:
        """Where generated rows lie between held-out rows of the class (0) and those of other classes (1)."""
        way = max(0.0 if self.other is None else self.other - self.heldout, CHANCE_WAY * self.chance, 1e-9)
        return (self.generated - self.heldout) / way


@dataclass(frozen=True)
class Fidelity:
    """How generated rows lie to real ones in an embedding; the `…_heldout` are of held-out real rows.

    Attributes
    ----------
    embedding
        ``pixels``, ``vectors`` or ``judge``.
    frechet_dimensions
        That the Fréchet distance looks at.
    """

    embedding: str
    distance: Distance
    frechet: float
    frechet_heldout: float
    frechet_dimensions: int
    neighbourhood: Neighbourhood
    neighbourhood_heldout: Neighbourhood


@dataclass(frozen=True)
class Copying:
    """How near generated rows come to the training rows, in principal components.

    Attributes
    ----------
    copied, copied_heldout
        Share of rows that sit on one training row [range=0…1].
    nearness
        Median distance to the nearest training row, over that of held-out rows.
    z
        C_T, below 0 where generated rows are nearer than held-out ones.
    """

    copied: float
    copied_heldout: float
    nearness: float
    z: float


@dataclass(frozen=True)
class Variety:
    """How generated rows differ from each other, in pixels or in the values of vectors.

    Attributes
    ----------
    spread, spread_heldout
        Mean distance between two rows of a class, over that of real rows.
    repeated
        Share of generated rows that have a twin among those of their class [range=0…1].
    """

    spread: float
    spread_heldout: float
    repeated: float


@dataclass(frozen=True)
class Group:
    """All figures of one class, or of all.

    Attributes
    ----------
    rows
        Compared on each side.
    speakers
        Of the held-out ones.
    texture, texture_heldout
        None of vectors.
    nearness
        What is shown of the rows; empty where there is no other class to measure by.
    """

    rows: int
    speakers: int
    fidelity: tuple[Fidelity, ...]
    copying: Copying
    variety: Variety
    texture: TextureGap | None
    texture_heldout: TextureGap | None
    nearness: tuple[Nearness, ...]


def judge_group(group: Group, hindrance: str | None, alpha: float = ALPHA) -> tuple[str, list[str]]:
    """Find the words for a group: one of `VERDICTS`, and sentences why, those that decide first.

    Parameters
    ----------
    hindrance
        Why the held-out rows cannot show that any rows are as real as they are.
    """
    found = sorted(_findings(group, hindrance, alpha), key=lambda pair: VERDICTS.index(pair[0]))
    verdict = found[0][0]
    silent = () if verdict in (UNSURE, REAL) else (UNSURE, REAL)
    return verdict, [sentence for finding, sentence in found if finding not in silent]


def _findings(group: Group, hindrance: str | None, alpha: float) -> Iterator[tuple[str, str]]:
    yield from _repetition(group)
    yield from _distances(group, alpha)
    if group.texture and group.texture_heldout:
        yield from _texture(group.texture, group.texture_heldout)
    yield from _places(group, hindrance, alpha)


def _repetition(group: Group) -> Iterator[tuple[str, str]]:
    copying, variety = group.copying, group.variety
    share = variety.spread / min(1.0, variety.spread_heldout)
    if share < LITTLE_SPREAD:
        yield (
            COLLAPSED if share < LEAST_SPREAD else USABLE,
            f"little variety: two generated rows of a class differ by {whole_percent(variety.spread)} of what two "
            f"real rows do (two held-out rows by {whole_percent(variety.spread_heldout)})",
        )
    copied = copying.copied - copying.copied_heldout > MOST_COPIED
    if copied:
        yield (
            COPIES,
            f"{whole_percent(copying.copied)} of the generated rows sit on one training row "
            f"(of held-out rows {whole_percent(copying.copied_heldout)})",
        )
    elif variety.repeated > MOST_REPEATED:
        yield COLLAPSED, f"{whole_percent(variety.repeated)} of the generated rows have a twin among them"
    elif copying.z < NEAR_Z:
        yield (
            USABLE,
            f"nearer to the training rows than new speech is ({whole_percent(copying.nearness)} of the way, C_T "
            f"{copying.z:.1f}), without copying them: too average, or too close to what was there",
        )


def _distances(group: Group, alpha: float) -> Iterator[tuple[str, str]]:
    for each in group.fidelity:
        d = each.distance
        # Shuffled rows take the rows of a speaker for strangers to each other; where speakers can say, they do too.
        p = max(d.p_farther, by_speakers(group.nearness, group.speakers, each.embedding))
        known = f"{decimals(d.generated)}, held-out speech {decimals(d.heldout)}"
        known += "" if d.other is None else f", other emotions {decimals(d.other)}"
        eyes = in_eyes_of(each.embedding)
        where = f"distance to real speech{eyes}: {known}"
        if p >= alpha:
            yield REAL, f"{where}: not told apart from held-out speech (p = {p:.2g})"
        elif d.place >= FARTHEST:
            yield BAD, where
        else:
            yield USABLE, f"{where}; the gap is not due to chance (p = {p:.2g})"
        covered, floor = each.neighbourhood.coverage, each.neighbourhood_heldout.coverage
        if covered < LEAST_COVERAGE * floor:
            yield (
                USABLE,
                f"gaps: {whole_percent(covered)} of the real rows have a generated row near them{eyes} "
                f"(a held-out row: {whole_percent(floor)})",
            )


def _texture(gap: TextureGap, heldout: TextureGap) -> Iterator[tuple[str, str]]:
    fine = gap.fine / heldout.fine
    if not LEAST_FINE <= fine <= MOST_FINE:
        yield (
            MARRED,
            f"{'blurred' if fine < 1 else 'grainy'}: {whole_percent(gap.fine)} of the fine detail of real speech "
            f"(held-out speech {whole_percent(heldout.fine)})",
        )
    if gap.checkerboard > MOST_CHECKERBOARD * heldout.checkerboard:
        yield MARRED, f"a checkerboard: {gap.checkerboard:.1f} times the energy of real speech at its frequencies"


def _places(group: Group, hindrance: str | None, alpha: float) -> Iterator[tuple[str, str]]:
    for each in astray(group.nearness, alpha):
        yield BAD if each.far else USABLE, f"{each.found()}; not due to chance (p = {each.p_farther:.2g})"
    shown, sentence = is_shown(group.nearness, group.speakers, hindrance)
    yield REAL if shown else UNSURE, sentence


def judge_all(
    pooled: Group, hindrance: str | None, classes: dict[str, tuple[str, list[str]]], taught: Usefulness | None
) -> tuple[str, list[str]]:
    """Find the words for the whole set: the worst of all rows, of what they teach, and of any class that is bad.

    All rows are as real as held-out speech only if every class is.

    Parameters
    ----------
    classes
        `judge_group` of each class that has rows enough; `UNSURE` of those that have generated rows, but too few.
    """
    verdict, why = judge_group(pooled, hindrance)
    if taught and taught.real - taught.chance > _SURE * taught.standard_error:
        share = (taught.synth - taught.chance) / (taught.real - taught.chance)
        if share < LEAST_TAUGHT:
            sentence = (
                f"a classifier trained on them alone gets UAR {whole_percent(taught.synth)} on held-out speech; "
                f"as many real rows {whole_percent(taught.real)}, chance {whole_percent(taught.chance)}"
            )
            if VERDICTS.index(BAD) < VERDICTS.index(verdict):
                verdict, why = BAD, [sentence, *why]
            else:
                why.append(sentence)
    worst = min((VERDICTS.index(finding) for finding, _ in classes.values()), default=len(VERDICTS))
    decisive = UNSURE if verdict in (UNSURE, REAL) else BAD
    if worst > VERDICTS.index(decisive) or worst > VERDICTS.index(verdict):
        return verdict, why
    those = {name: reasons[0] for name, (finding, reasons) in classes.items() if finding == VERDICTS[worst]}
    if VERDICTS[worst] == verdict:
        return verdict, [*why, f"the same holds by itself for: {', '.join(those)}"]
    return VERDICTS[worst], [*(f"{name}: {reason}" for name, reason in those.items()), *why]


def whole_percent(share: float) -> str:
    """A share in percent, as it stands in a sentence."""
    return f"{100 * share:.0f} %"


def decimals(value: float) -> str:
    """A kernel distance, as it stands in a sentence; below 0 is no more than chance."""
    return f"{value:.3f}"
