"""Where a file comes from, and how it comes to its name.

Every output carries a *history*: one JSON line a tool, with the verb, the options that change the result, the
seed, the version, the digests of the inputs and of the lines that made them. No clock, host name or path is in it, so
the same inputs and seed give the same bytes. Outputs are written beside their name and renamed when complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sertools.errors import SertoolsError, UsageError
from sertools.version import __version__

DIGEST_BYTES = 16
_LINE_DIGITS = 12  # tell the lines of a history apart


@dataclass(frozen=True)
class Input:
    """What a tool reads.

    Attributes
    ----------
    digest
        Of the file, or of what else is read.
    history
        Of the file; its last line made it.
    facts
        What the file says of itself that a table shall tell of all that is made with it.
    """

    digest: str
    history: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


Inputs = Mapping[str, Input | Sequence[Input]]  # by role, such as "train"


def digest_bytes(*parts: bytes | memoryview) -> str:
    """Return the 16-byte blake2b of `parts` as 32 hexadecimal digits."""
    return digest_each(parts)


def digest_each(parts: Iterable[bytes | memoryview]) -> str:
    """Return what `digest_bytes` does, of parts that are made one at a time."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        length = part.nbytes if isinstance(part, memoryview) else len(part)
        state.update(length.to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def digest_file(path: Path) -> str:
    """Return the digest of a file's content."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def canonical_json(value: Any) -> str:
    """One line of JSON, the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give nested options one name each, such as ``options.net.width``."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


def history(
    verb: str, options: Mapping[str, Any], inputs: Inputs | None = None, seed: int | None = None
) -> tuple[str, ...]:
    """Write the history of an output: the lines of all inputs, each once, and a line of its own behind them.

    Parameters
    ----------
    verb
        The subcommand.
    options
        Those options that change the result, with their resolved values.
    inputs
        Role → what is read. The line names the digest of each, the line that made it as `line_digest` does, and the
        facts of those that are one file.
    seed
        The seed, where the tool draws.
    """
    given = inputs or {}
    line: dict[str, Any] = {"verb": verb, "version": __version__, "options": dict(options)}
    if given:
        line["inputs"] = digests_of(given)
    makers = {role: _each(own, _maker) for role, own in given.items()}
    if made_by := {role: made for role, made in makers.items() if any(made)}:
        line["made_by"] = made_by
    if facts := {role: one.facts for role, one in given.items() if isinstance(one, Input) and one.facts}:
        line["facts"] = facts
    if seed is not None:
        line["seed"] = seed
    read = (one for own in given.values() for one in ([own] if isinstance(own, Input) else own))
    return (*dict.fromkeys(entry for one in read for entry in one.history), canonical_json(line))


def digests_of(inputs: Inputs) -> dict[str, str | list[str]]:
    """Return the digest, or digests, of each role."""
    return {role: _each(own, lambda one: one.digest) for role, own in inputs.items()}


def _each(own: Input | Sequence[Input], take: Callable[[Input], str]) -> str | list[str]:
    return take(own) if isinstance(own, Input) else [take(one) for one in own]


def _maker(one: Input) -> str:
    return line_digest(one.history[-1]) if one.history else ""


def line_digest(line: str) -> str:
    """Return 12 hexadecimal digits that tell a line of a history from the others, however its JSON is spelled.

    Raises
    ------
    ValueError
        If it is no JSON.
    """
    spelled = json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"))
    return digest_bytes(spelled.encode())[:_LINE_DIGITS]


def refuse_clobber(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is also an input, or cannot be written at all.

    Raises
    ------
    UsageError
        If `output` is one of `inputs`, is a folder or device, or lies in a folder that is missing.
    """
    if output.is_dir():
        raise UsageError(f"{output}: is a folder; -o must name a file")
    if output.exists() and not output.is_file():
        # Renaming onto /dev/null would take it from everybody.
        raise UsageError(f"{output}: is not a regular file; -o must name one")
    target = behind_links(output)
    if not target.parent.is_dir():
        leads = f"leads to {target}, and " if target != output else ""
        raise UsageError(f"{output}: {leads}there is no folder {target.parent}; create it or correct -o")
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise UsageError(f"{output}: is read by this command as {path}; give -o another name")


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, if it is missing.

    Raises
    ------
    SertoolsError
        If the folder above is missing, or cannot be written to.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def log_of(output: Path) -> Path:
    """Return where the log of the training lies that writes `output`."""
    return output.with_name(f"{output.name}.log.ndjson")


def behind_links(path: Path) -> Path:
    """Follow symbolic links to where a file lies, or would: what is written goes there, and the links stay.

    Raises
    ------
    UsageError
        If they lead round.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise UsageError(f"{path}: is a link that leads back to itself; name a file")
    return target


def beside(path: Path, relative: str) -> Path:
    """Find what a file names relative to itself: beside its link, or else beside what the link leads to."""
    here = path.parent / relative
    return here if here.exists() else behind_links(path).parent / relative


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Give a temporary neighbour of `path`; rename it to `path` if the block succeeds, remove it otherwise.

    Raises
    ------
    SertoolsError
        If the folder cannot be written to, or the disk is full.
    """
    part = None
    try:
        handle, part = part_beside(path)
        os.close(handle)
        yield part
        put_in_place(part, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def part_beside(path: Path, suffix: str = ".part") -> tuple[int, Path]:
    """Make a temporary neighbour of `path`, or of what it links to: its open handle and its name.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    target = behind_links(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=suffix, dir=target.parent)
    # mkstemp makes private files; an output has the mode that open() would give.
    umask = os.umask(0)
    os.umask(umask)
    Path(name).chmod(0o666 & ~umask)
    return handle, Path(name)


def put_in_place(part: Path, path: Path) -> None:
    """Rename a complete file to `path`, or to what it links to, once the disk has it.

    Raises
    ------
    OSError
        If the disk is full or fails.
    """
    # Open for writing, as Windows asks of what is flushed.
    with part.open("r+b") as stream:
        os.fsync(stream.fileno())
    os.replace(part, behind_links(path))


def cannot_write(path: Path, error: OSError) -> SertoolsError:
    """Say in one line why `path` could not be written, and what helps."""
    text = str(error)
    if error.errno == errno.ENOSPC or "No space left" in text:
        return SertoolsError(f"{path}: the disk is full; free some space or write elsewhere with -o")
    if error.errno == errno.EFBIG or "File too large" in text:
        return SertoolsError(f"{path}: the file-size limit is reached; raise it (ulimit -f) or write elsewhere")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SertoolsError(f"{path}: {os.strerror(error.errno)}; write elsewhere with -o")
    reason = os.strerror(error.errno) if error.errno else text.splitlines()[0] if text else type(error).__name__
    named = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
    return SertoolsError(f"{path}: cannot be written: {reason}{named}")
