"""How far a run is and whether it looks equilibrated so far: what `mlp-gibbs status` tells."""

from pathlib import Path
from typing import Any

from mcmc.analysis.equilibration import equilibration
from mcmc.analysis.trajectories import trajectory_report
from mcmc.config import parse_config
from mcmc.errors import InsufficientDataError
from mcmc.io.checkpoint import load_checkpoint
from mcmc.io.directory import RUN_FILE, UNTIL_ERROR_FILE, RunDirectory
from mcmc.io.reader import RunData, read_run
from mcmc.io.schema import Key


def run_health(path: Path) -> dict[str, Any]:
    """Everything that `status` prints, as plain values.

    Raises:
        RunDirectoryError, CheckpointError, SegmentError: the directory cannot be read.
    """
    directory = RunDirectory(path)
    config = parse_config(directory.read_json(RUN_FILE)["config"], source=str(directory.path / RUN_FILE))
    checkpoint = load_checkpoint(directory.checkpoints)
    n_total = config.run.n_burn_in + config.run.n_sweeps
    try:
        data = read_run(path)
    except InsufficientDataError:
        data = None
    sweep = checkpoint.meta["sweep"] if checkpoint else 0
    if data is not None:  # the youngest checkpoint may be lost, and the results that it counts on are there
        sweep = max(sweep, config.run.n_burn_in + data.n_sweeps)
    health: dict[str, Any] = {
        "directory": str(path),
        "state": "complete" if sweep >= n_total else "production" if sweep >= config.run.n_burn_in else "burn-in",
        "sweep": sweep,
        "n_total": n_total,
        "until_error": None,
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
    if (directory.path / UNTIL_ERROR_FILE).exists():
        record = directory.read_json(UNTIL_ERROR_FILE)
        if record["sweep"] == sweep - config.run.n_burn_in:  # else the run went on after it
            health |= {"state": "complete", "until_error": record}
    if data is None:
        return health
    health |= _rates(data)
    found = equilibration(data)
    return {
        **health,
        "n_segments": data.n_segments,
        "equilibrated": found.verdict,
        "reasons": found.reasons,
        "trajectories": trajectory_report(data),
    }


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
