"""Effective sample sizes, by arviz-stats."""

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
