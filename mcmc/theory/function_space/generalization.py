"""Annealed generalisation of continuous networks of depth L that learn P = alpha L N^2 one-bit examples.

The volume of weights at error eps from the teacher times the chance (1-eps)^P to have fitted every example,

    eps*(alpha) = argmax [ L S(eps) + alpha L ln(1-eps) ]        [Li and Saad, PRL 120, 248301 (2018), figure 2(c)]

eps = 1/2 (nothing learnt) is a maximum until alpha = pi^2/8 for L = 2 and at every alpha for L > 2, where
S ~ -(pi^2/8)(1-2 eps)^{2/L} has an infinite slope: the largest maximum jumps at alpha_t. At large alpha
eps* -> ((2^L-1)/L)/alpha.
"""

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from mcmc.theory.function_space.max_entropy import (
    branch_end,
    check_depth,
    maximum_against,
    shoot,
)

MAX_DEPTH = 12  # alpha_t grows like 2^L: deeper networks are solved as well, nobody has asked


@dataclass(frozen=True)
class Jump:
    """Where the most numerous networks begin to generalise.

    Attributes:
        load:  alpha_t.
        error: eps* just above it; 1/2 if the change is continuous.
    """

    load: float
    error: float


def generalization_error(load: float, depth: int) -> float:
    """eps*(alpha); 1/2 below alpha_t.

    Raises:
        UsageError: load is not positive and finite, or depth outside 1..MAX_DEPTH.
    """
    check_depth(depth, MAX_DEPTH)
    point = maximum_against(lambda error: math.log1p(-error), lambda error: 1 / (1 - error), load, depth)
    return 0.5 if point is None else point.error


def jump(depth: int) -> Jump:
    """alpha_t: 0 for one layer, pi^2/8 for two (both continuous), then a jump: 3.3643, 5.5327, 8.3375 for L = 3, 4, 5.

    Raises:
        UsageError: depth outside 1..MAX_DEPTH.
    """
    check_depth(depth, MAX_DEPTH)
    if depth <= 2:
        return Jump(0.0 if depth == 1 else math.pi**2 / 8, 0.5)

    def load(first: float) -> float:
        point = shoot(first, depth)
        return point.conjugate * (1 - point.error) / depth

    def advantage(first: float) -> float:
        point = shoot(first, depth)
        return point.entropy_density + load(first) * math.log(2 * (1 - point.error))

    end = branch_end(lambda t: math.log(load(t)), depth)
    low = end - 1.0
    while advantage(low) < 0:
        low -= 1.0
    first = brentq(advantage, low, end, xtol=1e-14, rtol=1e-14)
    return Jump(load(first), shoot(first, depth).error)


def asymptotic_error(load: float, depth: int) -> float:
    """((2^L-1)/L)/alpha."""
    return (2**depth - 1) / depth / load
