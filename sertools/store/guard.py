"""Look at an HDF5 file in a child process before opening it here.

libhdf5 itself can crash or hang on a damaged file. A forked child, under limits of time and memory, walks the
metadata first; if the child dies, the file is refused in one line and this process lives on.
"""

from __future__ import annotations

import faulthandler
import itertools
import os
import select
import signal
import sys
import time
import warnings
from pathlib import Path

import h5py

if sys.platform != "win32":
    import resource

from sertools.errors import SertoolsError, StoreError, short_of, why_not

_SECONDS = 20
_MEMORY_BYTES = 2 << 30
_MAX_OBJECTS = 100_000
_DEFLATE_RATIO = 1032
_MAGIC = b"\x89HDF\r\n\x1a\n"
_SOUND = "ok"
_NO_MEMORY = "memory allocation failed"
# What libhdf5 says where the file is not to blame → what is the matter, and what helps.
_NO_DAMAGE = {
    "unable to lock": "HDF5 cannot lock it; set HDF5_USE_FILE_LOCKING=FALSE",
    "already open for": "is open for writing, or was not closed by its writer; wait for it, and if there is none any "
    "more, `h5clear -s` takes the mark away and `info --verify` tells whether the store is whole",
    _NO_MEMORY: "cannot be checked: there is not enough memory; raise the limit (ulimit -v), or free some",
}
_passed: set[tuple[str, int, int, int]] = set()


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def check_hdf5(path: Path, error: type[SertoolsError] = StoreError) -> None:
    """Refuse a file that is not HDF5, or whose metadata cannot be walked safely.

    Raises
    ------
    SertoolsError
        Of the class `error`, naming the file and what is wrong: with it, with how it is used, or with the look at it.
    """
    try:
        status = path.stat()
        with path.open("rb") as stream:
            magic = stream.read(len(_MAGIC))
    except OSError as reason:
        raise error(f"{path}: {why_not(path, reason)}") from reason
    if magic != _MAGIC:
        raise error(f"{path}: not an HDF5 file")
    key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
    if key in _passed:
        return
    # Without fork (Windows) there is no cheap child; the file is opened unguarded there.
    if sys.platform != "win32" and (why := _look(path, status.st_size)):
        raise error(f"{path}: {why}")
    _passed.add(key)


def _look(path: Path, size: int) -> str:
    """Walk `path` in a child; return why it must not be opened here, or nothing."""
    try:
        answer, question = os.pipe()
        try:
            with warnings.catch_warnings():
                # The child only calls h5py and leaves by os._exit, so threads of this process do not matter to it.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
        except OSError:
            os.close(answer)
            os.close(question)
            raise
    except OSError as reason:
        no_process = f"no process can be started ({reason.strerror}); end some, or raise the limit (ulimit -u)"
        return f"cannot be checked: {short_of(reason) or no_process}"
    if child == 0:
        os.close(answer)
        _walk_and_exit(path, size, question)
    os.close(question)
    try:
        return _verdict(child, answer)
    finally:
        os.close(answer)


def _damaged(reason: str) -> str:
    return f"damaged ({reason}); make it again, or restore a copy"


def _unchecked(reason: str, remedy: str) -> str:
    return f"cannot be checked: {reason}; {remedy}"


def _walk_and_exit(path: Path, size: int, question: int) -> None:
    verdict = "unreadable metadata"
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        # What kills this child is answered in one line, not in a dump.
        faulthandler.disable()
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_CPU, _SECONDS)
        if sys.platform == "linux":
            _limit(resource.RLIMIT_AS, _most_memory())
        _walk(path, size)
        verdict = _SOUND
    except StoreError as reason:
        verdict = str(reason)
    except MemoryError:
        verdict = _NO_MEMORY
    except Exception as reason:
        verdict = (str(reason).splitlines() or [""])[0][:200] or "unreadable metadata"
    finally:
        os.write(question, verdict.encode("utf-8", "replace"))
        os._exit(0)


