#!/usr/bin/env bash
# All that is measured and tested on a GPU, by the package's own command line: no workflow engine is needed, and no
# network. torch 2.11 or newer, timm and pandas have to be there; run it from the repository with the package on
# PYTHONPATH or installed. Real images: a folder that holds ear_chile/.
#
#   benchmarks/on_a_gpu.sh DATA_ROOT OUT
#
# OUT then holds the log; the tables are benchmarks/*.md. What is finished is not done again: an interrupted call goes on.
set -euo pipefail
data=$(realpath "$1") out=$(mkdir -p "$2" && realpath "$2")
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD:${PYTHONPATH:-}" OMP_NUM_THREADS=1
exec > >(tee -a "$out/log.txt") 2>&1

once() { # once NAME COMMAND...: run the command unless an earlier call finished it
  local name=$1
  shift
  [ -e "$out/$name.done" ] && return
  echo "== $name"
  "$@"
  touch "$out/$name.done"
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
# Among them, of every objective: captured steps against eager ones, by bytes (test_captured.py), and fits that are killed
# and go on (test_checkpoints.py). The names of those that fail are in the log. On an NVIDIA H200 with 16 cores these took
# two minutes in 14 processes (-n 14, pytest-xdist); what follows was run on no card yet (docs/performance.md).
once tests python -m pytest -q -rfE tests/training tests/test_gpus.py
once same-bytes python benchmarks/same_bytes.py --data-root "$data" --out "$out"
once captured python benchmarks/captured.py
once alternatives python benchmarks/alternatives.py --compile
once efficiency python benchmarks/efficiency.py --data-root "$data" --cells phantoms real-small "224 px"
once side-by-side python benchmarks/side_by_side.py --data-root "$data" --image-size 224
