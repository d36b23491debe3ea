"""How far a run is and whether it looks equilibrated so far: what `mlp-gibbs status` tells."""

from pathlib import Path
from typing import Any

import numpy as np

from mcmc.analysis.estimate import Estimate, network_average
from mcmc.analysis.measured import identity_a, network_means
from mcmc.analysis.trajectories import trajectory_report
from mcmc.config import parse_config
from mcmc.errors import InsufficientDataError
from mcmc.io.checkpoint import load_checkpoint
from mcmc.io.directory import RUN_FILE, RunDirectory
from mcmc.io.reader import RunData, read_run
from mcmc.io.schema import Key

N_SIGMA = 4.0
MIN_DRAWS = 20  # fewer cannot be cut in halves that say anything
MIN_NETWORKS = 4  # fewer know their error so badly that nothing could ever deviate


def run_health(path: Path) -> dict[str, Any]:
    """Everything that `status` prints, as plain values.

    Raises:
        RunDirectoryError, CheckpointError, SegmentError: the directory cannot be read.
    """
    directory = RunDirectory(path)
    config = parse_config(directory.read_json(RUN_FILE)["config"], source=str(directory.path / RUN_FILE))
    checkpoint = load_checkpoint(directory.checkpoints)
    n_total = config.run.n_burn_in + config.run.n_sweeps
    sweep = checkpoint.meta["sweep"] if checkpoint else 0
    health: dict[str, Any] = {
        "directory": str(path),
        "state": "complete" if sweep >= n_total else "production" if sweep >= config.run.n_burn_in else "burn-in",
        "sweep": sweep,
        "n_total": n_total,
        "n_segments": 0,
        "n_segments_total": config.n_segments,
        "acceptance": None,
        "metropolis": None,
        "swap_rate": [],
        "barrier": None,
        "round_trips_mean": None,
        "round_trips_worst": None,
        "equilibrated": "unknown",
        "reasons": ["no results file is complete yet"],
        "trajectories": None,
    }
    try:
        data = read_run(path)
    except InsufficientDataError:
        return health
    health |= _rates(data)
    verdict, reasons = equilibration(data)
    return {
        **health,
        "n_segments": data.n_segments,
        "equilibrated": verdict,
        "reasons": reasons,
        "trajectories": trajectory_report(data),
    }


def equilibration(data: RunData) -> tuple[str, list[str]]:
    """("yes" | "no" | "unknown", reasons): identity A, agreement of the halves of the run, round trips."""
    n_draws, n_networks = data.energy.shape[:2]
    if n_draws < MIN_DRAWS or n_networks < MIN_NETWORKS:
        return "unknown", [
            f"needs {MIN_DRAWS} draws and {MIN_NETWORKS} networks, found {n_draws} draws of {n_networks} networks"
        ]
    findings = [_halves(data)]
    if data.config.output.overlaps:
        findings.append(_worst("identity A", identity_a(network_means(data)), data.beta))
    if data.config.tempering.exchange and len(data.beta) > 1:
        trips = data.arrays[Key.ROUND_TRIPS].mean((1, 2))
        slowest = int(trips.argmin())
        findings.append(
            (
                trips[slowest] >= 1,
                f"round trips per walker in the slowest network: {trips[slowest]:.1f} (wanted 1 or more)",
            )
        )
    return ("yes" if all(ok for ok, _ in findings) else "no"), [
        f"{'ok ' if ok else 'BAD'} {text}" for ok, text in findings
    ]


def _halves(data: RunData) -> tuple[bool, str]:
    """Do the first and the second half of production have the same energies, network by network?"""
    energy = data.energy.mean(3)
    middle = len(energy) // 2
    difference = energy[middle:].mean(0) - energy[:middle].mean(0)
    return _worst("first half = second half", [network_average(column) for column in difference.T], data.beta)


def _worst(name: str, differences: list[Estimate], beta: np.ndarray) -> tuple[bool, str]:
    distances = [abs(estimate.n_sigma(0.0) or 0.0) for estimate in differences]
    k = int(np.argmax(distances))
    agrees = all(estimate.agrees(0.0, n_sigma=N_SIGMA) for estimate in differences)
    allowed = differences[k].bound(N_SIGMA)
    return (
        agrees,
        f"{name}: largest deviation {distances[k]:.1f} sigma (allowed {allowed:.1f}), at beta = {beta[k]:.3g}",
    )


def _rates(data: RunData) -> dict[str, Any]:
    arrays = data.arrays
    rates: dict[str, Any] = {
        "acceptance": arrays[Key.ACCEPTANCE].mean((0, 2)).tolist(),
        "metropolis": float(arrays[Key.METROPOLIS_SUM].mean() / arrays[Key.N_STEPS]),
    }
    if Key.SWAP_ATTEMPTS in arrays and (arrays[Key.SWAP_ATTEMPTS] > 0).all():
        swap = arrays[Key.SWAP_ACCEPTANCE_SUM].mean((0, 2)) / arrays[Key.SWAP_ATTEMPTS]
        trips = arrays[Key.ROUND_TRIPS]
        rates |= {
            "swap_rate": swap.tolist(),
            "barrier": float((1 - swap).sum()),
            "round_trips_mean": float(trips.mean()),
            "round_trips_worst": int(trips.sum((1, 2)).min()),
        }
    return rates
