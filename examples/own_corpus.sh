#!/bin/bash
# Your own corpus with the imbalance that it has: every method on every fold, and one table.
#
#   bash examples/own_corpus.sh LABELS.csv OUT_DIR
#
# LABELS.csv has a line a recording: file, emotion, speaker (see docs/tutorial.md, or let `sertools corpus` print it).
# Settings come from the environment: FOLDS (3), SEEDS ("0"), PRESET (cpu), EMOTIONS (all; such as angry,happy,sad) and
# FRONT_END (options of extract). A file that is there is not made again: stop it with Ctrl-C and type the same line to
# go on. `make table3` does the same with more methods and with validation; this is the plain loop behind it.
set -euo pipefail

if [ "$#" -ne 2 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
fi
labels=$1 out=$2
: "${FOLDS:=3}" "${SEEDS:=0}" "${PRESET:=cpu}" "${EMOTIONS:=}" "${FRONT_END:=--mels 64 --frames 64 --tail overlap}"

once() { # file, then the tool that writes it
    [ -e "$1" ] || sertools "${@:2}" -o "$1"
}

# Folds that shared a seed would share more than their speakers: each has its own, for each purpose.
own_seed() { # purpose
    PYTHONPATH=$(dirname "$0")/.. python3 -m sertools.experiment --seed "$seed" "$fold" "" "$1"
}

mkdir -p "$out/results"
# Bad audio is left out, and `info` lists it with the reason.
# shellcheck disable=SC2086
once "$out/specs.h5" extract "$labels" --on-error skip $FRONT_END
once "$out/classes.h5" select "$out/specs.h5" ${EMOTIONS:+--where "emotion=$EMOTIONS"}
sertools info "$out/classes.h5"

for fold in $(seq "$FOLDS"); do
    dir=$out/fold$fold
    mkdir -p "$dir"
    once "$dir/test.h5" select "$out/classes.h5" --fold "$fold/$FOLDS"
    once "$dir/train.h5" select "$out/classes.h5" --fold "$fold/$FOLDS" -v
    for seed in $SEEDS; do
        generator=$(own_seed generator) augmentation=$(own_seed augmentation) classifier=$(own_seed classifier)
        # A fold's autoencoder and GAN know its training speakers only.
        once "$dir/ae-$seed" pretrain-ae "$dir/train.h5" --preset "$PRESET" --seed "$generator"
        once "$dir/latents-$seed.h5" fit-latents "$dir/ae-$seed" "$dir/train.h5" --cov pooled
        once "$dir/gan-$seed" finetune-gan "$dir/ae-$seed" "$dir/latents-$seed.h5" "$dir/train.h5" --preset "$PRESET" \
            --seed "$generator"
        once "$dir/synth-$seed.h5" generate "$dir/gan-$seed" --balance "$dir/train.h5" --seed "$generator"
        once "$dir/copies-$seed.h5" augment "$dir/train.h5" --strategy CP --seed "$augmentation"
        for method in imbalanced CP logit-adjust GAN; do
            case $method in
            imbalanced) reads=("$dir/train.h5") ;;
            CP) reads=("$dir/copies-$seed.h5") ;;
            logit-adjust) reads=("$dir/train.h5" --loss logit-adjust) ;;
            GAN) reads=("$dir/train.h5" "$dir/synth-$seed.h5") ;;
            esac
            once "$dir/$method-$seed" train-clf "${reads[@]}" --preset "$PRESET" --seed "$classifier"
            once "$out/results/$method-$fold-$seed.json" evaluate "$dir/$method-$seed" "$dir/test.h5" \
                --tag "method=$method" --tag "fold=$fold" --tag "seed=$seed"
        done
    done
done
sertools report "$out"/results/*.json --html "$out/report.html"
