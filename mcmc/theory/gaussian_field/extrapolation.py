"""Two limits, each with an error: k -> infinity of k-step results, and T -> 0 of anything.

    Phi_k = Phi + A / (k + c)^4,      e_k = e + B / (k + c)^4

with every level and breaking point stationary: k atoms resolve a continuous part on the scale 1/k, Phi is stationary
there, and the error of the best staircase of a smooth function enters to the fourth order. c depends on how much of
P(q) is continuous, and is fitted. Towards T = 0

    e = e_0 + c_1 T + c_2 T^{3/2} + c_3 T^2 + ...

where half-integer powers come from degrees of freedom that are soft at a kink, and are not expected (nor excluded) for
smooth ones. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from mcmc.errors import UsageError

ORDER = 4.0
SHARE = 1e-3  # of the last decrease of Phi: bracket of the remaining one


@dataclass(frozen=True)
class Extrapolation:
    """Values at k -> infinity.

    Attributes:
        free_entropy_density, energy_density: the limits.
        free_entropy_error, energy_error:     what moving the fit by one k changes.
    """

    free_entropy_density: float
    energy_density: float
    free_entropy_error: float
    energy_error: float


def extrapolate_steps(free_entropy: Sequence[float], energy: Sequence[float]) -> Extrapolation:
    """Limits of Phi_k and e_k from consecutive k, the largest last.

    Args:
        free_entropy, energy: at least four values, k_0, k_0 + 1, ...; k_0 >= 1 is safer.
    Raises:
        UsageError: fewer than four values, or Phi_k does not decrease.
    """
    phi, e = np.asarray(free_entropy, float), np.asarray(energy, float)
    if len(phi) < 4 or len(phi) != len(e) or np.any(np.diff(phi) > 0):
        raise UsageError(
            f"extrapolation in k: expected at least 4 decreasing values of Phi_k and as many of e_k, found {len(phi)} "
            f"with differences {np.diff(phi)}. Use more steps, or solve each of them to a smaller residual."
        )
    limit, e_limit = _limit(phi[-3:], e[-2:])
    before, e_before = _limit(phi[-4:-1], e[-3:-1])
    return Extrapolation(limit, e_limit, abs(limit - before), abs(e_limit - e_before))


def _limit(phi: np.ndarray, e: np.ndarray) -> tuple[float, float]:
    """Limits through three values of Phi and the last two of e."""
    first, last = phi[0] - phi[1], phi[1] - phi[2]
    if last <= 0 or first <= last:
        return float(phi[2]), float(e[-1])

    def curvature(log_rest: float) -> float:
        rest = np.exp(log_rest)  # Phi_k - Phi: (rest)^(-1/4) must be linear in k
        scale = np.array([rest + last + first, rest + last, rest]) / rest
        return float(np.diff(scale ** (-1 / ORDER), 2)[0])

    low, high = np.log(SHARE * last), np.log(last / SHARE)
    if curvature(low) * curvature(high) > 0:
        return float(phi[2]), float(e[-1])
    rest = float(np.exp(brentq(curvature, low, high)))
    ratio = rest / (rest + last)
    return float(phi[2] - rest), float((e[-1] - ratio * e[-2]) / (1 - ratio))


def extrapolate_temperature(
    temperatures: Sequence[float], values: Sequence[float], errors: Sequence[float], *, half_powers: bool = False
) -> tuple[float, float]:
    """The limit T -> 0 of a series in T through all values, and its error.

    The error is the largest difference to other extrapolations: with the other kind of series, and with both kinds
    without the warmest and (of four values or more) without the coldest value; plus the errors of the values, amplified
    as the series does. For relu, tanh, sin and linear networks it is at least 1.8 times the true error.

    Args:
        temperatures:   at least three, decreasing, > 0.
        values, errors: one at each.
        half_powers:    1, T, T^{3/2}, T^2, ... instead of 1, T, T^2, T^3, ...
    Raises:
        UsageError: fewer than three, or not decreasing.
    """
    t, y = np.asarray(temperatures, float), np.asarray(values, float)
    if len(t) < 3 or len(y) != len(t) or np.any(np.diff(t) >= 0) or t[-1] <= 0:
        raise UsageError(
            f"extrapolation in T: expected at least 3 values at decreasing temperatures > 0, found {len(y)} at {t}."
        )
    weights = _weights_at_zero(t, half_powers)
    limit = float(weights @ y)
    rivals = [_weights_at_zero(t, not half_powers) @ y]
    parts = [slice(1, None), slice(None, -1)] if len(t) > 3 else [slice(1, None)]
    rivals += [_weights_at_zero(t[part], kind) @ y[part] for part in parts for kind in (True, False)]
    error = max(abs(limit - float(rival)) for rival in rivals)
    return limit, error + float(np.abs(weights) @ np.asarray(errors, float))


def _weights_at_zero(t: np.ndarray, half_powers: bool) -> np.ndarray:
    """w with w.y the constant of the series of len(t) terms through (t, y)."""
    step = 0.5 if half_powers else 1.0
    powers = np.concatenate([[0.0], 1 + step * np.arange(len(t) - 1)])
    weights: np.ndarray = np.linalg.inv((t[:, None] / t[0]) ** powers)[0]
    return weights
