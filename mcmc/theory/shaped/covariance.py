"""Infinite width before infinite depth: the covariance xi(q) of the energy, from an ordinary differential equation.

    dq/dtau = F(q, r),  dr/dtau = V(r),  r(0) = 1:    xi(q) = q(tau = 1),  xi(1) = r(1)

the deterministic limit of the neural covariance equation of Li, Nica and Roy (2022), in which L/N -> 0. The result is a
spherical mixed p-spin model, and every solver of `gaussian_field` takes it: steps, full breaking, transitions.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from mcmc.theory.gaussian_field.covariance import MAX_ORDER, Array, Covariance, compose
from mcmc.theory.gaussian_field.dual_activation import piecewise_linear_dual
from mcmc.theory.shaped.drift import CubicDrift, Drift, KinkDrift, drift_of

TOL = 1e-12


class DeepCovariance(Covariance):
    """xi of a shaped activation at infinite depth, sigma_w = 1, no biases.

    Attributes:
        drift: F(q, r) of the activation.
    """

    def __init__(self, activation: str, params: Mapping[str, float] | None = None):
        self.drift: Drift = drift_of(activation, params or {})
        text = ", ".join(f"{name}={value:g}" for name, value in (params or {}).items())
        self.label = f"{activation}({text}), L=inf" if text else f"{activation}, L=inf"
        self.error = 0.0 if isinstance(self.drift, CubicDrift) else 10 * TOL

    def derivatives(self, overlap: ArrayLike, order: int = 3) -> Array:
        q = np.asarray(overlap, dtype=float)
        if isinstance(self.drift, CubicDrift):  # linear in q: r = 1/(1 + rate tau) multiplies everything
            jet = np.zeros((order + 1, *q.shape))
            gain = 1 / (1 + self.drift.rate)
            jet[0] = gain * q
            if order >= 1:
                jet[1] = gain
            return jet
        assert isinstance(self.drift, KinkDrift)
        return _flown_jet(self.drift, q, order)


def _flown_jet(drift: KinkDrift, q: Array, order: int) -> Array:
    """(xi, ..., xi^(order)) by flowing all derivatives together; r = 1 at every depth."""
    assert order <= MAX_ORDER
    dual = piecewise_linear_dual((-1.0, 1.0), 1.0)
    is_end = q == 1  # a fixed point of the flow with F_q = 0, where F_qq is infinite
    start = np.zeros((order + 1, *q.shape))
    start[0] = np.where(is_end, 0.5, q)
    start[1:2] = 1.0

    def velocity(_: float, flat: Array) -> Array:
        jet = flat.reshape(start.shape)
        outer = dual(np.clip(jet[0], 0.0, 1.0), order)
        outer[0] -= jet[0]
        outer[1:2] -= 1.0
        flown: Array = drift.delta**2 * compose(outer, jet).ravel()
        return flown

    flown = solve_ivp(velocity, (0.0, 1.0), start.ravel(), method="DOP853", rtol=TOL, atol=TOL)
    jet = flown.y[:, -1].reshape(start.shape)
    beyond = math.inf if drift.delta else 0.0
    jet[:, is_end] = np.array([1.0, 1.0, beyond, beyond, beyond])[: order + 1, None]
    result: Array = jet
    return result
