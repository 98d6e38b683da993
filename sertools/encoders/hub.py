"""Encoders on the Hugging Face hub, by name; nothing else in the package makes a request.

``HF_HOME`` says where downloads are kept, and with ``HF_HUB_OFFLINE=1`` only those are used.
"""

from __future__ import annotations

from pathlib import Path

from sertools.encoders.weights import CONFIG, FRONT_ENDS, INDEX, SHARDS, WHOLE
from sertools.errors import ModelError, UsageError

PREFIX = "hf:"
NEEDED = "transformers is not installed; pip install 'sertools[encoder]'"


def fetch(name: str, *, cached: bool = False) -> tuple[Path, str]:
    """Download what an encoder needs: configuration, front end and safetensors; no pickle, no code.

    Parameters
    ----------
    name
        ``hf:OWNER/NAME@REVISION``; a branch, a tag or a commit, and the main branch without one.
    cached
        Take only what was downloaded before; nothing is requested.

    Returns
    -------
    folder : Path
        Where the files lie.
    hub : str
        Name and resolved commit, as ``OWNER/NAME@COMMIT``.

    Raises
    ------
    ModelError
        If the extra is not installed, or the hub, or the cache, has no such model.
    """
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    if not repository:
        raise UsageError(f"{name!r}: expected hf:OWNER/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ModelError(f"{name}: {NEEDED}") from error
    try:
        folder = Path(
            snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=[CONFIG, *FRONT_ENDS, WHOLE, INDEX, SHARDS],
                local_files_only=cached,
            )
        )
    # Its own errors and those of the HTTP library, which is another in every version.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{name}: not to be had ({reason}); see its name, HF_HUB_OFFLINE and the network") from error
    return folder, f"{repository}@{folder.name}"
