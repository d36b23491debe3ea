"""Exact overlap moments of linear networks at finite N_0, averaged over the networks: an answer without a saddle point.

H(x) = g.x is a von Mises-Fisher law given |g|, and for linear layers

    |g|^2 = (N_0/N_L) prod_l sigma_w^2/N_{l-1} * chi2_{N_L} chi2_{N_{L-1}} ... chi2_{N_0}      (independent)

With kappa = beta sqrt(N_0) |g|, t = x.g/(|g| sqrt(N_0)) and q = x.x'/N_0 of two replicas

    <t> = A(kappa) = I_{N/2}(kappa)/I_{N/2-1}(kappa),   <t^2> = 1 - (N-1) A/kappa,
    <q> = <t>^2,   <q^2> = <t^2>^2 + (1 - <t^2>)^2/(N-1).
"""

from itertools import product
from math import prod, sqrt

import numpy as np
from scipy.special import ive, roots_genlaguerre


def conditional_moments(kappa: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """<q> and <q^2> at given concentration."""
    mean = ive(n / 2, kappa) / ive(n / 2 - 1, kappa)
    square = 1 - (n - 1) * mean / kappa
    return mean**2, square**2 + (1 - square) ** 2 / (n - 1)


def exact_overlap_variance(beta: float, widths: tuple[int, ...], *, sigma_w: float = 1.0, n_nodes: int = 24):
    """(total, disorder) variance of q^0 over replicas and networks, and over networks of its mean.

    chi2_k is integrated with the Gauss-Laguerre rule of its own weight.
    """
    n0, depth = widths[0], len(widths) - 1
    rules = []
    for width in widths:
        nodes, weights = roots_genlaguerre(n_nodes, width / 2 - 1)
        rules.append(list(zip(2 * nodes, weights / weights.sum(), strict=True)))
    scale = n0 / widths[-1] * prod(sigma_w**2 / width for width in widths[:-1])
    norms, weights = [], []
    for combination in product(*rules):
        norms.append(sqrt(scale * prod(value for value, _ in combination)))
        weights.append(prod(weight for _, weight in combination))
    assert len(norms) == n_nodes ** (depth + 1)
    mean, square = conditional_moments(beta * sqrt(n0) * np.array(norms), n0)
    w = np.array(weights)
    average = float(w @ mean)
    return float(w @ square) - average**2, float(w @ mean**2) - average**2
