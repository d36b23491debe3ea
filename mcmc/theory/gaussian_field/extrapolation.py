"""The limit k -> infinity of k-step results, with an error.

    Phi_k = Phi + A / (k + c)^4,      e_k = e + B / (k + c)^4

with every level and breaking point stationary: k atoms resolve a continuous part on the scale 1/k, Phi is stationary
there, and the error of the best staircase of a smooth function enters to the fourth order. c depends on how much of
P(q) is continuous, and is fitted. Knows no model: the k-step solver of finite widths may use it as well.
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
