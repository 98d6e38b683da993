#!/bin/bash
# Tells a process that srun starts which of them it is, as torchrun would; they then train one net together:
#
#   srun --ntasks=4 --gpus-per-task=1 --kill-on-bad-exit examples/slurm/rank.sh sertools train-clf train.h5 -o clf
set -euo pipefail

export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_STEP_NUM_TASKS LOCAL_RANK=$SLURM_LOCALID
# Where they meet: on the step's first machine, at a port that another job or step hardly has.
if [ -z "${MASTER_ADDR:-}" ]; then
    MASTER_ADDR=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n1)
fi
: "${MASTER_PORT:=$((20000 + (SLURM_JOB_ID * 16 + SLURM_STEP_ID) % 40000))}"
export MASTER_ADDR MASTER_PORT
exec "$@"
