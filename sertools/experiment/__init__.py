"""The experiment as data: methods, what a cell is made of, settings; and the rules for make that follow from them.

``python3 -m sertools.experiment`` needs Python alone, so make can ask for the rules before anything is installed.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - make asks whatever python3 there is
    raise SystemExit("sertools needs Python 3.10 or newer: name one by PYTHON=")
