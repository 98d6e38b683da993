"""From a generator's file to what makes rows: which net it is, and how rows are drawn by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sertools.encoders.reopening import encoder_of
from sertools.encoding import Encoding
from sertools.errors import UsageError
from sertools.generation.moving import ClassSwitch, Cycle, Flow, Mover
from sertools.generation.smote import fit_smote
from sertools.generation.sounding import FromSound, Sounding
from sertools.generation.translation import Translation, Translator
from sertools.generation.transport import GaussianMap
from sertools.generator_config import CYCLEGAN, DIFFUSION, GUIDANCE, KINDS, STRENGTH, WAVEGAN
from sertools.nets.cvae import Cvae
from sertools.nets.folding import folded
from sertools.provenance import Input, Inputs, digest_file
from sertools.store.format import same_front_end
from sertools.store.lineage import Lineage
from sertools.training.batches import Rows, open_rows
from sertools.training.checkpoint import Header, load_header
from sertools.training.cycle import load_translator
from sertools.training.drawing import FromLatents, RowMaker
from sertools.training.gan_file import KIND as GAN
from sertools.training.gan_file import load_encoder, load_generator
from sertools.training.health import D_AUC, D_AUC_ROWS
from sertools.training.likelihood import FromNoise, load_net
from sertools.training.runtime import computed_on, pick_encoder_precision, place
from sertools.training.sound_gan import load_wavegan


@dataclass(frozen=True)
class Denoising:
    """How a diffusion model's pictures are drawn; None leaves it as the model was trained for.

    Attributes
    ----------
    guidance
        How strongly the class is exaggerated: 1 is as learnt.
    n_steps
        Noise levels from noise to picture.
    """

    guidance: float | None = None
    n_steps: int | None = None


@dataclass(frozen=True)
class Ways:
    """How rows are drawn, beyond a generator's own way.

    Attributes
    ----------
    smote
        A store between whose rows a GAN's latents are drawn; without it they come from the class Gaussians.
    translation
        How real rows of other classes are moved into a class, in place of drawing any. A new row then names its
        source as `parent`, and in `params` the source's class and what was pasted.
    denoising
        How a diffusion model draws.
    sounding
        What is done with a WaveGAN's sound.
    """

    smote: Path | None = None
    translation: Translation | None = None
    denoising: Denoising = Denoising()
    sounding: Sounding = field(default_factory=Sounding)


OWN_WAY = Ways()


@dataclass(frozen=True)
class Opened:
    """A generator ready to make rows, and what they will say of where they come from.

    Attributes
    ----------
    header
        Of its file.
    source
        What makes the rows.
    inputs, options
        For the history.
    word
        For the rows' names.
    lineage
        Of all that was read.
    files
        Those that may not be written over.
    """

    header: Header
    source: RowMaker
    inputs: Inputs
    options: Mapping[str, object]
    word: str
    lineage: Lineage
    files: tuple[Path, ...]


def open_generator(path: Path, ways: Ways, device: torch.device) -> Opened:
    """Open a generator of any kind.

    Raises
    ------
    ModelError
        If a model file is missing, damaged or of another kind.
    StoreError
        If a store's front end is not the generator's, or it lacks what the way needs.
    UsageError
        If a way belongs to another kind of generator.
    """
    header = load_header(path, GAN, *KINDS)
    _check(path, header, ways)
    given = ways.smote or (ways.translation and ways.translation.train)
    rows = open_rows([given]) if given else None
    if rows:
        same_front_end(header.front_end, rows.front_end, str(path), rows.name)
    openings = {GAN: _from_gan, CYCLEGAN: _from_cyclegan, WAVEGAN: _from_wavegan}
    opening = openings.get(header.kind, _from_another)
    source, options, word = opening(path, header, ways, rows, device)
    facts = {name: header.facts[name] for name in (D_AUC, D_AUC_ROWS) if name in header.facts}
    inputs: dict[str, Input | list[Input]] = {"gan": Input(digest_file(path), header.history, facts)}
    lineage, files = header.lineage, [path]
    if isinstance(source, FromSound) and isinstance(header.front_end, Encoding):
        inputs["encoder"] = Input(header.front_end.encoder)
    if rows:
        inputs["smote" if ways.smote else "translate"] = rows.inputs
        lineage |= rows.lineage()
        files += rows.files
    return Opened(header, source, inputs, computed_on(device) | options, word, lineage, tuple(files))


def _check(path: Path, header: Header, ways: Ways) -> None:
    kind, translation = header.kind, ways.translation
    if ways.smote and translation:
        raise UsageError("--smote and --translate: give one of them")
    if translation and translation.paste and isinstance(header.front_end, Encoding):
        raise UsageError(f"--paste: pastes regions of pictures, and the rows of {path} are vectors; leave it out")
    if translation and translation.within_speaker and header.facts.get("informed"):
        raise UsageError(
            f"--within-speaker: fits the Gaussians again, and those of {path} are informed by donors; leave it out, "
            "or fit latents without --donor"
        )
    if kind != GAN and (ways.smote or (translation and translation.within_speaker)):
        option = "--smote" if ways.smote else "--within-speaker"
        raise UsageError(f"{option}: needs the latents of a GAN, and {path} is a {kind} file")
    if kind == CYCLEGAN and translation is None:
        raise UsageError(f"{path}: is a {kind} file, which moves rows and draws none; give --translate TRAIN.h5")
    if kind == WAVEGAN and translation:
        raise UsageError(f"--translate: moves rows, and {path}, a {kind} file, makes sound; leave it out")
    if ways.sounding.encoder is not None and (kind != WAVEGAN or not isinstance(header.front_end, Encoding)):
        raise UsageError(
            f"--encoder: belongs to a generator of sound for rows that are vectors, and {path} is a {kind} file of "
            f"{header.front_end.kind}; leave it out"
        )
    if kind != WAVEGAN and ways.sounding.wavs:
        raise UsageError(
            f"--wavs: belongs to a generator of sound, and {path} is a {kind} file; "
            "`to-wav` makes sound of a store of pictures"
        )
    if kind != DIFFUSION:
        if ways.denoising != Denoising():
            raise UsageError(
                f"--guidance and --denoise-steps: belong to a diffusion model, and {path} is a {kind} file"
            )
        if translation and translation.strength is not None:
            raise UsageError(f"--strength: belongs to a diffusion model, and {path} is a {kind} file")


_Made = tuple[RowMaker, dict[str, object], str]  # what makes rows, options for the history, a word for the names


def _from_gan(path: Path, header: Header, ways: Ways, rows: Rows | None, device: torch.device) -> _Made:
    _, generator, gaussians = load_generator(path)
    generator = place(folded(generator), device)
    if rows is None:
        return FromLatents(gaussians, generator, device), {}, ""
    how = ways.translation
    if how is None:
        return FromLatents(fit_smote(path, header, rows, device), generator, device), {}, "smote-"
    method = str(header.facts.get("cov"))
    mover = GaussianMap(load_encoder(path, header), generator, gaussians, device, method=method)
    if how.within_speaker:
        mover.centre(rows, header)
    options: dict[str, object] = {"paste": how.paste, "within_speaker": how.within_speaker}
    return Translator(mover, header, rows, device, paste=how.paste), options, f"{how.name}-"


def _from_cyclegan(path: Path, header: Header, ways: Ways, rows: Rows | None, device: torch.device) -> _Made:
    how = ways.translation
    assert rows is not None and how is not None  # noqa: PT018 - `_check` refuses
    mover = Cycle(place(load_translator(path)[1], device))
    return Translator(mover, header, rows, device, paste=how.paste), {"paste": how.paste}, f"{how.name}-"


def _from_wavegan(path: Path, header: Header, ways: Ways, rows: Rows | None, device: torch.device) -> _Made:
    _, net = load_wavegan(path)
    encoder, options = None, dict[str, object]()
    if isinstance(header.front_end, Encoding):
        precision = pick_encoder_precision("auto", device)
        encoder = encoder_of(header.front_end, str(path), ways.sounding.encoder, device, precision)
        options = computed_on(device, precision)
    return FromSound(net.to(device), header.front_end, encoder, device), options, ""


def _from_another(path: Path, header: Header, ways: Ways, rows: Rows | None, device: torch.device) -> _Made:
    _, net = load_net(path)
    place(net, device)
    how = ways.translation
    options: dict[str, object] = {}
    word = ""
    mover: Mover
    if isinstance(net, Cvae):
        source: RowMaker = FromLatents(net, folded(net.decoder), device)
        mover = ClassSwitch(net)
    else:
        usual = GUIDANCE if how else net.config.guidance
        guidance = usual if ways.denoising.guidance is None else ways.denoising.guidance
        n_steps = net.config.sampler_steps if ways.denoising.n_steps is None else ways.denoising.n_steps
        options, word = {"guidance": guidance, "denoise_steps": n_steps}, f"g{guidance:g}-n{n_steps}-"
        source = FromNoise(net, device, guidance, n_steps)
        strength = STRENGTH if how is None or how.strength is None else how.strength
        mover = Flow(net, strength, guidance, n_steps)
        if how:
            options["strength"] = strength
    if rows is None or how is None:
        return source, options, word
    return (
        Translator(mover, header, rows, device, paste=how.paste),
        options | {"paste": how.paste},
        how.name + "-" + word,
    )
