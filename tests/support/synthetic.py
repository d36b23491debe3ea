"""Results of a run that never was: numbers with a law that the test chooses, in the shape of `read_run`."""

import numpy as np

from mcmc.config import parse_config
from mcmc.io.reader import RunData
from mcmc.io.schema import Key

BETA = np.array([0.0, 0.5, 1.0])


def synthetic_run(
    *,
    seed: int = 0,
    n_draws: int = 40,
    n_networks: int = 12,
    n_inputs: int = 64,
    drift: float = 0.0,
    violation: float = 0.0,
    round_trips: int = 5,
    overlaps: bool = True,
) -> RunData:
    """A run of 3 temperatures, 2 replicas, 2 layers, that obeys identity A on average.

    Args:
        drift:       added to every energy of the second half.
        violation:   added to every energy, so that identity A is off by it.
        round_trips: of every walker.
    """
    rng = np.random.default_rng(seed)
    k = len(BETA)
    q = np.clip(rng.normal(0.3 * BETA[:, None, None], 0.1, (n_draws, n_networks, k, 1, 2)), -1, 1)
    r = rng.normal(1.0, 0.05, (n_draws, n_networks, k, 2, 2))
    quenched = rng.normal(0, 0.05, (n_networks, k, 1))
    e = -BETA[:, None] * (1 - 0.3 * BETA[:, None]) + quenched + rng.normal(0, 0.05, (n_draws, n_networks, k, 2))
    e += violation
    e[n_draws // 2 :] += drift
    edges = np.tile(np.linspace(-1, 1, 41), (2, 1))
    counts = np.zeros((n_networks, k, 2, 42), dtype=np.int64)
    for d, t, layer in np.ndindex(n_networks, k, 2):
        counts[d, t, layer, 1:-1], _ = np.histogram(q[:, d, t, :, layer], bins=edges[layer])
    arrays = {
        Key.BETA: BETA,
        Key.STEP_SIZE: np.array([0.5, 0.4, 0.3]),
        Key.ENERGY: e,
        Key.ACCEPTANCE: np.full((n_networks, k, 2), 0.8),
        Key.METROPOLIS_SUM: np.full((n_networks, k, 2), 1.0 * n_draws),
        Key.N_STEPS: np.array(n_draws),
        Key.SWAP_ACCEPTANCE_SUM: np.full((n_networks, k - 1, 2), 0.25 * n_draws),
        Key.SWAP_ATTEMPTS: np.full(k - 1, n_draws // 2),
        Key.ROUND_TRIPS: np.full((n_networks, k, 2), round_trips),
    }
    if overlaps:
        arrays |= {
            Key.OVERLAP: q.astype(np.float32),
            Key.SELF_OVERLAP: r.astype(np.float32),
            Key.HISTOGRAM: counts,
            Key.EDGES: edges,
            Key.MOMENT_SUM: np.stack([(q**m).sum((0, 3)) for m in (1, 2, 3, 4)], axis=-1),
        }
    config = parse_config(
        {
            "model": {"activation": "tanh", "n_inputs": n_inputs, "n_networks": n_networks},
            "tempering": {"betas": BETA.tolist()},
            "run": {"n_sweeps": n_draws},
            "output": {"n_bins": 40, "overlaps": overlaps},
        }
    )
    return RunData(config, {}, arrays, config.n_segments, n_draws)
