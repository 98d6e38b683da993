#!/bin/bash
# A corpus on a SLURM cluster: extraction as an array job, then one fold of the experiment as a GPU job.
#
#   bash examples/slurm/experiment.sh labels.csv out/        submits both; run it on the login node
#
# Settings come from the environment: SHARDS (8), FOLD (1/5), REDUCED (angry), PRESET (paper), FRONT_END (options
# of extract), CPUS (4), GPUS (none), and SBATCH_PARTITION, SBATCH_ACCOUNT, … which sbatch reads itself. `sertools`
# must be on PATH in the jobs.
#SBATCH --job-name=sertools
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail

if [ "$#" -lt 2 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
fi
labels=$1 out=$2 role=${3:-submit}
: "${SHARDS:=8}" "${FOLD:=1/5}" "${REDUCED:=angry}" "${PRESET:=paper}" "${FRONT_END:=}" "${CPUS:=4}"
export SHARDS FOLD REDUCED PRESET FRONT_END

# A stage that SLURM stops saves its state and exits 75; the requeued job goes on from there. The shell must
# wait in the background of the signal, or bash would hold it back until the stage ends.
stage() {
    sertools "$@" &
    child=$!
    trap 'kill -USR1 "$child" 2>/dev/null' USR1 TERM
    local code=0
    while wait "$child" || code=$?; kill -0 "$child" 2>/dev/null; do code=0; done
    if [ "$code" -eq 75 ]; then
        scontrol requeue "$SLURM_JOB_ID"
        exit 0
    fi
    return "$code"
}

# A stage whose output is there is done: a requeued job passes it by.
make_once() {
    [ -e "$1" ] || stage "${@:2}" -o "$1"
}

case $role in
submit)
    mkdir -p "$out/shards" "$out/logs"
    array=$(sbatch --parsable --array="1-$SHARDS" --cpus-per-task=1 --output="$out/logs/extract-%a.log" \
        "$0" "$labels" "$out" extract)
    sbatch --parsable --dependency="afterok:$array" --cpus-per-task="$CPUS" ${GPUS:+--gpus="$GPUS"} \
        --output="$out/logs/chain.log" "$0" "$labels" "$out" chain
    ;;
extract)
    make_once "$out/shards/$SLURM_ARRAY_TASK_ID.h5" \
        extract "$labels" --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" --on-error skip $FRONT_END
    ;;
chain)
    cd "$out"
    make_once specs.h5 merge shards/*.h5
    make_once test.h5 select specs.h5 --fold "$FOLD"
    make_once full.h5 select specs.h5 --fold "$FOLD" -v
    make_once train.h5 select full.h5 --keep "$REDUCED=0.2"
    make_once ae.safetensors pretrain-ae train.h5 --preset "$PRESET"
    make_once latents.h5 fit-latents ae.safetensors train.h5
    make_once gan.safetensors finetune-gan ae.safetensors latents.h5 train.h5 --preset "$PRESET"
    make_once synth.h5 generate gan.safetensors --balance train.h5
    make_once clf.safetensors train-clf train.h5 synth.h5 --preset "$PRESET"
    make_once result.json evaluate clf.safetensors test.h5 --tag method=GAN --tag fold="${FOLD%/*}" --tag reduced="$REDUCED"
    sertools report result.json
    ;;
esac
