"""One run per output: a lock beside it, and the removal of what a killed run left there."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sertools.errors import SertoolsError, SertoolsWarning
from sertools.provenance import behind_links

if sys.platform != "win32":
    import fcntl

_TAKEN = (errno.EACCES, errno.EAGAIN)

# Outputs that this process claims, or was about to: a signal may come before a `with` has begun, or as it ends.
_claims: set[Path] = set()


@contextmanager
def claimed(output: Path | str | None) -> Iterator[None]:
    """Keep other runs from writing `output`, and remove the temporary files of runs that were killed.

    The lock is a record lock (``fcntl``) on a file beside the output: the system drops it with the process, children
    do not inherit it, and it works over NFS. Where the folder cannot be written to, nothing is claimed, and
    whoever writes will say what is wrong; where the file system has no locks, a warning says so.

    Parameters
    ----------
    output
        A file; None and ``-`` are none.

    Raises
    ------
    SertoolsError
        If another run writes it at this moment.
    """
    if output is None or str(output) == "-":
        yield
        return
    path = Path(output)
    _claims.add(path)
    try:
        handle = _locked(path)
    except SertoolsError:
        _claims.discard(path)
        raise
    try:
        if handle is not None:
            _sweep(path)
        yield
    except BaseException:
        # A signal may have cut short the clearing up of whoever wrote; the first error is the one that is reported.
        if handle is not None:
            with suppress(OSError):
                _sweep(path)
        raise
    finally:
        if handle is not None:
            _release(path, handle)
        _claims.discard(path)


def clear_claims() -> None:
    """Sweep and release what is claimed still, once a signal has unwound the stack.

    A signal that comes while a `with` block begins or ends cuts short what would clear up behind it.
    """
    while _claims:
        path = _claims.pop()
        try:
            handle = _locked(path)
        except SertoolsError:
            # Another run's, by now or all along.
            continue
        if handle is not None:
            with suppress(OSError):
                _sweep(path)
                _release(path, handle)


def _release(path: Path, handle: int) -> None:
    # Removed while it is held, so that nobody takes a lock on a file that is gone without noticing.
    _lock_file(path).unlink(missing_ok=True)
    os.close(handle)


def _lock_file(path: Path) -> Path:
    # Of the file itself, by whatever link it is called.
    target = behind_links(path)
    return target.with_name(f".{target.name}.lock")


def _locked(path: Path) -> int | None:
    """Take the lock of an output; None where there can be none."""
    if sys.platform == "win32" or (path.exists() and not path.is_file()):
        return None
    lock = _lock_file(path)
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return None
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The run before may have removed it between the two calls.
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                return handle
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(handle)
            if error.errno not in _TAKEN:
                lock.unlink(missing_ok=True)
                warnings.warn(
                    f"{path}: its file system has no locks ({error.strerror}); make sure that no other run writes it "
                    "at the same time",
                    SertoolsWarning,
                    stacklevel=4,
                )
                return None
            raise SertoolsError(
                f"{path}: another sertools is writing it; wait until it has ended, or give -o another name"
            ) from error
        os.close(handle)


def _sweep(path: Path) -> None:
    """Remove the temporary files of `path` and of its resume state; who holds the lock is alone with them."""
    # The file's lie behind its link, those of its state beside the link.
    for each in {path, behind_links(path)}:
        own = re.escape(each.name)
        stale = re.compile(rf"\.(?:{own}|\.{own}\.state)\.[a-z0-9_]{{8}}(?:\.rows)?\.part")
        for name in os.listdir(each.parent):
            if stale.fullmatch(name):
                each.with_name(name).unlink(missing_ok=True)
