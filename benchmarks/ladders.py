"""Ladders of several lengths on one target: draws of the coldest temperature, round trips, and rejections foretold.

One JSON line a number of temperatures, all in turn on one core, the trajectories alike. What `mlp-gibbs tune` weighs
against each other when it chooses a ladder (`mcmc.exchange.barrier.fewest_temperatures`).

    python benchmarks/ladders.py --activation sin --depth 2 --n-inputs 128 --beta 4
"""

import math
from typing import Any

from cases import case_parser
from ess import Draws, configuration, ours, summary, with_forces
from peers import pin_to
from scipy.special import erf
from timing import report

from mcmc.exchange.barrier import dense_barrier, fewest_temperatures, rejection_rates
from mcmc.exchange.state import reset_statistics
from mcmc.pilot.trajectories import equilibrate
from mcmc.run.simulation import Simulation


def main() -> None:
    parser = case_parser(__doc__, depth=2, networks=4, replicas=16, n_leapfrog=4)
    parser.add_argument("--ladders", type=int, nargs="+", default=[14, 10, 9, 8, 6, 5], help="numbers of temperatures")
    parser.add_argument("--beta", type=float, default=4.0)
    parser.add_argument("--burn-in", type=int, default=600)
    parser.add_argument("--draws", type=int, default=600, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--force-dtype", default="bfloat16")
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    pin_to(arguments.cores)
    simulations: dict[int, Simulation] = {}
    for k in arguments.ladders:
        arguments.temperatures = k
        simulation = equilibrate(with_forces(configuration(arguments), arguments.force_dtype))
        reset_statistics(simulation.exchange)
        simulations[k] = simulation
    rounds: dict[int, list[Draws]] = {k: [] for k in simulations}
    for _ in range(arguments.rounds):
        for k, simulation in simulations.items():
            rounds[k].append(ours(simulation, arguments.draws)())
    settings = {name: value for name, value in vars(arguments).items() if name not in ("temperatures", "ladders")}
    longest = max(simulations)
    barrier = dense_barrier(rejection_rates(simulations[longest].exchange))
    for k, simulation in simulations.items():
        facts: dict[str, Any] = {
            "benchmark": "ladders",
            **settings,
            "temperatures": k,
            "rejection": float(rejection_rates(simulation.exchange).mean()),
            "rejection_foretold": None if k == longest else float(erf(0.5 * math.sqrt(math.pi) * barrier / (k - 1))),
            "barrier": barrier,
            "is_chosen": k == fewest_temperatures(barrier),
            "round_trips_per_s": int(simulation.exchange.round_trips.sum()) / sum(seconds for seconds, *_ in rounds[k]),
        }
        report(facts | summary(rounds[k]))


if __name__ == "__main__":
    main()
