"""How many processes train one net together, as torchrun says it in the environment; known before torch is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sertools.errors import UsageError


@dataclass(frozen=True)
class Processes:
    """One process among those that train together.

    Attributes
    ----------
    rank
        Its number, from 0. The first one leads: it alone writes, and speaks.
    size
        How many there are.
    local_rank
        Its number on this machine, which is that of its GPU.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the first, or the only one."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """Which one it is, for messages; nothing where it is alone."""
        return f" (process {self.rank + 1} of {self.size})" if self.size > 1 else ""


def processes() -> Processes:
    """Read ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``; without the first two, a process is alone.

    Raises
    ------
    UsageError
        If they make no sense.
    """
    rank, size = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None or size is None:
        return Processes()
    local = os.environ.get("LOCAL_RANK", "0")
    found = [int(text) if text.isascii() and text.isdigit() else -1 for text in (rank, size, local)]
    if not (0 <= found[0] < found[1] and found[2] >= 0):
        raise UsageError(
            f"RANK={rank!r} WORLD_SIZE={size!r} LOCAL_RANK={local!r} in the environment: no process of a group; "
            "start with torchrun, or unset them"
        )
    return Processes(*found)


def check_alone(name: str = "") -> None:
    """Refuse to go on as one of several processes: each would do the whole work, into the same file.

    Parameters
    ----------
    name
        Of what is to run, for the message; empty where the caller says it.

    Raises
    ------
    UsageError
        If there are several.
    """
    if processes().size > 1:
        what = f"{name}: " if name else ""
        raise UsageError(f"{what}runs in one process; start it without torchrun, or unset RANK and WORLD_SIZE")
