"""Integrals of 1/D and 1/D^2 over a stretch of constant x, without cancellation as x -> 0.

On such a stretch D falls linearly, D(q) = D_a (1 - y), y = alpha (q - a) / D_a, and

    int dq / D = (q - a)/D_a * h1(y),                  h1(y) = -log(1-y) / y
    int dq (q' - q) / D(q)^2 -> (q' - a)^2/D_a^2 h2(y),   h2(y) = [ -log(1-y) - y ] / y^2
"""

import numpy as np

from mcmc.theory.gaussian_field.covariance import Array

SMALL = 0.02  # below, 10 terms of the series leave an error of 0.02^10
N_TERMS = 10


def h1(y: Array) -> Array:
    """-log(1-y) / y for y < 1."""
    return 1 + y * h2(y)


def h2(y: Array) -> Array:
    """[ -log(1-y) - y ] / y^2 for y < 1."""
    y = np.asarray(y, dtype=float)
    is_small = np.abs(y) < SMALL
    safe = np.where(is_small, 0.5, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = (-np.log1p(-safe) - safe) / safe**2
    series = np.zeros_like(y)
    for n in range(N_TERMS + 1, 1, -1):
        series = series * np.where(is_small, y, 0.0) + 1 / n
    return np.where(is_small, series, direct)
