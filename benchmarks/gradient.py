"""How close the production sampler comes to the speed limit of the processor.

    python benchmarks/gradient.py --activation tanh --depth 2 --n-inputs 256 --force-dtype float32 --threads 1

One JSON line: gradients x chains per second of whole sweeps (noise, trajectory, Metropolis test, exchange), counted
as 4 sum_l N_l N_(l-1) floating-point operations each, as a fraction of the fused multiply-adds per second that the same
threads reach with nothing else to do (`ceiling.py`), in interleaved runs. The fraction passes 1 where matrix products
run on a tile unit. With --clock cpu, of one thread, the time that other programs take is left out.
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from ceiling import fma_loop
from timing import interleaved, rate, report

from mcmc import native
from mcmc.config import parse_config
from mcmc.run.simulation import Simulation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--n-inputs", type=int, default=256)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--temperatures", type=int, default=16)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--n-leapfrog", type=int, default=10)
    parser.add_argument("--force-dtype", choices=["float32", "tf32", "bfloat16"], default="float32")
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
    config = parse_config(
        {
            "model": {
                "activation": arguments.activation,
                "n_inputs": arguments.n_inputs,
                "width_ratios": [1.0] * arguments.depth,
                "n_networks": arguments.networks,
            },
            "sampler": {
                "n_leapfrog": arguments.n_leapfrog,
                "step_size": 0.1,
                "force_dtype": arguments.force_dtype,
            },
            "tempering": {
                "beta_min": 0.1,
                "beta_max": 2.0,
                "n_temperatures": arguments.temperatures,
                "n_replicas": arguments.replicas,
            },
        }
    )
    simulation = Simulation.start(config, torch.device("cpu"))
    with ThreadPoolExecutor(arguments.threads) as pool:
        limit = fma_loop(engine, pool if arguments.threads > 1 else None, arguments.threads)
        peak_flops = limit()
        seconds = interleaved(
            {"sampler": simulation.advance, "limit": limit},
            repetitions=arguments.repetitions,
            clock=time.thread_time if arguments.clock == "cpu" else time.perf_counter,
        )
    gradients = arguments.networks * arguments.temperatures * arguments.replicas * arguments.n_leapfrog
    flops = 4 * sum(a * b for a, b in pairwise(config.model.widths))
    speed, peak = rate(gradients, seconds["sampler"]), rate(peak_flops, seconds["limit"])
    # of neighbours in time: what slows the machine down slows both
    fractions = [
        gradients * flops / s / (peak_flops / t) for s, t in zip(seconds["sampler"], seconds["limit"], strict=True)
    ]
    report(
        {
            "benchmark": "gradient",
            **{name: value for name, value in vars(arguments).items() if name != "threads"},
            "engine": engine,
            "chain_gradients_per_s": speed,
            "flops_per_s": speed["median"] * flops,
            "fma_peak_flops_per_s": peak["median"],
            "fraction_of_peak": statistics.median(fractions),
            "fraction_quartiles": statistics.quantiles(fractions, n=4)[::2],
        }
    )


if __name__ == "__main__":
    main()
