"""What comes in and goes out as text: documents are UTF-8 under any locale, and no character stops a verb."""

import codecs
import json
import os
import sys

_ERRORS = "sertools"


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
