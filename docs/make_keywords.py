"""Write what type checkers and editors know of the keywords that functions share with their verbs.

``python docs/make_keywords.py > sertools/api/typed.pyi``: names and types are those of `sertools.keywords`; a test
keeps them equal.
"""

import sys
from collections.abc import Iterator

from sertools.fields import REQUIRED, Keyword
from sertools.keywords import VERBS, keywords

HEAD = '''"""Keywords that functions share with their verbs, for type checkers; made by `make commands`."""

from collections.abc import Mapping, Sequence

from typing_extensions import Required, TypedDict
from typing_extensions import Unpack as Unpack

from sertools.api.running import AnyPath
from sertools.config import FrontEnd
'''


def annotation(keyword: Keyword) -> str:
    """Write the type of a keyword."""
    name = keyword.kind_name.replace("Path", "AnyPath")
    if keyword.default is REQUIRED:
        return f"Required[{name}]"
    return f"{name} | None" if keyword.default is None else name


def classes() -> Iterator[str]:
    """Write a class for each verb."""
    for verb in VERBS:
        name = "".join(part.capitalize() for part in verb.split("-"))
        yield f"\nclass {name}(TypedDict, total=False):\n"
        for keyword in keywords(verb).values():
            yield f"    {keyword.name}: {annotation(keyword)}\n"


def main() -> None:
    sys.stdout.write(HEAD + "".join(classes()))


if __name__ == "__main__":
    main()
