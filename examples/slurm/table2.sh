#!/bin/bash
# Table 2 on a SLURM cluster: a job for the stores, an array of one job a cell (fold, reduced class, seed), the table.
#
#   bash examples/slurm/table2.sh CORPUS=RAVDESS/ READER=ravdess PROFILE=paper SEEDS="0 1 2"
#
# Run it in the repository, on the login node, after `make` has installed; all its words are make's. From the
# environment: CPUS (4), GPUS (none; of a cell), LOGS (build/slurm), and SBATCH_PARTITION, SBATCH_TIMELIMIT, … which
# sbatch reads itself. A job that runs out of time, or is preempted, is queued again and goes on.
#SBATCH --job-name=table2
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail

: "${CPUS:=4}" "${LOGS:=build/slurm}" "${ROLE:=submit}"

# On SIGTERM make ends its tools, which save their states, and itself.
build() {
    local stopped='' code=0
    make "$@" &
    child=$!
    trap 'stopped=yes; kill -TERM "$child" 2>/dev/null' USR1 TERM
    while wait "$child" || code=$?; kill -0 "$child" 2>/dev/null; do code=0; done
    if [ "$stopped" ] && [ "$code" -ne 0 ]; then
        scontrol requeue "$SLURM_JOB_ID" || true # where SLURM itself has done so
        exit 0
    fi
    return "$code"
}

case $ROLE in
submit)
    if [ "$#" -eq 0 ]; then
        sed -n '2,8s/^# \{0,1\}//p' "$0"
        exit 2
    fi
    mkdir -p "$LOGS"
    # The cells of this table, in their order: a task's number is its line.
    cells=$(mktemp "$LOGS/cells.XXXXXX")
    make --silent cells2 "$@" > "$cells"
    export CELLS=$cells ROLE
    ROLE=stores
    stores=$(sbatch --parsable --cpus-per-task="$CPUS" --output="$LOGS/stores-%j.log" "$0" "$@")
    ROLE=cell
    array=$(sbatch --parsable --dependency="afterok:$stores" --kill-on-invalid-dep=yes --cpus-per-task="$CPUS" \
        ${GPUS:+--gpus="$GPUS"} --array="1-$(wc -l < "$cells")" --output="$LOGS/cell-%A-%a.log" "$0" "$@")
    ROLE=table
    table=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes \
        --output="$LOGS/table-%j.log" "$0" "$@")
    echo "$stores $array $table"
    ;;
stores) build stores2 "$@" ;;
cell) build cell CELL="$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$CELLS")" "$@" ;;
table) build table2 "$@" ;;
esac
