#!/bin/bash
# A corpus on a SLURM cluster: extraction as an array job, then one fold of the experiment as a GPU job.
#
#   bash examples/slurm/experiment.sh labels.csv out/        submits both; run it on the login node
#
# Settings come from the environment: SHARDS (8), FOLD (1/5), REDUCED (angry), METHOD (gan; of those that `make
# settings` shows), SEED (0: other ones follow from it in every fold and for every class), CPUS (4), GPUS (none), TASKS
# (1: processes, with a GPU each, that train one net together), others that `make settings` shows (PRESET, FRONT_END,
# KEEP, ENCODER, AE_OPTS, …), and SBATCH_PARTITION, SBATCH_TIMELIMIT, … of sbatch.
# `sertools` must be on PATH in the jobs. A job that runs out of time, or is preempted, is queued again and goes on.
#SBATCH --job-name=sertools
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail

if [ "$#" -lt 2 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit 2
fi
labels=$1 out=$2 role=${3:-submit}
: "${SHARDS:=8}" "${FOLD:=1/5}" "${REDUCED:=angry}" "${METHOD:=gan}" "${SEED:=0}" "${PRESET:=paper}" "${CPUS:=4}"
: "${TASKS:=1}" "${FRONT_END:=}" "${ENCODER:=}"
# The chain runs in its own folder.
[ ! -e "$ENCODER" ] || ENCODER=$(realpath "$ENCODER")
export ENCODER
if [ -z "${COMMANDS:-}" ]; then
    # From the fold's training store to the method's classifier: a file and its command per line, with the seeds that
    # the fold and the class have in `make table2`. The jobs inherit them.
    COMMANDS=$(PYTHONPATH=$(dirname "$0")/../.. python3 -m sertools.experiment --steps \
        METHODS="$METHOD" CLASSES="$REDUCED" FOLD="${FOLD%/*}" SEEDS="$SEED" PROFILE=paper PRESET="$PRESET")
fi
export SHARDS FOLD REDUCED METHOD SEED CPUS TASKS FRONT_END COMMANDS

# Runs a command with a signal to stop it by. The shell must wait in the background of SLURM's signal, or bash would
# hold it back until the command ends.
stage() {
    local signal=$1 stopped='' code=0
    shift
    "$@" &
    child=$!
    trap 'stopped=yes; kill -'"$signal"' "$child" 2>/dev/null' USR1 TERM
    while wait "$child" || code=$?; kill -0 "$child" 2>/dev/null; do code=0; done
    trap - USR1 TERM
    # 75: the state is saved. Other tools start again; twenty times is too long for one of them.
    if [ "$code" -eq 75 ] || { [ "$stopped" ] && [ "$code" -ne 0 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; }; then
        scontrol requeue "$SLURM_JOB_ID" || true # where SLURM itself has done so
        exit 0
    fi
    return "$code"
}

# A stage whose output is there is done: a requeued job passes it by.
make_once() {
    [ -e "$1" ] || stage TERM sertools "${@:2}"
}

train_once() {
    local several=()
    [ "$TASKS" -eq 1 ] || several=(srun --ntasks="$TASKS" --cpus-per-task="$CPUS" --kill-on-bad-exit "$RANK_SH")
    [ -e "$1" ] || stage USR1 ${several[@]+"${several[@]}"} sertools "${@:2}"
}

case $role in
submit)
    mkdir -p "$out/shards" "$out/logs"
    # SLURM runs a copy of this script from elsewhere.
    RANK_SH=$(cd "$(dirname "$0")" && pwd)/rank.sh
    export RANK_SH
    array=$(sbatch --parsable --array="1-$SHARDS" --cpus-per-task=1 --output="$out/logs/extract-%a.log" \
        "$0" "$labels" "$out" extract)
    chain=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes --ntasks="$TASKS" --cpus-per-task="$CPUS" \
        ${GPUS:+--gpus="$GPUS"} --output="$out/logs/chain.log" "$0" "$labels" "$out" chain)
    echo "$array $chain"
    ;;
extract)
    rows=(extract "$labels" $FRONT_END)
    [ -z "$ENCODER" ] || rows=(embed "$labels" --encoder "$ENCODER" $FRONT_END)
    make_once "$out/shards/$SLURM_ARRAY_TASK_ID.h5" \
        "${rows[@]}" --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" --on-error skip -o "$out/shards/$SLURM_ARRAY_TASK_ID.h5"
    ;;
chain)
    cd "$out"
    make_once specs.h5 merge shards/*.h5 -o specs.h5
    make_once test.h5 select specs.h5 --fold "$FOLD" -o test.h5
    make_once full.h5 select specs.h5 --fold "$FOLD" -v -o full.h5
    # By a stream of its own: srun reads standard input.
    while read -r target verb words <&3; do
        case $verb in
        pretrain-ae | finetune-gan | train-clf) train_once "$target" "$verb" $words ;;
        *) make_once "$target" "$verb" $words ;;
        esac
    done 3<<< "$COMMANDS"
    make_once result.json evaluate "$METHOD.clf.safetensors" test.h5 -o result.json \
        --tag method="$METHOD" --tag fold="${FOLD%/*}" --tag reduced="$REDUCED" --tag seed="$SEED"
    sertools report result.json
    ;;
esac
