"""Where the time of a sweep goes: the steps of trajectories, replica exchange with its counters, and all the rest.

One JSON line, from three simulations that take turns: as given, without exchange, and with trajectories twice as long.
What longer trajectories add is the share of steps; what exchange adds is its share; the rest is what a sweep costs
before it moves: noise, energies, Metropolis test, checks, Python.

    python benchmarks/split.py --n-inputs 128 [--networks 512 --temperatures 32 --replicas 2]
"""

import statistics
from functools import partial

import torch
from cases import advance, case_of, case_parser, config_of, simulation_of
from timing import interleaved, report


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--force-dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--sweeps", type=int, default=16, help="of a turn: a run does several in a call")
    parser.add_argument("--repetitions", type=int, default=31)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    case = case_of(arguments) | {"force_dtype": arguments.force_dtype}
    tempering = config_of(**case).tempering.model_dump(exclude_none=True)
    configs = {
        "sweep": config_of(**case),
        "without_exchange": config_of(**case, tempering=tempering | {"exchange": False}),
        "twice_as_long": config_of(**case | {"n_leapfrog": 2 * arguments.n_leapfrog}),
    }
    cpu = torch.device("cpu")
    contestants = {}
    for name, config in configs.items():
        contestants[name] = partial(advance, simulation_of(config, cpu), arguments.sweeps)
    seconds = interleaved(contestants, repetitions=arguments.repetitions)

    def share(more: str, less: str) -> float:
        turns = zip(seconds[more], seconds[less], seconds["sweep"], strict=True)
        return statistics.median((a - b) / sweep for a, b, sweep in turns)

    steps, exchange = share("twice_as_long", "sweep"), share("sweep", "without_exchange")
    report(
        {
            "benchmark": "split",
            **vars(arguments),
            "milliseconds": 1000 * statistics.median(seconds["sweep"]) / arguments.sweeps,
            "steps": steps,
            "exchange": exchange,
            "rest": 1 - steps - exchange,
        }
    )


if __name__ == "__main__":
    main()
