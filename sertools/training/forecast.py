"""What a training would do, by a few steps that are taken and thrown away; see `sertools.rehearsal`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from torch import Tensor

from sertools.rehearsal import Plan, begin, counted, memory_so_far, seconds_of
from sertools.training.batches import Rows
from sertools.training.distributed import end_followers

_STEPS = 3  # that are measured, after one that loads what the others find
_LONG_SECONDS = 20.0  # of a step, after which no other is taken


def forecast(
    rows: Rows,
    step: Callable[[int], Mapping[str, Tensor]],
    first: int,
    n_steps: int,
    output: Path,
    log: Path,
    n_first: int = 0,
) -> Plan:
    """Say what a training of `n_steps`, of which `first` are done, would do.

    Parameters
    ----------
    rows
        What it trains on.
    step
        Does one update.
    output, log
        What it writes.
    n_first
        Of the steps, how many at the beginning take another time.
    """
    between = min(max(first, n_first), n_steps)
    stretches = [(start, end) for start, end in ((first, between), (between, n_steps)) if start < end]
    seconds = [_measured(step, start, end) for start, end in stretches]
    each = [median(own) for own in seconds]
    told = " and ".join(
        f"median of {len(own)} {'steps' if len(own) != 1 else 'step'}, {one:.3g} s each"
        for own, one in zip(seconds, each, strict=True)
    )
    going_on = f", of which {first} are done by its saved state" if first else ""
    return Plan(
        reads=_named(rows),
        work=f"train {n_steps} steps{going_on}" if n_steps else "take no step",
        n_rows=len(rows),
        writes=(str(output), *([str(log)] if n_steps else [])),
        seconds=sum(one * (end - start) for one, (start, end) in zip(each, stretches, strict=True)) if each else None,
        measured=f"{told}; validation, measuring and saving are not in it" if each else "no step was taken",
        memory_bytes=memory_so_far(),
    )


def without_steps(rows: Rows, work: str, output: Path, log: Path) -> None:
    """Begin a training that takes no step: the first process does it alone, and a log is of another model.

    Parameters
    ----------
    work
        What is done in place of steps; nothing of it is measured.
    """
    begin(
        output,
        lambda: Plan(
            reads=_named(rows), work=work, n_rows=len(rows), writes=(str(output),), memory_bytes=memory_so_far()
        ),
    )
    end_followers()
    log.unlink(missing_ok=True)


def _named(rows: Rows) -> tuple[str, ...]:
    return counted([store.path for store in rows.stores], dict(sorted(Counter(rows.emotion.tolist()).items())))


def _measured(step: Callable[[int], Mapping[str, Tensor]], first: int, n_steps: int) -> list[float]:
    """Seconds of some steps; that of the first alone if it is long or the only one."""

    def update(number: int) -> float:
        # A number that is asked for waits for the GPU.
        return seconds_of(lambda: [float(value) for value in step(number).values()])

    taken = [update(number) for number in range(first, min(first + 1, n_steps))]
    if not taken or taken[0] > _LONG_SECONDS or n_steps - first == 1:
        return taken
    return [update(number) for number in range(first + 1, min(first + 1 + _STEPS, n_steps))]
