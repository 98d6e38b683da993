"""Figures 2 and 3, the pictures of a table, and the paper's ablation as rules."""

from __future__ import annotations

from collections.abc import Mapping
from posixpath import basename

from sertools.experiment.folds import FOR_PICTURES, SPECS, folds
from sertools.experiment.methods import KNOWN
from sertools.experiment.paper_tables import PaperTable
from sertools.experiment.places import Place
from sertools.experiment.rules import OUT, Rule, Section
from sertools.experiment.settings import Settings

FIGURES = f"{OUT}/figures"
ABLATION = f"{OUT}/ablation"
# Of the demo.
PICTURES = "Pictures of Table 2"
ROWS = "real-and-generated.png"
CONFUSION = "confusion.png"
# A preset → what its pictures need beside it. The GAN's rates are the paper's: at the preset's 1e-4 a checkerboard
# comes in.
LONGER: Mapping[str, Mapping[str, str]] = {
    "cpu": {"ae": FOR_PICTURES, "gan": "--lr-g 1e-6 --lr-d 1e-6", "gen": "--steps 4000"}
}
# Without normalisation the original may learn nothing at 1e-3.
FIGURE_RATES = {"paper": "1e-3", "bagan": "3e-4"}
# A preset → what a net without normalisation needs to learn anything.
SLOWER = {"cpu": "--lr 3e-4"}
# The proposal, each change of §2.4 taken back, the original: options of pretrain-ae and of finetune-gan.
VARIANTS: Mapping[str, tuple[str, str]] = {
    "paper": ("--arch paper", ""),
    "upsample": ("--arch paper --up upsample", ""),
    "relu": ("--arch paper --activation relu", ""),
    "unnormalised": ("--arch paper --no-norm --dropout 0 {slower}", ""),
    "mixed": ("--arch paper", "--batches mixed"),
    "bagan": ("--arch bagan {slower}", ""),
    # Not taken back but added, as §4 announces.
    "batch-norm": ("--arch paper", "--condition-g batch-norm"),
    "projection": ("--arch paper", "--condition-d projection"),
    "both": ("--arch paper", "--condition-g batch-norm --condition-d projection"),
}


def _plot(target: str, needs: tuple[str, ...], options: str) -> Rule:
    return Rule(target=target, needs=needs, lines=(f"$(BIN)/sertools plot $^ -o $@ {options}",))


def figures(settings: Settings) -> Section:
    """Give the rules of Figures 2 and 3: a GAN of each architecture and a diffusion model on Table 2's classes."""
    longer = LONGER.get(settings["PRESET"], {})
    places = {
        arch: Place(
            folder=f"{FIGURES}/{arch}",
            train=SPECS,
            seed=settings["SEEDS"].split()[0],
            settings=settings,
            added={**longer, "ae": " ".join([f"--arch {arch}", *_autoencoder(arch, longer)])},
        )
        for arch in ("bagan", "paper")
    }
    rules = [rule for place in places.values() for rule in place.artefacts()]
    drawn = "generate $< --per-class 16 --seed {generator} --device {DEVICE} -o $@"
    moved = "generate $< --per-class 16 --translate {train} --seed {generator} --device {DEVICE} -o $@"
    samples = {arch: place.path("samples.h5") for arch, place in places.items()}
    rules += [place.rule(samples[arch], (place.path("gan.safetensors"),), drawn) for arch, place in places.items()]
    paper = places["paper"]
    diffusion = paper.path("diffusion.safetensors")
    diffused, carried = paper.path("diffused.h5"), paper.path("moved.h5")
    rules += [
        paper.rule(diffused, (diffusion,), drawn),
        paper.rule(carried, (diffusion, SPECS), moved),
        _plot(f"{OUT}/fig2.png", tuple(samples.values()), "--name 'original BAGAN' --name 'proposed GAN'"),
        _plot(
            f"{OUT}/fig3.png",
            (SPECS, samples["paper"], diffused, carried),
            "--name real --name 'proposed GAN' --name diffusion --name 'moved by diffusion'",
        ),
    ]
    return Section("Figures 2 and 3", tuple(rules))


def _autoencoder(arch: str, longer: Mapping[str, str]) -> tuple[str, ...]:
    return (longer["ae"], f"--lr {FIGURE_RATES[arch]}") if longer else ()


def pictures(settings: Settings, table: PaperTable) -> Section:
    """Give the rules of two pictures: new rows in Table 2's first cell, and what the last method confuses."""
    fold = folds(settings)[0]
    reduced = settings["CLASSES"].split()[0]
    cell = fold.cell(settings["SEEDS"].split()[0], reduced)
    last = basename(table.results[-1])
    confused = tuple(result for result in table.results if basename(result) == last)
    confusion = _plot(f"{OUT}/{CONFUSION}", confused, f"--title 'Trained with {last.removesuffix('.json')}'")
    if settings["ENCODER"]:
        methods = dict.fromkeys(basename(result).removesuffix(".json") for result in table.results)
        made = [name for name in methods if name in KNOWN and KNOWN[name].model]
        names = " ".join(f"--name '{reduced}, by {name}'" for name in made)
        stores = (fold.full, *(cell.path(f"{name}-alone.h5") for name in made))
        return Section(PICTURES, (_plot(f"{OUT}/{ROWS}", stores, f"--name 'all recordings' {names}"), confusion))
    drawn, moved = cell.path("samples.h5"), cell.path("moved.h5")
    gan, mover = cell.path("gan.safetensors"), cell.path("gan0-pca.safetensors")
    few = "generate $< --per-class 8 {how} --seed {generator} -o $@ --device {DEVICE}"
    rows = _plot(
        f"{OUT}/{ROWS}",
        (cell.train, drawn, moved),
        "--name real --name 'drawn by the GAN' --name 'moved from other classes'",
    )
    return Section(
        PICTURES,
        (
            cell.rule(drawn, (gan,), few, how=""),
            cell.rule(moved, (mover, cell.train), few, how=f"--translate {cell.train}"),
            rows,
            confusion,
        ),
    )


def ablation(settings: Settings) -> Section:
    """Give the rules of the ablation: on fold 1 with nothing removed, scored on its test speakers."""
    fold = folds(settings)[0]
    slower = SLOWER.get(settings["PRESET"], "")
    rules: list[Rule] = []
    scores = []
    for name, (ae, gan) in VARIANTS.items():
        for seed in settings["SEEDS"].split():
            place = Place(
                folder=f"{ABLATION}/{name}/seed{seed}",
                train=fold.full,
                seed=seed,
                settings=settings,
                fold=fold.number,
                added={"ae": ae.format(slower=slower), "gan": gan},
            )
            samples, score = place.path("samples.h5"), place.path("score.json")
            drawn = "generate $< --per-class 60 --seed {generator} --device {DEVICE} -o $@"
            scored = (
                "score {train} {samples} --heldout {test} --seed {seed} --device {DEVICE} "
                "--tag method={variant} --tag seed={seed} > $@.part"
            )
            made = place.rule(
                score, (fold.full, samples, fold.test), scored, samples=samples, test=fold.test, variant=name
            )
            rules += [
                *place.artefacts(),
                place.rule(samples, (place.path("gan.safetensors"),), drawn),
                Rule(target=made.target, needs=made.needs, lines=(*made.lines, "mv $@.part $@")),
            ]
            scores.append(score)
    lines = ("$(BIN)/sertools report $^ > $@.part", "mv $@.part $@")
    rules.append(Rule(target=f"{OUT}/ablation.txt", needs=tuple(scores), lines=lines))
    return Section("The paper's ablation", tuple(rules))
