#!/bin/bash
# From wavs to an answer in eleven tools, in a few minutes on a laptop: does a GAN's speech help the rare class?
#
#   bash examples/quickstart.sh [OUT_DIR] [LABELS.csv]
#
# Without a labels CSV a small corpus is spoken on the spot (`pip install 'sertools[demo]'`). One class, REDUCED (angry),
# is cut down to a fifth; PRESET (smoke) sets the sizes of the trainings. `sertools` must be on PATH.
set -euo pipefail

out=${1:-quickstart}
: "${REDUCED:=angry}" "${PRESET:=smoke}"
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
if [ "$#" -lt 2 ]; then
    python "$here/demo_corpus.py" "$out/corpus" --speakers 6 --takes 1
    labels=$out/corpus/labels.csv
else
    labels=$2
fi

# Pictures of 64 mel bands and 64 frames, a quarter of the paper's.
sertools extract "$labels" -o "$out/specs.h5" --mels 64 --frames 64 --tail overlap
sertools info "$out/specs.h5"

# A third of the speakers is for testing, and no tool below sees them before `evaluate`.
sertools select "$out/specs.h5" --fold 1/3 -o "$out/test.h5"
sertools select "$out/specs.h5" --fold 1/3 -v -o "$out/full.h5"
sertools select "$out/full.h5" --keep "$REDUCED=0.2" -o "$out/train.h5"

# The paper's chain: an autoencoder, a Gaussian a class in its latent space, a GAN that starts from both.
sertools pretrain-ae "$out/train.h5" -o "$out/ae.safetensors" --preset "$PRESET"
sertools fit-latents "$out/ae.safetensors" "$out/train.h5" -o "$out/latents.h5" --cov pooled
sertools finetune-gan "$out/ae.safetensors" "$out/latents.h5" "$out/train.h5" -o "$out/gan.safetensors" --preset "$PRESET"
sertools generate "$out/gan.safetensors" --balance "$out/train.h5" -o "$out/synth.h5"
sertools plot "$out/train.h5" "$out/synth.h5" -o "$out/real-and-generated.png"

compare() { # method, then what train-clf reads
    local method=$1
    sertools train-clf "${@:2}" -o "$out/$method.clf" --preset "$PRESET"
    sertools evaluate "$out/$method.clf" "$out/test.h5" -o "$out/$method.json" \
        --tag "method=$method" --tag fold=1 --tag "reduced=$REDUCED"
}
compare imbalanced "$out/train.h5"
compare logit-adjust "$out/train.h5" --loss logit-adjust # costs nothing
compare GAN "$out/train.h5" "$out/synth.h5"

sertools report "$out/imbalanced.json" "$out/logit-adjust.json" "$out/GAN.json"
