"""Run directories of any length whose energies have a known law, so that every reader has something to say."""

from pathlib import Path

import numpy as np

from mcmc.config import parse_config
from mcmc.io.directory import RunDirectory
from mcmc.io.schema import DATASETS, TIME_SERIES, Key
from mcmc.io.segment import write_segment
from tests.support.segments import LENGTHS, attributes_of, invented_arrays

BETA = np.array([0.0, 0.3, 0.6, 1.0])
LAYERS, PAIRS, N_INPUTS = 2, 1, 8


def long_run(path: Path, n_segments: int, *, n_networks: int = 16, n_draws: int = 200) -> int:
    """Segments of independent draws: H ~ N(-beta, 1) as of a Gaussian density of states, q about 0.2 + 0.1 beta.

    Returns:
        bytes of the time series of a segment.
    """
    config = parse_config(
        {
            "model": {"activation": "linear", "n_inputs": N_INPUTS, "n_networks": n_networks},
            "tempering": {"betas": BETA.tolist()},
            "run": {"n_burn_in": 0, "n_sweeps": n_segments * n_draws},
            "output": {"n_bins": 10, "segment_sweeps": n_draws},
        }
    )
    directory = RunDirectory(path)
    directory.open_for(config, {})
    k, d = len(BETA), n_networks
    lengths = {"draw": n_draws, "network": d, "temperature": k, "other_temperature": k, "neighbour": k - 1, "slot": k}
    common = invented_arrays(**lengths) | {
        Key.BETA: BETA,
        Key.STEP_SIZE: np.full(k, 0.5),
        Key.N_LEAPFROG: np.full(k, 3),
    }
    for index in range(n_segments):
        rng = np.random.default_rng(index)
        q = 0.2 + 0.1 * BETA[:, None, None] + 0.1 * rng.standard_normal((n_draws, d, k, PAIRS, LAYERS))
        arrays = common | {
            Key.ENERGY: (rng.standard_normal((n_draws, d, k, 2)) - BETA[:, None]) / N_INPUTS,
            Key.OVERLAP: q,
            Key.SELF_OVERLAP: 1 + 0.05 * rng.standard_normal((n_draws, d, k, 2, LAYERS)),
            Key.MOMENT_SUM: np.stack([(q**m).sum((0, 3)) for m in (1, 2, 3, 4)], axis=-1),
        }
        scales = {axis: np.arange(length) for axis, length in (LENGTHS | lengths).items()}
        scales |= {"draw": n_draws * index + np.arange(1, n_draws + 1), "temperature": BETA}
        attributes = attributes_of(config, index) | {"first_sweep": n_draws * index + 1, "n_sweeps": n_draws}
        write_segment(directory.segment(index), arrays, scales, attributes)
    return sum(arrays[name].astype(DATASETS[name].dtype).nbytes for name in TIME_SERIES)