def _limit(kind: int, ours: int) -> None:
    """Limit this process to the lower of our limit and the system's."""
    soft, hard = resource.getrlimit(kind)
    lowest = min([ours, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)])
    # The hard limit stays where it is: at that, time ends in SIGKILL, which does not say why.
    resource.setrlimit(kind, (lowest, hard))


def _system_limits(kind: int, ours: int) -> bool:
    """Whether the system's limit is the lower one."""
    return any(each != resource.RLIM_INFINITY and each < ours for each in resource.getrlimit(kind))


def _most_memory() -> int:
    with open("/proc/self/statm") as statm:
        in_use = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return in_use + _MEMORY_BYTES


def _walk(path: Path, size: int) -> None:
    count = itertools.count(1)

    def look(name: str, thing: h5py.HLObject) -> None:
        if next(count) > _MAX_OBJECTS:
            raise StoreError("too many objects")
        for key in thing.attrs:
            attribute = thing.attrs.get_id(key)
            if attribute.get_storage_size() > size:
                raise StoreError(f"attribute {key!r} is larger than the file")
            thing.attrs[key]
        if isinstance(thing, h5py.Group):
            # Only virtual datasets lead to other files, and their sources are checked by what they hold.
            for key in thing:
                if not isinstance(thing.get(key, getlink=True), h5py.HardLink):
                    place = f"/{name}{'/' if name else ''}{key}"
                    raise StoreError(f"{place} is a link; copy what it leads to into the file")
        if isinstance(thing, h5py.Dataset):
            if thing.external:
                raise StoreError(f"/{name} lies in another file; copy it into this one")
            # Repacked with compression, a dataset may be larger than its file, by deflate's best ratio at most.
            possible = size * (_DEFLATE_RATIO if thing.chunks else 1)
            if not thing.is_virtual and thing.size and thing.size * thing.dtype.itemsize > possible:
                raise StoreError(f"/{name} is larger than the file: truncated, or never finished")
            if thing.is_virtual:
                thing.virtual_sources()

    with h5py.File(path, "r", locking=False) as file:
        look("", file)
        file.visititems(look)


def _verdict(child: int, answer: int) -> str:
    """Wait for what the child says, and make a message of it."""
    deadline = time.monotonic() + _SECONDS
    text = b""
    while time.monotonic() < deadline:
        ready, _, _ = select.select([answer], [], [], max(0.0, deadline - time.monotonic()))
        if ready:
            block = os.read(answer, 1 << 16)
            if not block:
                break
            text += block
    else:
        os.kill(child, signal.SIGKILL)
        _, _, used = os.wait4(child, 0)
        if used.ru_utime + used.ru_stime > _SECONDS / 4:
            return _damaged(f"reading its metadata takes over {_SECONDS} s")
        return _unchecked(f"reading it takes over {_SECONDS} s", "try again when disk and machine are less busy")
    _, status = os.waitpid(child, 0)
    verdict = text.decode("utf-8", "replace")
    if verdict == _SOUND:
        return ""
    known = (message for words, message in _NO_DAMAGE.items() if words in verdict)
    return next(known, "") or (_damaged(verdict) if verdict else _of_death(status))


def _of_death(status: int) -> str:
    """Say why a child has died that said nothing: by the file, by a limit of the system's, or by someone's hand."""
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if by in (signal.SIGXCPU, signal.SIGKILL):
        if _system_limits(resource.RLIMIT_CPU, _SECONDS):
            return _unchecked("the limit of CPU time is too low for it", "raise it (ulimit -t)")
        if by == signal.SIGXCPU:
            return _damaged(f"reading its metadata takes over {_SECONDS} s")
    if by in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        return _unchecked("the process that looks at it was killed", "see that there is memory enough, and try again")
    if sys.platform == "linux" and _system_limits(resource.RLIMIT_AS, _most_memory()):
        return _NO_DAMAGE[_NO_MEMORY]
    return _damaged("libhdf5 crashes on it")
