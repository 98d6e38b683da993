"""``sertools generate``: generator → store of generated rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument, output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.errors import UsageError
from sertools.spelling import spelled


@verb(dry_run=True)
def generate(
    gan: Annotated[Path, argument("GEN", "From finetune-gan or train-generator.")],
    out: Annotated[Path, output("SYNTH.h5", "The generated rows.")],
    **options: Any,
) -> None:
    """Generate rows of chosen classes.

    Give one of --balance, --per-class and --count. A GAN's latents are drawn from
    the class Gaussians, or by --smote. With --translate nothing is drawn: rows of
    other classes are moved by the map that the generator has learnt, and keep the
    details that it has not learnt. A WaveGAN makes sound, whose rows are those of
    the front end, or the encoder, of its training store.

    \b
    Example:
      sertools generate gan.safetensors --balance train.h5 -o synth.h5
      sertools generate gan.safetensors --balance train.h5 --smote train.h5 -o smote.h5
      sertools generate gan.safetensors --balance train.h5 --translate train.h5 --paste -o moved.h5
      sertools generate wavegan.safetensors --balance train.h5 --wavs wavs -o synth.h5
    """
    from sertools import api

    options["count"] = _read_counts(options["count"] or ())
    made = api.generate(gan, out, **options, progress=showing("generate", lambda p: (p.done, p.total, "")))
    voice.say(f"{out}: {', '.join(f'{n} {name}' for name, n in made.items() if n) or 'no rows'}")


def _read_counts(texts: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        name = spelled(name)
        if not (name and equals and number.isdecimal()):
            raise UsageError(f"--count {text!r}: expected CLASS=N, such as angry=100")
        if name in counts:
            raise UsageError(f"--count {text!r}: {name!r} has a number before; leave one out")
        counts[name] = int(number)
    return counts
