"""Effective samples per second of the coldest temperature, energy and overlap: ours as given, tuned, and the peers.

One JSON line a case. Every sampler has the same networks, target and number of chains, and takes turns with the others
on the same cores; each peer runs twice, with the trajectories of our default run (NAME_default) and with the best of a
grid of step sizes and lengths, found in a pilot that is not counted; replica exchange has the ladder of our default
run. What is counted: production seconds, of all the temperatures that a sampler runs; what is divided by them: the
effective draws of the coldest chains, those of one network (or its disjoint pairs of replicas) taken together, so that
chains caught in different valleys count for little.

BlackJAX, NumPyro, TFP's HMC and emcee run the coldest temperature alone, as `tuned_alone` does: cheaper by the number
of temperatures where that equilibrates, and every sampler's <e> and <q> with their errors are there to tell. emcee has
two walkers a site, since its moves need so many, and a tenth of the draws, each EMCEE_ROUNDS steps after the last.

    python benchmarks/ess.py --peer-python .venv-peers/bin/python --activation sin --depth 2 --n-inputs 128 --beta 4
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from arviz_stats.base import array_stats
from cases import case_parser
from peers import PeerProcess, pin_to
from timing import report

from mcmc.config import RunConfig, parse_config
from mcmc.pilot.advice import advise
from mcmc.pilot.trajectories import equilibrate
from mcmc.run.simulation import Simulation

LENGTHS, STEP_SIZES = (3, 5, 10), (0.1, 0.2, 0.3)
ALONE, TEMPERED = ("blackjax", "numpyro", "tfp_hmc"), ("tfp_replica_exchange",)
PILOT_DRAWS = 100
WALKERS_PER_SITE, EMCEE_ROUNDS, EMCEE_SHARE = 2, 20, 10  # as few walkers as emcee takes

# seconds of some draws, their energies (draws, D, C) and positions up to a factor (draws, D, C, n0)
Draws = tuple[float, np.ndarray, np.ndarray]


def main() -> None:
    parser = case_parser(__doc__, depth=2, networks=2, temperatures=12, replicas=16)
    parser.add_argument("--peer-python", help="the interpreter of the peers' environment; without it, ours alone")
    parser.add_argument("--beta", type=float, default=2.0)
    parser.add_argument("--burn-in", type=int, default=300)
    parser.add_argument("--draws", type=int, default=300, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pilot-gradients", type=int, default=2000)
    parser.add_argument("--force-dtype", default="bfloat16")
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    pin_to(arguments.cores)
    default = configuration(arguments)
    tuned, alone = (
        advise(config, n_gradients=arguments.pilot_gradients).config for config in (default, coldest_alone(default))
    )
    runs = {
        "default": default,
        "tuned": tuned,
        "tuned_low_precision": with_forces(tuned, arguments.force_dtype),
        "tuned_alone_low_precision": with_forces(alone, arguments.force_dtype),
    }
    simulations = {name: equilibrate(config) for name, config in runs.items()}
    contestants = {name: ours(simulation, arguments.draws) for name, simulation in simulations.items()}
    settings: dict[str, dict[str, Any]] = {name: settings_of(simulation) for name, simulation in simulations.items()}
    processes = []
    if arguments.peer_python:
        ladder = [beta for beta in simulations["default"].ladder.betas if beta > 0]
        for betas, names in ((ladder[-1:], ALONE), (ladder, TEMPERED)):
            process = PeerProcess(
                arguments.peer_python,
                simulations["default"],
                arguments.activation,
                betas=betas,
                keeps_directions=True,
            )
            processes.append(process)
            for name in names:
                first = settings["default"]["n_leapfrog"][-1], settings["default"]["step_size"][-1]
                for label, (length, step_size) in {
                    f"{name}_default": first,
                    name: best_of_grid(process, name, arguments),
                }.items():
                    contestants[label] = built(process, name, label, length, step_size, arguments)
                    settings[label] = {"n_leapfrog": length, "step_size": step_size, "betas": betas}
        alone = processes[0]
        contestants["emcee"] = lambda: run_emcee(alone, arguments)
        settings["emcee"] = {"n_leapfrog": 0, "step_size": 0.0, "betas": ladder[-1:]}
    rounds: dict[str, list[Draws]] = {name: [] for name in contestants}
    for _ in range(arguments.rounds):
        for name, draw in contestants.items():
            rounds[name].append(draw())
    for process in processes:
        process.__exit__()
    report(
        {
            "benchmark": "ess",
            **{name: value for name, value in vars(arguments).items() if name != "peer_python"},
            "samplers": {name: summary(found) | settings[name] for name, found in rounds.items()},
        }
    )


def configuration(arguments: argparse.Namespace) -> RunConfig:
    """The run as a user writes it first."""
    return parse_config(
        {
            "model": {
                "activation": arguments.activation,
                "n_inputs": arguments.n_inputs,
                "width_ratios": [1.0] * arguments.depth,
                "n_networks": arguments.networks,
            },
            "sampler": {"n_leapfrog": arguments.n_leapfrog},
            "tempering": {
                "beta_max": arguments.beta,
                "n_temperatures": arguments.temperatures,
                "n_replicas": arguments.replicas,
            },
            "run": {"n_burn_in": arguments.burn_in},
        }
    )


def coldest_alone(config: RunConfig) -> RunConfig:
    """The same chains at beta_max without exchange."""
    update = {"beta_min": config.tempering.beta_max, "n_temperatures": 1}
    return config.model_copy(update={"tempering": config.tempering.model_copy(update=update)})


def with_forces(config: RunConfig, force_dtype: str) -> RunConfig:
    """The same run with forces of another precision."""
    return config.model_copy(update={"sampler": config.sampler.model_copy(update={"force_dtype": force_dtype})})


def settings_of(simulation: Simulation) -> dict[str, Any]:
    """What a reader needs to repeat it."""
    sampler = simulation.config.sampler
    return {
        "kernel": sampler.kernel,
        "n_leapfrog": simulation.n_leapfrog,
        "steps_per_sweep": sampler.steps_per_sweep,
        "forces": simulation.forces,
        "step_size": simulation.tuner.step_size.tolist(),
        "betas": list(simulation.ladder.betas),
    }


def ours(simulation: Simulation, n_draws: int) -> Callable[[], Draws]:
    """A call that sweeps on, and keeps energy and position of the coldest chains after every sweep."""
    n_networks, _, n_replicas = simulation.shape
    network, replica = torch.arange(n_networks).unsqueeze(1), torch.arange(n_replicas)

    def call() -> Draws:
        energies, positions = [], []
        start = time.perf_counter()
        for _ in range(n_draws):
            simulation.advance()
            (chains,) = simulation.chains
            coldest = network, simulation.exchange.slot_of_temp[:, -1] * n_replicas + replica  # (D, R)
            energies.append(chains.energy[coldest])
            positions.append(chains.x[coldest])
        seconds = time.perf_counter() - start
        return seconds, torch.stack(energies).numpy(), torch.stack(positions).numpy()

    return call


def best_of_grid(process: PeerProcess, name: str, arguments: argparse.Namespace) -> tuple[int, float]:
    """The length and step size of a peer that give most effective draws of the energy per second."""
    rates = {}
    for length in LENGTHS:
        build(process, name, name, length, arguments, PILOT_DRAWS)
        for step_size in STEP_SIZES:
            found = summary([run_peer(process, name, step_size)])
            rates[length, step_size] = found["energy_ess_per_s"]
    return max(rates, key=lambda point: rates[point])


def built(
    process: PeerProcess, name: str, label: str, length: int, step_size: float, arguments: argparse.Namespace
) -> Callable[[], Draws]:
    """A call that draws with a peer."""
    n_draws = arguments.draws + arguments.burn_in
    build(process, name, label, length, arguments, n_draws)
    return lambda: run_peer(process, label, step_size, arguments.burn_in)


def build(
    process: PeerProcess, name: str, label: str, length: int, arguments: argparse.Namespace, n_draws: int
) -> None:
    """Compile a peer."""
    process.ask(
        do="build",
        label=label,
        sampler=name,
        step_size=STEP_SIZES[0],
        n_leapfrog=length,
        n_chains=arguments.replicas,
        n_draws=n_draws,
    )


def run_peer(process: PeerProcess, name: str, step_size: float, n_burn_in: int = PILOT_DRAWS // 4) -> Draws:
    """Draws from fresh starting points; those of the burn-in are left out, and so is their share of the seconds."""
    return kept_draws(*process.record(do="call", label=name, step_size=step_size), n_burn_in)


def run_emcee(process: PeerProcess, arguments: argparse.Namespace) -> Draws:
    """Draws of emcee, the same way."""
    n_draws = (arguments.draws + arguments.burn_in) // EMCEE_SHARE
    n_walkers = WALKERS_PER_SITE * arguments.n_inputs
    found = process.record(do="emcee", n_walkers=n_walkers, n_draws=n_draws, rounds=EMCEE_ROUNDS)
    return kept_draws(*found, arguments.burn_in // EMCEE_SHARE)


def kept_draws(seconds: float, record: dict[str, np.ndarray], n_burn_in: int) -> Draws:
    """Those of the coldest temperature after the burn-in, and their share of the seconds."""
    kept, n_draws = slice(n_burn_in, None), record["energy"].shape[-1]
    energy = np.moveaxis(record["energy"][:, -1, :, kept], -1, 0)
    direction = np.moveaxis(record["direction"][:, -1, :, kept], 2, 0)
    return seconds * len(energy) / n_draws, energy, direction


def summary(rounds: list[Draws]) -> dict[str, Any]:
    """Effective draws per second (medians over rounds), and the means by which samplers can be compared."""
    energies, overlaps, rates = [], [], []
    for seconds, energy, position in rounds:
        energies.append(energy / position.shape[-1])
        overlaps.append(overlaps_of(position))
        rates.append([float(effective_draws(series).sum()) / seconds for series in (energies[-1], overlaps[-1])])
    return {
        "energy_ess_per_s": statistics.median(rate[0] for rate in rates),
        "overlap_ess_per_s": statistics.median(rate[1] for rate in rates),
        "energy_density": estimate(energies),
        "mean_overlap": estimate(overlaps),
        "draws_per_s": statistics.median(len(energy) / seconds for seconds, energy, _ in rounds),
    }


def overlaps_of(position: np.ndarray) -> np.ndarray:
    """(draws, D, C, n0) -> (draws, D, C/2), of directions in disjoint pairs: pairs that share a chain are not
    independent, and would be counted as if they were."""
    x = position / np.linalg.norm(position, axis=-1, keepdims=True)
    n_paired = x.shape[2] // 2 * 2
    return np.einsum("ndpi,ndpi->ndp", x[:, :, 0:n_paired:2], x[:, :, 1:n_paired:2])


def effective_draws(series: np.ndarray) -> np.ndarray:
    """(draws, D, chains) -> (D,) of all chains of a network together; none for chains that never moved."""
    size = [array_stats.ess(cell.T, chain_axis=0, draw_axis=1, method="mean") for cell in np.moveaxis(series, 1, 0)]
    return np.where((np.ptp(series, axis=0) > 0).all(axis=-1), size, 0.0)


def estimate(rounds: list[np.ndarray]) -> list[float]:
    """[mean over the networks, its standard error at these networks]."""
    variance, size, mean = 0.0, 0.0, np.mean([series.mean(axis=(0, 2)) for series in rounds], axis=0)
    for series in rounds:
        size = size + np.maximum(effective_draws(series), 1.0)
        variance = variance + series.var(axis=(0, 2)) / len(rounds)
    return [float(mean.mean()), float(np.sqrt((variance / size).sum()) / len(mean))]


if __name__ == "__main__":
    main()
