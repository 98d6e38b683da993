"""``sertools generate``: generator → store of generated rows."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.completion import counts
from sertools.cli.options import Device, Seed, output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.errors import UsageError


@verb(dry_run=True)
def generate(
    gan: Annotated[
        Path, typer.Argument(metavar="GEN", help="From finetune-gan or train-generator.", show_default=False)
    ],
    out: Annotated[Path, output("SYNTH.h5", "The generated rows.")],
    balance: Annotated[
        Path | None,
        typer.Option(metavar="TRAIN.h5", help="As many as fill this store's classes to its majority."),
    ] = None,
    per_class: Annotated[int | None, typer.Option(metavar="N", min=0, help="The same number of every class.")] = None,
    count: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=N", help="A number for one class. Repeatable.", autocompletion=counts),
    ] = None,
    smote: Annotated[
        Path | None,
        typer.Option(metavar="TRAIN.h5", help="Draw latents between neighbours of this store's rows (SMOTE)."),
    ] = None,
    translate: Annotated[
        Path | None,
        typer.Option(metavar="TRAIN.h5", help="Move real rows of other classes into the wanted one."),
    ] = None,
    paste: Annotated[
        bool, typer.Option("--paste", help="With --translate: paste a region of a real row of the class into each.")
    ] = False,
    within_speaker: Annotated[
        bool,
        typer.Option(
            "--within-speaker", help="With --translate and a GAN: leave each speaker's own offset out of it."
        ),
    ] = False,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="With --translate and a diffusion model: how far towards noise. [0.6]",
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=100.0,
            metavar="W",
            help="Of a diffusion model: how far the class is overdone. [1; moving rows 3]",
        ),
    ] = None,
    denoise_steps: Annotated[
        int | None, typer.Option(min=2, max=1000, metavar="N", help="Of a diffusion model: steps to a picture. [18]")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Generate spectrograms of chosen classes.

    Give one of --balance, --per-class and --count. A GAN's latents are drawn from
    the class Gaussians, or by --smote. With --translate nothing is drawn: rows of
    other classes are moved, by the map that the generator has learnt, and keep
    what it does not hold.

    \b
    Example:
      sertools generate gan.safetensors --balance train.h5 -o synth.h5
      sertools generate gan.safetensors --balance train.h5 --smote train.h5 -o smote.h5
      sertools generate gan.safetensors --balance train.h5 --translate train.h5 --paste -o moved.h5
    """
    from sertools import api

    made = api.generate(
        gan,
        out,
        balance=balance,
        per_class=per_class,
        count=dict(_read_count(text) for text in count or ()),
        smote=smote,
        translate=translate,
        paste=paste,
        within_speaker=within_speaker,
        strength=strength,
        guidance=guidance,
        denoise_steps=denoise_steps,
        seed=seed,
        device=device,
        progress=showing("generate", lambda p: (p.done, p.total, "")),
    )
    voice.say(f"{out}: {', '.join(f'{n} {name}' for name, n in made.items() if n) or 'no rows'}")


def _read_count(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not (name and equals and number.isdecimal()):
        raise UsageError(f"--count {text!r}: expected CLASS=N, such as angry=100")
    return name, int(number)
