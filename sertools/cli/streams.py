"""What comes in and goes out as text: names and documents are UTF-8 under any locale, no character stops a verb."""

import codecs
import json
import os
import sys

_ERRORS = "sertools"


def read_names_as_utf8() -> None:
    """Begin again in Python's UTF-8 mode where file names are not read as UTF-8, as under a Latin-1 locale.

    Names are bytes; what they are read as becomes ids and labels, which must not depend on the locale. The mode
    cannot be set later. What a terminal is shown stays in its own encoding.
    """
    if sys.getfilesystemencoding() == "utf-8" or sys.platform == "win32" or not sys.executable:
        return
    os.environ.setdefault("PYTHONIOENCODING", getattr(sys.stdout, "encoding", "utf-8"))
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def let_all_text_pass() -> None:
    """Let the standard streams take every text: no closed stream and no missing character ends in a traceback.

    What stdout takes into a file or a pipe is read again, and is UTF-8 as all files are.
    """
    codecs.register_error(_ERRORS, _pass)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # None where the caller has closed it (>&-).
        stream = getattr(sys, name) or open(os.devnull, mode)  # noqa: SIM115 - as long as the process
        setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            kept = name != "stdout" or stream.isatty()
            stream.reconfigure(encoding=None if kept else "utf-8", errors=_ERRORS)


def _pass(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Keep bytes that are no text as they are; write what the encoding lacks as JSON does, ``\u7b11``."""
    if not isinstance(error, UnicodeEncodeError):
        return codecs.lookup_error("surrogateescape")(error)
    text = error.object[error.start : error.end]
    parts = (bytes([ord(c) - 0xDC00]) if "\udc80" <= c <= "\udcff" else json.dumps(c)[1:-1].encode() for c in text)
    return b"".join(parts), error.end
