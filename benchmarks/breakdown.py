"""What a production sweep spends its time on, as one JSON line.

    python benchmarks/breakdown.py --n-inputs 128 --depth 1 --networks 4 --temperatures 16 --replicas 4
    python benchmarks/breakdown.py --n-inputs 128 --depth 1 --networks 512 --temperatures 32 --replicas 2

Shares of a sweep: the steps of all chains (noise, trajectories, Metropolis test), counters and exchange, and everything
else; the noise alone, drawn once more, beside them; and sweeps on two threads over one. All take turns on one
simulation, so that each finds the caches as in a run.
"""

import argparse
import statistics
from functools import partial

import torch
from gradient import configuration
from gradient_table import with_threads
from timing import interleaved, report

from mcmc.rng import Purpose
from mcmc.run.simulation import Simulation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--n-inputs", type=int, default=128)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--temperatures", type=int, default=16)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--force-dtype", choices=["auto", "float32", "bfloat16"], default="float32")
    parser.add_argument("--repetitions", type=int, default=101)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shape = {name: getattr(arguments, name) for name in ("networks", "temperatures", "replicas")}
    config = configuration(arguments.activation, arguments.depth, arguments.n_inputs, arguments.force_dtype, **shape)
    simulation = Simulation.start(config, torch.device("cpu"))
    simulation.advance()
    sums = [simulation.explore(simulation.sweep)]

    def explore() -> None:
        sums[0] = simulation.explore(simulation.sweep)

    def noise() -> None:
        for block in simulation.blocks:
            block.streams.normal(Purpose.TEST, simulation.sweep, simulation.system.n_sites, torch.float32)

    seconds = interleaved(
        {
            "sweep": simulation.advance,
            "steps": explore,
            "count_and_swap": lambda: simulation.count_and_swap(sums[0], simulation.sweep, simulation.sweep % 2),
            "noise": noise,
            "sweep_on_two_threads": with_threads(2, simulation.advance),
        },
        repetitions=arguments.repetitions,
    )
    share = partial(_median_ratio, seconds, of="sweep")
    report(
        {
            "benchmark": "breakdown",
            **vars(arguments),
            "seconds": {name: statistics.median(values) for name, values in seconds.items()},
            "share_of_steps": share("steps"),
            "share_of_count_and_swap": share("count_and_swap"),
            "share_of_the_rest": 1 - share("steps") - share("count_and_swap"),
            "noise_over_sweep": share("noise"),
            "two_threads_over_one": 1 / share("sweep_on_two_threads"),
        }
    )


def _median_ratio(seconds: dict[str, list[float]], name: str, *, of: str) -> float:
    return statistics.median(a / b for a, b in zip(seconds[name], seconds[of], strict=True))


if __name__ == "__main__":
    main()
