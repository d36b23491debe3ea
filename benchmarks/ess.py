"""Effective samples per second of the coldest temperature, energy and overlap: ours as given, tuned, and the peers.

One JSON line. Every sampler has the same networks and target; each peer gets the best of a small grid of step sizes and
trajectory lengths, found in a pilot that is not counted. What is counted: production seconds, all temperatures that a
sampler needs to be equilibrated included; what is divided by them: the effective draws (arviz-stats, chain by chain) of
all coldest chains. BlackJAX and TFP's HMC run the coldest temperature alone, which is kind to them where
it equilibrates; the line carries each sampler's mean energy, so that one that has not equilibrated can be seen.

    python benchmarks/ess.py --peer-python .venv-peers/bin/python --activation sin --depth 2 --n-inputs 128 --beta 4
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
from peers import PeerProcess, pin_to
from timing import report

from mcmc.analysis.effective import effective_sample_size
from mcmc.config import RunConfig, parse_config
from mcmc.pilot.advice import advise
from mcmc.pilot.trajectories import equilibrate

GRID = [(step, n) for n in (5, 10, 20) for step in (0.1, 0.2, 0.4)]
PEERS = ("blackjax", "numpyro", "tfp_hmc", "tfp_replica_exchange")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer-python", help="the interpreter of the peers' environment; without it, ours alone")
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--n-inputs", type=int, default=256)
    parser.add_argument("--beta", type=float, default=2.0)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--temperatures", type=int, default=12)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--force-dtype", default="bfloat16")
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    pin_to(arguments.cores)
    default = configuration(arguments)
    tuned = advise(default, n_gradients=3000).config
    line: dict[str, Any] = {
        "benchmark": "ess",
        **{name: value for name, value in vars(arguments).items() if name != "peer_python"},
        "tuned_sampler": tuned.sampler.model_dump(mode="json"),
        "tuned_temperatures": tuned.tempering.n_temperatures,
        "ours": ours(default, arguments.draws),
        "ours_tuned": ours(tuned, arguments.draws),
        "ours_tuned_low_precision": ours(with_forces(tuned, arguments.force_dtype), arguments.draws),
    }
    if arguments.peer_python:
        line |= peers(arguments, default)
    report(line)


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
            "tempering": {
                "beta_max": arguments.beta,
                "n_temperatures": arguments.temperatures,
                "n_replicas": arguments.replicas,
            },
            "run": {"n_burn_in": 500},
        }
    )


def with_forces(config: RunConfig, force_dtype: str) -> RunConfig:
    """The same run with forces of another precision."""
    return config.model_copy(update={"sampler": config.sampler.model_copy(update={"force_dtype": force_dtype})})


def ours(config: RunConfig, n_draws: int) -> dict[str, float]:
    """Burn in, then count effective draws of the coldest temperature per second of sweeping and measuring."""
    simulation = equilibrate(config)
    energies, overlaps = [], []
    start = time.perf_counter()
    for _ in range(n_draws):
        simulation.advance()
        measurement = simulation.measure()
        assert measurement.overlaps is not None
        energies.append(measurement.energy[:, -1])
        overlaps.append(measurement.overlaps.between[:, -1, :, 0])
    seconds = time.perf_counter() - start
    return rates(torch.stack(energies).numpy(), torch.stack(overlaps).numpy(), seconds, config.model.n_inputs)


def peers(arguments: argparse.Namespace, config: RunConfig) -> dict[str, dict[str, float]]:
    """Each peer with the best of the grid; replica exchange on our equalised ladder, the others at beta_max alone."""
    simulation = equilibrate(config)
    betas = [beta for beta in simulation.ladder.betas if beta > 0]
    found = {}
    for ladder, names in ((betas[-1:], PEERS[:-1]), (betas, PEERS[-1:])):
        with PeerProcess(
            arguments.peer_python, simulation, arguments.activation, betas=ladder, keeps_directions=True
        ) as process:
            for name in names:
                pilots = {point: run_peer(process, name, point, arguments, arguments.draws // 4) for point in GRID}
                best = max(pilots, key=lambda point: pilots[point]["energy_ess_per_s"])
                found[name] = run_peer(process, name, best, arguments, arguments.draws)
                found[name] |= {"step_size": best[0], "n_leapfrog": best[1]}
    return found


def run_peer(
    process: PeerProcess, name: str, point: tuple[float, int], arguments: argparse.Namespace, n_draws: int
) -> dict[str, float]:
    """One peer at one step size and length; its first fifth is burn-in, and not counted in the seconds either."""
    process.ask(
        do="build",
        label=name,
        sampler=name,
        step_size=point[0],
        n_leapfrog=point[1],
        n_chains=arguments.replicas,
        n_draws=n_draws,
    )
    seconds, record = process.record(do="call", label=name)
    kept = slice(n_draws // 5, None)
    energy = np.moveaxis(record["energy"][:, -1, :, kept], -1, 0)  # (draws, D, C)
    direction = np.moveaxis(record["direction"][:, -1, :, kept], 2, 0)
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    first, second = np.triu_indices(arguments.replicas, 1)
    overlap = np.einsum("ndpi,ndpi->ndp", direction[:, :, first], direction[:, :, second])
    return rates(energy, overlap, seconds * len(energy) / n_draws, arguments.n_inputs)


def rates(energy: np.ndarray, overlap: np.ndarray, seconds: float, n_inputs: int) -> dict[str, float]:
    """Effective draws per second of all chains (draws, D, C), and the means by which samplers can be compared."""
    return {
        "energy_ess_per_s": effective_draws(energy) / seconds,
        "overlap_ess_per_s": effective_draws(overlap) / seconds,
        "energy_density": float(energy.mean() / n_inputs),
        "mean_overlap": float(overlap.mean()),
        "seconds": seconds,
    }


def effective_draws(series: np.ndarray) -> float:
    """Of all chains; one that never moved counts for nothing."""
    return float((effective_sample_size(series) * (np.ptp(series, axis=0) > 0)).sum())


if __name__ == "__main__":
    main()
