#!/bin/bash
# A dataset as a SLURM job array: one GPU for each task, on a file system that all nodes share.
#
#   array=$(sbatch --parsable --array=0-15 slurm-array.sh)
#   sbatch --dependency=afterany:$array --wrap "napari-pixcell dataset join twin"
#
# A task that was preempted or failed is submitted again under its number, such as --array=3,7.
# It makes only what is missing.
#SBATCH --job-name=twin
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=24G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --output=twin-%a.log
set -eu
# Keep the number of shards if you submit some of them again: --array=3,7 has another count.
SHARDS=${SHARDS:-16}
# All nodes must see the same references of real tissue, or copies are not checked.
export PIXCELL_DATA_DIR=${PIXCELL_DATA_DIR:-$HOME/pixcell-data}
# On CPUs, the last digits of an image depend on the number of threads.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}

srun napari-pixcell dataset make recipe.json --out twin --shard "$SLURM_ARRAY_TASK_ID/$SHARDS"
