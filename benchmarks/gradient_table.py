"""The production sampler over shapes, activations, precisions and threads, as fractions of the speed limit.

    python benchmarks/gradient_table.py > benchmarks/results/gradient.jsonl     # 3 minutes, on a quiet machine
    python benchmarks/gradient_table.py --short

One JSON line a shape and activation: the fraction of the fused multiply-add peak with float32 forces, the speed of
bfloat16 over float32 forces where the processor has tiles, and of two threads over one. All contestants of a line take
turns, so the ratios hold on a busy machine better than the rates. With --clock cpu threads are not compared.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from cases import config_of
from ceiling import fma_loop
from gradient import flops_per_gradient, sweeps
from timing import interleaved, report

from mcmc import native

SHAPES = [(n, depth) for n in (128, 256, 512) for depth in (1, 2, 3)] + [(1024, 1)]
ACTIVATIONS = ("linear", "tanh", "sin", "erf", "relu", "leaky_relu", "shaped_tanh", "shaped_relu")


def with_threads(n_threads: int, call: Callable[[], object]) -> Callable[[], None]:
    """The call on so many threads."""

    def threaded() -> None:
        torch.set_num_threads(n_threads)
        call()
        torch.set_num_threads(1)

    return threaded


def line(activation: str, depth: int, n_inputs: int, engine: str, *, repetitions: int, clock: str) -> dict[str, object]:
    """Medians of the ratios of neighbours in time."""
    case = {"activation": activation, "depth": depth, "n_inputs": n_inputs}
    config = config_of(**case)
    float32, gradients = sweeps(config)
    limit = fma_loop(engine)
    calls: dict[str, Callable[[], object]] = {"limit": limit, "float32": float32}
    work = {"float32": gradients}
    if native.coarse_parts(engine):
        calls["bfloat16"], work["bfloat16"] = sweeps(config_of(**case, force_dtype="bfloat16"))
    if clock == "wall" and len(os.sched_getaffinity(0)) > 1:
        two, work["two"] = sweeps(config)
        calls["two"] = with_threads(2, two)
    peak_flops = limit()
    seconds = interleaved(
        calls, repetitions=repetitions, clock=time.thread_time if clock == "cpu" else time.perf_counter
    )

    def ratio(of: str, to: str) -> float:
        pairs = zip(seconds[of], seconds[to], strict=True)
        return statistics.median(work[of] / a / (work[to] / b) for a, b in pairs)

    work["limit"] = peak_flops / flops_per_gradient(config)
    return {
        "benchmark": "gradient_table",
        "activation": activation,
        "depth": depth,
        "n_inputs": n_inputs,
        "engine": engine,
        "fraction_of_peak": ratio("float32", "limit"),
        "bfloat16_fraction_of_peak": ratio("bfloat16", "limit") if "bfloat16" in calls else None,
        "bfloat16_over_float32": ratio("bfloat16", "float32") if "bfloat16" in calls else None,
        "two_threads_over_one": ratio("two", "float32") if "two" in calls else None,
        "fma_peak_flops_per_s": statistics.median(peak_flops / s for s in seconds["limit"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--short", action="store_true", help="tanh and sin alone, three repetitions")
    parser.add_argument("--activations", nargs="+", choices=ACTIVATIONS, default=ACTIVATIONS)
    parser.add_argument("--shapes", nargs="+", metavar="NxL", default=[f"{n}x{depth}" for n, depth in SHAPES])
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    engine = native.fused_engine()
    if engine is None:
        raise SystemExit("no compiled kernels on this processor (or MLP_GIBBS_SIMD forbids them)")
    torch.set_num_threads(1)
    repetitions = 3 if arguments.short else arguments.repetitions
    for shape in arguments.shapes:
        n_inputs, depth = (int(number) for number in shape.split("x"))
        for activation in ("tanh", "sin") if arguments.short else arguments.activations:
            report(line(activation, depth, n_inputs, engine, repetitions=repetitions, clock=arguments.clock))


if __name__ == "__main__":
    main()
