"""Dual activations: the covariance of phi at two correlated Gaussian pre-activations.

    K(C; S) = E phi(u) phi(v),   (u, v) Gaussian, Var u = Var v = S, Cov(u, v) = C,   K^(n)(C) = E phi^(n)(u) phi^(n)(v)

Closed forms: linear; piecewise linear with slopes a_-, a_+ (arc-cosine kernel of order 1 [Cho and Saul 2009]);
erf (arcsine kernel [Williams 1997]); sin, where K = exp(-S) sinh C. Everything else is a Hermite series (`hermite`).
"""

import math
from collections.abc import Callable

import numpy as np

from mcmc.systems.mlp.activations import Activation
from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.hermite import hermite_dual

# (C, order) -> (K, K', ..., K^(order)) at fixed S, shape (order + 1, *C.shape)
Dual = Callable[[Array, int], Array]


def dual_activation(activation: Activation, variance: float) -> tuple[Dual, float]:
    """The dual activation at pre-activation variance S, and an estimate of its absolute error.

    Args:
        activation: phi; a closed form is used where one is known.
        variance:   S > 0.
    Raises:
        QuadratureError: no closed form, and the Hermite series does not reach its tolerance.
    """
    if activation.slopes is not None:
        return piecewise_linear_dual(activation.slopes, variance), 0.0
    if activation.name == "sin":
        return _sin(variance), 0.0
    if activation.name == "erf":
        return _erf(variance), 0.0
    return hermite_dual(activation, variance)


def _arcsin_derivatives(z: Array, order: int) -> list[Array]:
    """arcsin and its first derivatives, +inf at z = 1."""
    with np.errstate(divide="ignore"):
        root = np.sqrt((1 - z) * (1 + z))
        values = [
            np.arcsin(z),
            1 / root,
            z / root**3,
            (1 + 2 * z**2) / root**5,
            z * (9 + 6 * z**2) / root**7,
        ]
    return values[: order + 1]


def piecewise_linear_dual(slopes: tuple[float, float], variance: float) -> Dual:
    """phi(h) = a h + b |h|: K = a^2 C + b^2 S (2/pi) [ sqrt(1 - rho^2) + rho arcsin rho ],   rho = C/S."""
    mean, half = (slopes[1] + slopes[0]) / 2, (slopes[1] - slopes[0]) / 2

    def dual(c: Array, order: int) -> Array:
        result = np.zeros((order + 1, *c.shape))
        result[0] = mean**2 * c
        if order >= 1:
            result[1] = mean**2
        if half == 0:
            return result
        rho = np.clip(c / variance, -1.0, 1.0)
        angle = _arcsin_derivatives(rho, max(order - 1, 0))
        amplitude = half**2 * (2 / math.pi)
        result[0] += amplitude * variance * (np.sqrt((1 - rho) * (1 + rho)) + rho * angle[0])
        for n in range(1, order + 1):
            result[n] += amplitude * angle[n - 1] / variance ** (n - 1)
        return result

    return dual


def _erf(variance: float) -> Dual:
    """K = (2/pi) arcsin( 2C / (1 + 2S) )."""
    scale = 2 / (1 + 2 * variance)

    def dual(c: Array, order: int) -> Array:
        derivatives = _arcsin_derivatives(scale * c, order)
        return np.array([(2 / math.pi) * scale**n * value for n, value in enumerate(derivatives)])

    return dual


def _sin(variance: float) -> Dual:
    """K = exp(-S) sinh C."""

    def dual(c: Array, order: int) -> Array:
        # exp(-S) inside: sinh(C) alone overflows for a large variance
        up, down = 0.5 * np.exp(c - variance), 0.5 * np.exp(-c - variance)
        return np.array([up - down if n % 2 == 0 else up + down for n in range(order + 1)])

    return dual
