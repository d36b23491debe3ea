"""How close the production sampler comes to the speed limit of the processor.

    python benchmarks/gradient.py --activation tanh --depth 2 --n-inputs 256 --force-dtype float32 --threads 1

One JSON line: gradients x chains per second of whole sweeps (noise, trajectory, Metropolis test, exchange, checks),
counted as 4 sum_l N_l N_(l-1) floating-point operations each, as a fraction of the fused multiply-adds per second that
the same threads reach with nothing else to do (`ceiling.py`), in interleaved runs. The fraction passes 1 where matrix
products run on a tile unit. With --clock cpu, of one thread, the time that other programs take is left out.
`gradient_table.py` measures many shapes.
"""

import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import torch
from cases import advance, case_of, case_parser, config_of
from ceiling import fma_loop
from timing import interleaved, rate, report

from mcmc import native
from mcmc.config import RunConfig
from mcmc.run.simulation import Simulation

CALL_S = 0.03  # a timed call repeats sweeps to last about as long: single ones begin with the caches of another program


def sweeps(config: RunConfig) -> tuple[Callable[[], None], int]:
    """A call that advances a simulation by some sweeps, and the gradients x chains of it."""
    simulation = Simulation.start(config, torch.device("cpu"))
    simulation.advance()
    start = time.perf_counter()
    simulation.advance()
    n_sweeps = max(1, math.ceil(CALL_S / (time.perf_counter() - start)))

    d, k, r = simulation.shape
    assert isinstance(config.sampler.n_leapfrog, int)
    return partial(advance, simulation, n_sweeps), n_sweeps * d * k * r * config.sampler.n_leapfrog


def flops_per_gradient(config: RunConfig) -> int:
    """4 sum_l N_l N_(l-1)."""
    return 4 * sum(a * b for a, b in pairwise(config.model.widths))


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--force-dtype", choices=["auto", "float32", "tf32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    engine = native.fused_engine()
    if engine is None:
        raise SystemExit("no compiled kernels on this processor (or MLP_GIBBS_SIMD forbids them)")
    if arguments.clock == "cpu" and arguments.threads > 1:
        raise SystemExit("--clock cpu counts one thread")
    torch.set_num_threads(arguments.threads)
    config = config_of(**case_of(arguments), force_dtype=arguments.force_dtype)
    sampler, gradients = sweeps(config)
    with ThreadPoolExecutor(arguments.threads) as pool:
        limit = fma_loop(engine, pool if arguments.threads > 1 else None, arguments.threads)
        peak_flops = limit()
        seconds = interleaved(
            {"sampler": sampler, "limit": limit},
            repetitions=arguments.repetitions,
            clock=time.thread_time if arguments.clock == "cpu" else time.perf_counter,
        )
    flops = flops_per_gradient(config)
    speed, peak = rate(gradients, seconds["sampler"]), rate(peak_flops, seconds["limit"])
    # of neighbours in time: what slows the machine down slows both
    fractions = [
        gradients * flops / s / (peak_flops / t) for s, t in zip(seconds["sampler"], seconds["limit"], strict=True)
    ]
    report(
        {
            "chain_gradients_per_s": speed["median"],
            "flops_per_s": speed["median"] * flops,
            "fma_peak_flops_per_s": peak["median"],
            "fraction_of_peak": statistics.median(fractions),
            "fraction_quartiles": statistics.quantiles(fractions, n=4)[::2],
            "benchmark": "gradient",
            **{name: value for name, value in vars(arguments).items() if name != "threads"},
            "engine": engine,
        }
    )


if __name__ == "__main__":
    main()
