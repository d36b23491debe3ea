#!/usr/bin/env bash
# Measures again every line under benchmarks/results/ that a CPU gives, and makes the tables and figures of them.
#
#     benchmarks/all.sh            # about 13 minutes, on one core of a quiet machine
#     benchmarks/all.sh --short    # every part at its smallest, lines in OUT, nothing kept; a test runs it
#
# PYTHON: the interpreter (.venv/bin/python). PEER_PYTHON: that of the peers (.venv-peers/bin/python); where it is
# missing, the lines of peers stay as they are. PIN: what pins a command to a core ("taskset -c 1").
# ONLY: the names of the files to measure ("split io"), if not all. A part that fails is told at the end, and its old
# lines stay.
set -u
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python} peers=${PEER_PYTHON:-.venv-peers/bin/python} pin=${PIN-taskset -c 1}
short=false out=${OUT:-benchmarks/results}
[ "${1:-}" = --short ] && short=true && out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
export OMP_NUM_THREADS=1
failed=()

is_wanted() { [[ -z ${ONLY-} || " $ONLY " == *" $1 "* ]]; }

# run NAME COMMAND...: the lines of a command go after those that NAME has so far
run() {
    local name=$1
    shift
    is_wanted "$name" || return 0
    echo "$(date +%T) $name: $*"
    $pin env "$@" >>"$out/$name.jsonl.new" || failed+=("$name")
}

# keep NAME...: the new lines take the place of the old ones of the same processor
keep() {
    local name
    for name in "$@"; do
        is_wanted "$name" || continue
        if [[ " ${failed[*]-} " == *" $name "* ]]; then
            rm -f "$out/$name.jsonl.new"
        else
            "$python" benchmarks/keep_lines.py "$out/$name.jsonl" "$out/$name.jsonl.new"
        fi
    done
}

rm -f "$out"/*.jsonl.new
if $short; then
    run gradient "$python" benchmarks/gradient_table.py --activations tanh --shapes 128x1 --repetitions 3
    run avx512 MLP_GIBBS_SIMD=avx512 "$python" benchmarks/gradient_table.py --activations tanh --shapes 128x1 --repetitions 3
    run split "$python" benchmarks/split.py --n-inputs 32 --networks 2 --repetitions 3
    run io "$python" benchmarks/io.py --n-inputs 32 --networks 2 --repetitions 3 --sweeps 20
    run ceiling "$python" benchmarks/ceiling.py
    run ladders "$python" benchmarks/ladders.py --n-inputs 16 --networks 2 --ladders 4 3 --draws 20 --burn-in 50 --rounds 1
    run portable MLP_GIBBS_SIMD=portable "$python" benchmarks/sweep.py --n-inputs 32 --networks 2 --repetitions 3
    run scaling "$python" benchmarks/scaling.py --widths 16 32 64 --error-widths 8 16 32 --error-sweeps 20 --repetitions 3
else
    run gradient "$python" benchmarks/gradient_table.py
    run avx512 MLP_GIBBS_SIMD=avx512 "$python" benchmarks/gradient_table.py --activations tanh sin relu --repetitions 5
    pin='' run threads "$python" benchmarks/gradient_table.py --activations tanh --shapes 128x2 256x2 512x2
    run split "$python" benchmarks/split.py --n-inputs 128
    run split "$python" benchmarks/split.py --n-inputs 128 --networks 512 --temperatures 32 --replicas 2 --repetitions 7
    run split "$python" benchmarks/split.py --n-inputs 256
    run split "$python" benchmarks/split.py --n-inputs 512
    run io "$python" benchmarks/io.py
    run ceiling "$python" benchmarks/ceiling.py
    run ladders "$python" benchmarks/ladders.py --activation sin --n-inputs 128
    for n in 256 512 1024; do
        for case in "tanh 1" "sin 2" "relu 2"; do
            read -r activation depth <<<"$case"
            run portable MLP_GIBBS_SIMD=portable "$python" benchmarks/sweep.py --threads 1 --networks 4 --replicas 4 \
                --n-inputs $n --activation "$activation" --depth "$depth"
        done
    done
    for activation in tanh relu; do
        run scaling "$python" benchmarks/scaling.py --activation $activation --widths 128 256 512 1024 2048
    done
fi
$short || keep threads
keep gradient avx512 split io ceiling ladders portable scaling

if [ -x "$peers" ]; then
    for case in "tanh 256 2" "sin 128 4"; do
        read -r activation n beta <<<"$case"
        shape=(--activation "$activation" --depth 2 --n-inputs "$n" --peer-python "$peers")
        if $short; then
            shape=(--activation "$activation" --n-inputs 16 --networks 2 --peer-python "$peers")
            run peers "$python" benchmarks/peers.py "${shape[@]}" --repetitions 2
            run ess "$python" benchmarks/ess.py "${shape[@]}" --draws 50 --burn-in 50 --rounds 2 --temperatures 3 \
                --pilot-gradients 100
        else
            run peers "$python" benchmarks/peers.py "${shape[@]}"
            pin='' run peers "$python" benchmarks/peers.py "${shape[@]}" --cores 2
            run ess "$python" benchmarks/ess.py "${shape[@]}" --beta "$beta"
        fi
    done
    keep peers ess
else
    echo "no $peers (make bench-peers makes it): the lines of peers stay as they are"
fi

$short || "$python" benchmarks/performance_tables.py --write || failed+=(tables)
$short || "$python" benchmarks/performance_figures.py || failed+=(figures)
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
