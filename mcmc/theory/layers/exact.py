"""Exact moments at every width N of networks whose activation is homogeneous: linear, relu, leaky relu.

phi(sqrt(S) g)^2 = S phi(g)^2, so that Sigma_{l+1} = sigma_b^2 + sigma_w^2 Sigma_l T_l with T_l independent of Sigma_l,
E T = a, E T^2 = a^2 (1 + kappa/N),  a = E phi(g)^2,  kappa = E phi(g)^4/a^2 - 1   (linear 1, 2; relu 1/2, 5).

    E Sigma_{l+1}   = sigma_b^2 + a sigma_w^2 E Sigma_l
    E Sigma_{l+1}^2 = sigma_b^4 + 2 a sigma_b^2 sigma_w^2 E Sigma_l + a^2 sigma_w^4 (1 + kappa/N) E Sigma_l^2
    Cov(Sigma_l, Sigma_m) = (a sigma_w^2)^{m-l} Var Sigma_l,  l <= m

The second moment has no limit once a sigma_w^2 sqrt(1 + kappa/N) >= 1, though the mean has: the law of Sigma has a
power tail at every finite width, and near criticality 1/N theory must fail.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcmc.errors import UsageError
from mcmc.theory.layers.model import LayerTheory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HomogeneousChain:
    """Moments of Sigma_l at finite width.

    Attributes:
        gain:    a sigma_w^2 = chi.
        kappa:   relative fourth cumulant, Var[phi^2]/(E phi^2)^2 of one unit.
        bias_variance: sigma_b^2.
        width:   N.
    """

    gain: float
    kappa: float
    bias_variance: float
    width: int

    @classmethod
    def of(cls, theory: LayerTheory, width: int) -> "HomogeneousChain":
        """Of a network; UsageError unless its activation is piecewise linear."""
        if not is_homogeneous(theory):
            raise UsageError(
                f"exact finite-width moments need a piecewise linear activation (linear, relu, leaky_relu), "
                f"found '{theory.activation.name}'."
            )
        a = theory.mean_square(1.0)
        return cls(theory.weight_variance * a, theory.square_variance(1.0) / a**2, theory.bias_variance, width)

    @property
    def second_gain(self) -> float:
        """Factor of E Sigma^2 from layer to layer, (a sigma_w^2)^2 (1 + kappa/N)."""
        return self.gain**2 * (1 + self.kappa / self.width)

    @property
    def stationary_mean(self) -> float:
        """E Sigma far from the input; infinite if chi >= 1."""
        return self.bias_variance / (1 - self.gain) if self.gain < 1 else math.inf

    @property
    def stationary_variance(self) -> float:
        """Var Sigma far from the input; infinite once a sigma_w^2 sqrt(1 + kappa/N) >= 1."""
        if self.second_gain >= 1:
            return math.inf
        mean, b = self.stationary_mean, self.bias_variance
        return (b**2 + 2 * b * self.gain * mean) / (1 - self.second_gain) - mean**2

    def moments(self, first: float, depth: int) -> tuple[Array, Array]:
        """(E Sigma_l, Var Sigma_l), l = 1 ... depth, from a given Sigma_1: two arrays (depth,)."""
        mean, variance, b = np.full(depth, first), np.zeros(depth), self.bias_variance
        for site in range(1, depth):
            mean[site] = b + self.gain * mean[site - 1]
            # of the variance, not of the second moment, whose difference with mean^2 would cancel at large N
            variance[site] = self.second_gain * variance[site - 1] + self.gain**2 * self.kappa * (
                mean[site - 1] ** 2 / self.width
            )
        return mean, variance

    def covariance(self, first: float, depth: int) -> Array:
        """Cov(Sigma_l, Sigma_m), (depth, depth); not multiplied by N."""
        _, variance = self.moments(first, depth)
        site = np.arange(depth)
        earlier = np.minimum.outer(site, site)
        return variance[earlier] * self.gain ** np.abs(np.subtract.outer(site, site))


def is_homogeneous(theory: LayerTheory) -> bool:
    """True where phi(c h) = c phi(h) for c > 0, so that finite widths are exactly solved."""
    return theory.activation.slopes is not None
