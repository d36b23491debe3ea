"""Effective sample sizes and R-hat, by arviz-stats."""

import numpy as np
from arviz_stats.base import array_stats


def effective_sample_size(series: np.ndarray) -> np.ndarray:
    """Effective draws for the mean of each chain, on its own [Vehtari et al. 2021, method "mean"].

    Args:
        series: (draws, ...), at least 4 draws; a constant series counts every draw.
    Returns:
        (...) float64.
    """
    flat = series.reshape(len(series), -1).T[:, None, :]
    return array_stats.ess(flat, chain_axis=1, draw_axis=2, method="mean").reshape(series.shape[1:])


def r_hat(series: np.ndarray) -> np.ndarray:
    """Split, rank-normalised R-hat of the replicas [Vehtari et al. 2021]: (draws, D, K, R) -> (D, K).

    Replicas start at independent points, each a superchain of its own, so that the nested R-hat of many short chains
    from common points has nothing to add. NaN where all chains are constant.
    """
    n_draws, n_replicas = series.shape[0], series.shape[-1]
    flat = series.reshape(n_draws, -1, n_replicas).transpose(1, 2, 0)
    with np.errstate(invalid="ignore"):  # constant chains
        values = [array_stats.rhat(cell, chain_axis=0, draw_axis=1, method="rank") for cell in flat]
    return np.array(values).reshape(series.shape[1:-1])
