"""Files between a training store and generated rows, by their kind: autoencoders, latents, generators."""

from __future__ import annotations

from dataclasses import dataclass

TRAIN = "train"  # among what an artefact needs: the training store, wherever it lies
DONORS = "donors"  # and the stores of other corpora


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """A file between a training store and generated rows.

    Attributes
    ----------
    file
        Its name in the folder.
    needs
        Names of others in the folder, `TRAIN`, or `DONORS`.
    line
        Verb and options; in braces settings, the generators' seed, the donors as options, and what a figure or an
        ablation adds.
    """

    file: str
    needs: tuple[str, ...]
    line: str


def _informed(autoencoder: str, cov: str) -> tuple[Artefact, ...]:
    """Give what has class means that donors inform."""
    return (
        Artefact(
            file="latents-informed.h5",
            needs=(autoencoder, TRAIN, DONORS),
            line=f"fit-latents $< {{train}} {{donors}} -o $@ --cov {cov} --device {{DEVICE}}",
        ),
        Artefact(
            file="gan0-informed.safetensors",
            needs=(autoencoder, "latents-informed.h5", TRAIN),
            line="finetune-gan $^ -o $@ --seed {generator} --device {DEVICE} --steps 0",
        ),
    )


# Of pictures and of vectors.
TRAINED = (
    Artefact(
        file="ae.safetensors",
        needs=(TRAIN,),
        line="pretrain-ae $< -o $@ --preset {PRESET} --seed {generator} --device {DEVICE} {ae} {width} {AE_OPTS}",
    ),
    Artefact(
        file="latents.h5",
        needs=("ae.safetensors", TRAIN),
        line="fit-latents $^ -o $@ --device {DEVICE} {COV_OPTS}",
    ),
    Artefact(
        file="gan.safetensors",
        needs=("ae.safetensors", "latents.h5", TRAIN),
        line="finetune-gan $^ -o $@ --preset {PRESET} --seed {generator} --device {DEVICE} {gan} {GAN_OPTS}",
    ),
    *(
        Artefact(
            file=f"{kind}.safetensors",
            needs=(TRAIN,),
            line=f"train-generator $< -o $@ --kind {kind} --preset {{PRESET}} --seed {{generator}} "
            "--device {DEVICE} {gen} {width} {GEN_OPTS}",
        )
        for kind in ("cvae", "diffusion", "cyclegan")
    ),
)
OF_PICTURES = (
    *TRAINED,
    Artefact(
        file="gauss.safetensors",
        needs=("ae.safetensors", "latents.h5", TRAIN),
        line="finetune-gan $^ -o $@ --preset {PRESET} --seed {generator} --device {DEVICE} --steps 0",
    ),
    Artefact(
        file="ae-pca.safetensors",
        needs=(TRAIN,),
        line="pretrain-ae $< -o $@ --latent pca --latent-size {PCA}",
    ),
    Artefact(
        file="latents-pca.h5",
        needs=("ae-pca.safetensors", TRAIN),
        line="fit-latents $^ -o $@ --cov pooled --device {DEVICE}",
    ),
    Artefact(
        file="gan0-pca.safetensors",
        needs=("ae-pca.safetensors", "latents-pca.h5", TRAIN),
        line="finetune-gan $^ -o $@ --seed {generator} --device {DEVICE} --steps 0",
    ),
    *_informed("ae-pca.safetensors", "pooled"),
)
# Vectors are drawn and moved where they lie.
OF_VECTORS = (
    *TRAINED,
    Artefact(
        file="ae-identity.safetensors",
        needs=(TRAIN,),
        line="pretrain-ae $< -o $@ --latent identity",
    ),
    Artefact(
        file="latents-tied.h5",
        needs=("ae-identity.safetensors", TRAIN),
        line="fit-latents $^ -o $@ --cov tied --device {DEVICE} {COV_OPTS}",
    ),
    Artefact(
        file="gauss.safetensors",
        needs=("ae-identity.safetensors", "latents-tied.h5", TRAIN),
        line="finetune-gan $^ -o $@ --seed {generator} --device {DEVICE} --steps 0",
    ),
    *_informed("ae-identity.safetensors", "tied"),
)
MODEL_OF_VECTORS = {"gan0-pca": "gauss"}
