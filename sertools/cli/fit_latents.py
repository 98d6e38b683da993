"""``sertools fit-latents``: autoencoder and stores → class Gaussians."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from sertools.cli.donors import donor_rows, print_table
from sertools.cli.options import Stores, argument, output, read_relabel
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def fit_latents(
    autoencoder: Annotated[Path, argument("AE", "From pretrain-ae.")],
    stores: Stores,
    out: Annotated[Path, output("L.h5", "The class Gaussians.")],
    **options: Any,
) -> None:
    """Model each class as a Gaussian in the latent space.

    A class of few rows has donors: other corpora that have it, of the same front
    end or encoder. The shift between both is fitted on the other classes; the
    mean is then as much the donors' as they are better known than our few rows.

    \b
    Example:
      sertools fit-latents ae.safetensors train.h5 -o latents.h5
      sertools fit-latents ae.safetensors train.h5 --donor emodb.h5 -o informed.h5
    """
    from sertools import api

    relabel = read_relabel(options["relabel"])
    gaussians = api.fit_latents(autoencoder, stores, out, **{**options, "relabel": relabel})
    size = gaussians.mean.shape[1]
    for name, n, rank, condition in zip(
        gaussians.classes, gaussians.n_rows, gaussians.rank, gaussians.condition, strict=True
    ):
        voice.say(f"{name}: {n} rows, covariance of rank {rank} of {size}, condition {condition:.3g}")
    if options["donor"]:
        _say_donors(api.info(out))


def _say_donors(described: Mapping[str, Any]) -> None:
    """Say what each donor tells, and what it weighs: a table on a terminal, else lines."""
    for donor in described["donors"]:
        match = (
            own if theirs == [own] else f"{own} ({', '.join(theirs)})" for own, theirs in donor["matched"].items()
        )
        unused = f"; ignored: {', '.join(donor['ignored'])}" if donor["ignored"] else ""
        near = "near" if donor["near"] else "far"
        voice.say(f"{donor['name']}: {near}; matched: {', '.join(match) or 'nothing'}{unused}")
        for corpus, licence in donor["licences"].items():
            voice.say(f"{donor['name']}: licence of {corpus}, for what is made with it too: {licence}")
    if voice.quiet:
        return
    rows = donor_rows(described["donors"], described["own"])
    if sys.stderr.isatty():
        print_table(rows, stderr=True)
        return
    for row in rows:
        voice.say("  ".join(f"{name} {value}" for name, value in row.items() if value))
