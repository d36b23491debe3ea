#!/usr/bin/env bash
# Everything that only a GPU can tell, in one call of under 8 minutes on an H200: build, tests marked cuda, numbers.
#
#     benchmarks/gpu_all.sh          results.jsonl and log.txt in $OUT, or in benchmarks/results/gpu
#     benchmarks/gpu_all.sh --dry    the same parts on the CPU at tiny sizes, nothing built: no typo is left for the day
#
# A part that fails or runs out of its time is reported, the others go on, and the exit code is 1.
set -u
cd "$(dirname "$0")/.."
out=${OUT:-benchmarks/results/gpu}
mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: >"$out/results.jsonl"
: >"$out/log.txt"
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)
fi
export PYTHONPATH=. PYTHONUNBUFFERED=1
failed=()
total=470 # seconds, of all parts

# part NAME SECONDS COMMAND...: run within that time and what is left of all; JSON lines to results.jsonl, all else to log.txt
part() {
    local name=$1 limit=$2 start=$SECONDS
    shift 2
    [ "$limit" -gt $((total - SECONDS)) ] && limit=$((total - SECONDS))
    if [ "$limit" -lt 3 ]; then
        echo "== $name: no time left"
        failed+=("$name")
        return
    fi
    timeout "$limit" "$@" >"$scratch/out" 2>"$scratch/err"
    local code=$?
    local told="== $name: exit code $code after $((SECONDS - start)) s"
    grep '^{"' "$scratch/out" >>"$out/results.jsonl"
    { echo "$told" && grep -v '^{"' "$scratch/out"; cat "$scratch/err"; } >>"$out/log.txt"
    echo "$told"
    cat "$scratch/out"
    if [ $code -ne 0 ]; then
        failed+=("$name")
        tail -n 15 "$scratch/err"
    fi
}

if [ "${1:-}" = --dry ]; then
    small="--device cpu --widths 8 16 --networks 2 --temperatures 2 --replicas 2 --repetitions 4"
    scaling="--device cpu --widths 8 16 32 --networks 2 --chains 16 --error-widths 8 16 --error-steps 4 8 --error-sweeps 4"
    scaling="$scaling --repetitions 2"
    io="--device cpu --n-inputs 8 --networks 2 --temperatures 2 --sweeps 4 --repetitions 2"
    exchange="--repetitions 2"
    part tests 60 "$PYTHON" -m pytest -q -m cuda tests/cpp_ext/test_cuda_device.py tests/run/test_graph.py
else
    small=
    scaling="--device cuda --force-dtype tf32 --widths 128 256 512 1024 2048 --networks 64 --error-sweeps 100"
    io="--device cuda --networks 64"
    exchange="--device cuda --repetitions 11"
    part build 150 env MLP_GIBBS_CUDA=1 TORCH_CUDA_ARCH_LIST="${TORCH_CUDA_ARCH_LIST:-9.0}" \
        "$PYTHON" setup.py build_ext --inplace
    # tests that find no device are skipped, which is not passing them
    part device 20 "$PYTHON" -c 'import torch; from mcmc import native; from benchmarks.timing import machine
assert torch.cuda.is_available(), "torch sees no CUDA device"
assert native.description()["cuda_kernels"], "the extension has no CUDA kernels"
print(machine())'
    part tests 80 "$PYTHON" -m pytest -q -m cuda tests
fi
part ceiling 30 "$PYTHON" benchmarks/gpu.py ceiling $small
part gradient 120 "$PYTHON" benchmarks/gpu.py gradient $small
part gaps 30 "$PYTHON" benchmarks/gpu.py gaps ${small:---widths 256}
part accuracy 40 "$PYTHON" benchmarks/gpu.py accuracy ${small:---widths 256}
part scaling 60 "$PYTHON" benchmarks/scaling.py $scaling
part exchange 30 "$PYTHON" benchmarks/exchange.py $exchange
part io 40 "$PYTHON" benchmarks/io.py $io

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
