"""Averages of functions of one or two Gaussian variables that may have a kink at zero: E f(u) and E f(u, v).

Composite Gauss-Legendre rules that never step over u = 0 or v = 0, so that they converge for a kinked activation as
they do for a smooth one: half-lines in one dimension, sectors between the kinks in two. Any moment of phi is then a
sum. The two-point functions K(C; S) = E phi(u) phi(v) with their derivatives are dual activations
(`mcmc.theory.gaussian_field.dual_activation`); the averages here are what those do not give: four factors, unequal
variances, derivatives in the variances.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import roots_legendre
from torch import Tensor

from mcmc.systems.mlp.activations import Activation
from mcmc.theory.quadrature import GaussianRule

Array = NDArray[np.float64]
REACH = 10.5  # beyond it the Gaussian weight is 1e-24; Hermite polynomials of order 8 and phi^4 multiply it
N_LEGENDRE = 24  # nodes of a panel
PANEL = 1.5  # longest panel, in standard deviations and in units of the argument of phi


def line_rule(variance: float) -> GaussianRule:
    """E f(g) for g ~ N(0, 1) where f(g) = F(sqrt(S) g) and F is smooth but for a kink at zero.

    Args:
        variance: S >= 0; the panels follow the scale 1 / sqrt(S) on which F turns over.
    """
    nodes, weights = _panels(0.0, REACH, max(1.0, math.sqrt(variance)))
    mass = weights * np.exp(-0.5 * nodes**2) / math.sqrt(2 * math.pi)
    return GaussianRule(
        torch.from_numpy(np.concatenate([-nodes[::-1], nodes])), torch.from_numpy(np.concatenate([mass[::-1], mass]))
    )


def plane_rule(covariance: Array) -> tuple[Array, Array, Array]:
    """E f(u, v) for (u, v) Gaussian with the covariance given, f smooth but for kinks on the lines u = 0 and v = 0.

    Polar coordinates of the whitened plane: the kinks are rays, and Gauss-Legendre is used between them.

    Args:
        covariance: (2, 2) positive semi-definite; perfectly correlated variables are welcome.
    Returns:
        u (n,), v (n,), weights (n,).
    """
    (s, c), (_, s_other) = covariance
    factor = np.array([[math.sqrt(s), 0.0], [c / math.sqrt(s), math.sqrt(max(s_other - c * c / s, 0.0))]])
    kinks = [math.pi / 2, math.atan2(-factor[1, 0], factor[1, 1]) % math.pi]  # directions in which u = 0, v = 0
    corners = sorted({0.0, *kinks, *(angle + math.pi for angle in kinks), 2 * math.pi})
    radius, radius_weight = _panels(0.0, REACH, max(1.0, math.sqrt(max(s, s_other))))
    radial = radius_weight * radius * np.exp(-0.5 * radius**2) / (2 * math.pi)
    sectors = [_panels(low, high, max(1.0, math.sqrt(max(s, s_other)))) for low, high in pairwise(corners)]
    angle = np.concatenate([nodes for nodes, _ in sectors])
    angular = np.concatenate([weights for _, weights in sectors])
    first = np.outer(radius, np.cos(angle)).ravel()
    second = np.outer(radius, np.sin(angle)).ravel()
    u = factor[0, 0] * first
    v = factor[1, 0] * first + factor[1, 1] * second
    return u, v, np.outer(radial, angular).ravel()


def line_average(function: Callable[[Tensor], Tensor], variance: float) -> float:
    """E F(sqrt(S) g) of a function that is smooth but for a kink or a jump at zero."""
    rule = line_rule(variance)
    return float(rule.weights @ function(math.sqrt(variance) * rule.nodes))


def even_moment(activation: Activation, variance: float, power: int, derivative: int = 0) -> float:
    """d^n/dS^n E phi(sqrt(S) g)^power = E He_{2n}(g) phi^power / (2S)^n, n = derivative [Stein's identity].

    Args:
        variance: S > 0.
        power:    of phi.
    """
    rule = line_rule(variance)
    g = rule.nodes.numpy()
    phi = activation.phi(math.sqrt(variance) * rule.nodes).numpy()
    coefficients = np.zeros(2 * derivative + 1)
    coefficients[-1] = 1.0
    hermite = np.polynomial.hermite_e.hermeval(g, coefficients)
    return float(rule.weights.numpy() @ (hermite * phi**power)) / (2 * variance) ** derivative


def _panels(start: float, stop: float, scale: float) -> tuple[Array, Array]:
    """Composite Gauss-Legendre nodes and weights on [start, stop], panels no longer than PANEL / scale."""
    n_panels = max(1, math.ceil((stop - start) * scale / PANEL))
    edges = np.linspace(start, stop, n_panels + 1)
    half = 0.5 * np.diff(edges)[:, None]
    x, w = roots_legendre(N_LEGENDRE)
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()
