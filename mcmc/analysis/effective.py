"""Effective sample sizes and R-hat, by arviz-stats."""

from collections.abc import Callable

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

    NaN where all chains are constant.
    """
    return _of_cells(series, lambda cell: array_stats.rhat(cell, chain_axis=0, draw_axis=1, method="rank"))


def nested_r_hat(series: np.ndarray) -> np.ndarray:
    """Nested R-hat [Margossian et al. 2024], rank-normalised: (draws, D, K, R) -> (D, K).

    A superchain is a replica, which has an independent start, and its chains are the two halves of the run: what the
    replicas disagree about is held against all that happens within one, drift included. NaN as for `r_hat`.
    """
    superchains = np.arange(series.shape[-1])
    return _of_cells(
        series,
        lambda cell: array_stats.rhat_nested(cell, superchains, chain_axis=0, draw_axis=1, method="rank"),
    )


def _of_cells(series: np.ndarray, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
    n_draws, n_replicas = series.shape[0], series.shape[-1]
    flat = series.reshape(n_draws, -1, n_replicas).transpose(1, 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):  # constant chains
        return np.array([statistic(cell) for cell in flat]).reshape(series.shape[1:-1])
