"""The next order in 1/N at the fixed point: mean and variance of Sigma for any activation (one and two loops).

With d' = f(d) + noise, f(d) = chi d + f_2 d^2/2 + f_3 d^3/6, noise of variance (v_0 + v_1 d + v_2 d^2/2)/N and third
cumulant c_3/N^2, the stationary moments to order 1/N^2 follow from E f, E (f^2 + v), E (f^3 + 3 f v + c):

    E d = a_1/N,    a_1 = f_2 b_1 / (2 (1 - chi)),    b_1 = v_0/(1 - chi^2)
    E d^3 = s/N^2,    s (1 - chi^3) = (9/2) chi^2 f_2 b_1^2 + 3 v_0 (chi a_1 + f_2 b_1/2) + 3 v_1 chi b_1 + c_3
    N Var = b_1 + (b_2 - a_1^2)/N,    b_2 (1 - chi^2) = chi f_2 s + 3 (f_2^2/4 + chi f_3/3) b_1^2 + v_1 a_1 + v_2 b_1/2

f_n = sigma_w^2 M^(n), v_n = sigma_w^4 V^(n) at Sigma*. The expansion is one in 1/(N (1 - chi)); for homogeneous phi it
is the series of `exact`.
"""

from dataclasses import dataclass

import numpy as np

from mcmc.theory.layers.fluctuations import Array, layer_covariance
from mcmc.theory.layers.model import LayerTheory, moment


@dataclass(frozen=True)
class NextOrder:
    """Corrections to the free field.

    Attributes:
        mean_shift:          a_1: N (E Sigma - Sigma*) as N -> infinity.
        n_times_variance:    b_1, that of the free field.
        variance_correction: N (N Var Sigma - b_1) as N -> infinity.
    """

    mean_shift: float
    n_times_variance: float
    variance_correction: float

    def variance(self, width: int) -> float:
        """Var Sigma to order 1/N^2."""
        return (self.n_times_variance + self.variance_correction / width) / width


def next_order(theory: LayerTheory) -> NextOrder:
    """Corrections at the fixed point of the theory."""
    s, w2 = theory.fixed_point, theory.weight_variance
    chi, f2, f3 = (w2 * theory.mean_square(s, n) for n in (1, 2, 3))
    v0, v1, v2 = (w2**2 * theory.square_variance(s, n) for n in (0, 1, 2))
    second, fourth, sixth = (moment(theory.activation, s, power) for power in (2, 4, 6))
    c3 = w2**3 * (sixth - 3 * second * fourth + 2 * second**3)
    b1 = v0 / (1 - chi**2)
    a1 = f2 * b1 / (2 * (1 - chi))
    skew = (4.5 * chi**2 * f2 * b1**2 + 3 * v0 * (chi * a1 + f2 * b1 / 2) + 3 * v1 * chi * b1 + c3) / (1 - chi**3)
    b2 = (chi * f2 * skew + 3 * (f2**2 / 4 + chi * f3 / 3) * b1**2 + v1 * a1 + v2 * b1 / 2) / (1 - chi**2)
    return NextOrder(a1, b1, b2 - a1**2)


def mean_shifts(theory: LayerTheory, first: float, depth: int) -> Array:
    """N (E Sigma_l - Sigma_l^infinity) as N -> infinity, from any first variance: (depth,), zero at the first site.

    a_{l+1} = chi_l a_l + sigma_w^2 M''(Sigma_l) N C(l, l)/2
    """
    shift, variances = np.zeros(depth), theory.variances(first, depth)
    spread = np.diagonal(layer_covariance(theory, first, depth))
    for site in range(depth - 1):
        curvature = theory.weight_variance * theory.mean_square(variances[site], 2)
        shift[site + 1] = theory.slope(variances[site]) * shift[site] + curvature * spread[site] / 2
    return shift
