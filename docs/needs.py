"""MkDocs calls this on every page: what a block needs, said in its fence, stands above it on the site."""

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn a fence that ends in ``needs=slurm`` into one that MkDocs knows, with a line above it."""
    return re.sub(r"^```(\w+) needs=(\w+)$", r"*Needs: \2.*\n\n```\1", markdown, flags=re.MULTILINE)
