"""Fluctuations from layer to layer at large width N: the free field theory of the chain.

    d_l = Sigma_l - <Sigma_l>:    d_{l+1} = chi_l d_l + sigma_w^2 sqrt(V_l/N) xi_l,    d_1 = 0
    action  S = sum_l (d_{l+1} - chi_l d_l)^2 N/(2 sigma_w^4 V_l)

to leading order in 1/N, with chi_l and V_l at the infinite-width variances. At the fixed point, with l - 1 layers
between the input and site l,

    N C(l, m) = sigma_w^4 V chi^{|l-m|} (1 - chi^{2 (min(l,m) - 1)}) / (1 - chi^2),     xi = -1/ln chi,
    m^2 = (1 - chi)^2/chi

(docs/layer_field_theory.md). What is correlated are the norms: <z_i^l z_j^m> = 0 for l != m by symmetry of W.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcmc.theory.layers.model import LayerTheory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FreeField:
    """The Gaussian theory at the fixed point, far from the input.

    Attributes:
        variance: Sigma*.
        chi:      slope of the variance map, 0 <= chi < 1.
        noise:    sigma_w^4 V, N times what each layer adds to Var Sigma.
    """

    variance: float
    chi: float
    noise: float

    @classmethod
    def at_fixed_point(cls, theory: LayerTheory) -> "FreeField":
        """The theory of the network's own fixed point; UsageError where there is none."""
        variance = theory.fixed_point
        return cls(variance, theory.slope(variance), theory.noise(variance))

    @property
    def n_times_variance(self) -> float:
        """N Var Sigma = sigma_w^4 V / (1 - chi^2)."""
        return self.noise / (1 - self.chi**2)

    @property
    def correlation_length(self) -> float:
        """xi = -1/ln |chi| in layers; 0 if nothing is passed on."""
        return -1 / math.log(abs(self.chi)) if self.chi else 0.0

    @property
    def mass(self) -> float:
        """m = (1 - chi)/sqrt(chi), of the small-k theory; the inverse correlation length as chi -> 1."""
        return (1 - self.chi) / math.sqrt(self.chi) if self.chi > 0 else math.inf

    def covariance(self, lag: Array) -> Array:
        """N C(lag) = N Var Sigma chi^|lag|."""
        return self.n_times_variance * self.chi ** np.abs(lag)


def propagated_covariance(chi: Array, noise: Array) -> Array:
    """N C(l, m), 1 <= l, m <= L, of d_{l+1} = chi_l d_l + sqrt(noise_l/N) xi_l with d_1 = 0.

    Args:
        chi, noise: (L - 1,), entry l - 1 belonging to the step from site l to site l + 1.
    Returns:
        (L, L), symmetric; its first row and column are zero.
    """
    depth = len(chi) + 1
    covariance = np.zeros((depth, depth))
    for site in range(1, depth):
        covariance[site, :site] = chi[site - 1] * covariance[site - 1, :site]
        covariance[:site, site] = covariance[site, :site]
        covariance[site, site] = chi[site - 1] ** 2 * covariance[site - 1, site - 1] + noise[site - 1]
    return covariance


def layer_covariance(theory: LayerTheory, first: float, depth: int) -> Array:
    """N C(l, m) of Sigma_l and Sigma_m to leading order, from any first variance: (depth, depth)."""
    variances = theory.variances(first, depth)[:-1]
    return propagated_covariance(
        np.array([theory.slope(s) for s in variances]), np.array([theory.noise(s) for s in variances])
    )


def norm_covariance(theory: LayerTheory, first: float, depth: int) -> Array:
    """N Cov(K_l, K_m) of the norms K_l = |z^l|^2/N to leading order: (depth, depth).

    K_l adds the chi-square noise of N units to Sigma_l, and passes it on:
    N Var K_l = N Var Sigma_l + 2 Sigma_l^2,   Cov(K_l, K_m) = chi_l ... chi_{m-1} Var K_l for l < m,
    because Cov(z^2, phi(z)^2) = 2 Sigma^2 M'(Sigma) [Stein].
    """
    variances = theory.variances(first, depth)
    chi = np.array([theory.slope(s) for s in variances])
    variance = np.diagonal(layer_covariance(theory, first, depth)) + 2 * variances**2
    result = np.diag(variance)
    for site in range(depth):
        passed_on = variance[site] * np.cumprod(chi[site:-1])
        result[site, site + 1 :] = result[site + 1 :, site] = passed_on
    return result


def action_matrix(chi: Array, noise: Array) -> Array:
    """The tridiagonal precision of (d_2, ..., d_L), divided by N: action = (N/2) d^T A d, the inverse of N C.

    Args:
        chi, noise: (L - 1,), as in `propagated_covariance`.
    """
    diagonal = 1 / noise
    diagonal[:-1] += chi[1:] ** 2 / noise[1:]
    beside = -chi[1:] / noise[1:]
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
