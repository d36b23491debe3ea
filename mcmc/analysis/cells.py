"""What the series of each cell (network, temperature) say about its equilibrium, read block by block."""

from itertools import pairwise

import numpy as np

from mcmc.analysis.blocks import Block, blocks_of, over_blocks, pieces
from mcmc.analysis.effective import effective_sample_size, nested_r_hat, r_hat
from mcmc.io.reader import RunData
from mcmc.io.schema import Key

COPIES = 2  # of the series of a block, measured


def measured_cells(data: RunData) -> dict[str, np.ndarray]:
    """What is asked of the series of each cell, (..., D, K), block by block.

    ess_energy, ess_overlap_l (l = 0, L), r_hat, nested_r_hat    as of `sizes_of_cells`
    rate                       effective draws of all replicas in a draw of the last half: a drift before it must not
                               pass for autocorrelation
    bins_energy, bins_overlap_l  (3, D, K) averages in the log bins
    bin_mean, bin_variance       (3, D, K) over the draws of a bin and all replicas
    """
    energy = data.series(Key.ENERGY)
    draw_bytes = 8 * energy.shape[3] + 24  # and two means of an overlap, twice while they are joined
    return over_blocks(blocks_of(energy.shape, COPIES * draw_bytes), lambda block: _of_block(data, block))


def _of_block(data: RunData, block: Block) -> dict[str, np.ndarray]:
    networks, temperatures = block
    energy = data.series(Key.ENERGY)[:, networks, temperatures]
    bins = log_bins(energy)
    found = {
        "ess_energy": _total_ess(energy),
        "rate": _total_ess(bins[0]) / len(bins[0]),
        "bins_energy": _bin_means(energy.mean(3)),
        "bin_mean": np.stack([part.mean((0, 3)) for part in bins]),
        "bin_variance": np.stack([part.var((0, 3)) for part in bins]),
    }
    if energy.shape[3] > 1:
        found |= {"r_hat": r_hat(energy), "nested_r_hat": nested_r_hat(energy)}
    if data.config.output.overlaps:
        for layer in (0, data.config.model.depth):
            means, single_means = _pair_means(data, block, layer)
            found[f"ess_overlap_{layer}"] = _total_ess(means[..., None])
            found[f"bins_overlap_{layer}"] = _bin_means(single_means)
    return found


def _pair_means(data: RunData, block: Block, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, d, k) means of q^l over pairs, which share replicas and are one series: in float64 and in float32."""
    networks, temperatures = block
    overlap, parts = data.series(Key.OVERLAP), []
    for draws in pieces(overlap):
        q = overlap[draws, networks, temperatures, :, layer : layer + 1][..., 0]
        parts.append((q.mean(3, dtype=np.float64), q.mean(3)))
    double, single = zip(*parts, strict=True)
    return np.concatenate(double), np.concatenate(single)


def _bin_means(series: np.ndarray) -> np.ndarray:
    return np.stack([part.mean(0, dtype=np.float64) for part in log_bins(series)])


def sizes_of_cells(data: RunData, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Effective draws, autocorrelation times and R-hats of each cell (D, K), as `Equilibration.cells` has them."""
    n_draws, _, _, n_replicas = data.series(Key.ENERGY).shape
    cells = {"ess_energy": measured["ess_energy"]}
    cells["tau_energy"] = _sweeps(data, n_draws * n_replicas, cells["ess_energy"])
    if data.config.output.overlaps:
        cells["ess_overlap"] = np.minimum(*(measured[f"ess_overlap_{layer}"] for layer in (0, data.config.model.depth)))
        cells["tau_overlap"] = _sweeps(data, n_draws, cells["ess_overlap"])
    return cells | {name: measured[name] for name in ("r_hat", "nested_r_hat") if name in measured}


def _sweeps(data: RunData, n_draws: int, size: np.ndarray) -> np.ndarray:
    """Integrated autocorrelation time in sweeps; infinite for frozen chains."""
    draws = np.divide(n_draws, size, out=np.full(size.shape, np.inf), where=size > 0)
    return data.config.run.measure_every * draws


def _total_ess(series: np.ndarray) -> np.ndarray:
    """(n, D, K, R) -> (D, K): effective draws of every chain about its own mean, added; a frozen chain has none."""
    size = np.where(np.ptp(series, axis=0) > 0, effective_sample_size(series), 0.0)
    return np.minimum(size, len(series)).sum(-1)


def log_bins(series: np.ndarray) -> list[np.ndarray]:
    """The last half, the quarter before it and the eighth before that."""
    edges = [len(series) >> shift for shift in range(4)]
    return [series[start:stop] for stop, start in pairwise(edges)]
