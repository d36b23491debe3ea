"""Two inputs in one random network: the matrix Sigma_ab of every layer, and its fluctuations at large width.

    s = (Sigma_aa, Sigma_ab, Sigma_bb),   s_{l+1} = F(s_l) + noise,   F = sigma_b^2 + sigma_w^2 E f,
    f = (phi_a^2, phi_a phi_b, phi_b^2)
    N Cov(noise) = Q = sigma_w^4 Cov f,   J = dF/ds
    N C(l+1, l+1) = J_l N C(l, l) J_l^T + Q_l,   C(l+1, m) = J_l C(l, m) for m <= l,   C(1, 1) = 0

under z ~ N(0, Sigma_l), by quadrature of the plane; J from dp/dSigma = 1/2 (Sigma^-1 z z^T Sigma^-1 - Sigma^-1) p.
"""

from dataclasses import dataclass

import numpy as np
import torch

from mcmc.errors import UsageError
from mcmc.theory.gaussian_average import line_average, plane_rule
from mcmc.theory.layers.fluctuations import Array
from mcmc.theory.layers.model import LayerTheory

MAX_CORRELATION = 1 - 1e-9  # beyond it two inputs are one: Sigma has no inverse


@dataclass(frozen=True)
class PairTheory:
    """Two inputs followed through the layers.

    Attributes:
        mean:       (L, 3), infinite-width s_l.
        covariance: (L, L, 3, 3), N times the covariance of s_l and s_m to leading order.
    """

    mean: Array
    covariance: Array

    @property
    def correlation(self) -> Array:
        """c_l = Sigma_ab / sqrt(Sigma_aa Sigma_bb): (L,)."""
        return self.mean[:, 1] / np.sqrt(self.mean[:, 0] * self.mean[:, 2])

    @property
    def correlation_covariance(self) -> Array:
        """N Cov(c_l, c_m) to leading order: (L, L)."""
        c = self.correlation
        first, last = self.mean[:, 0], self.mean[:, 2]
        gradient = np.stack([-c / (2 * first), 1 / np.sqrt(first * last), -c / (2 * last)], axis=-1)
        return np.einsum("li,lmij,mj->lm", gradient, self.covariance, gradient)


def pair_theory(theory: LayerTheory, first: Array, depth: int) -> PairTheory:
    """The two inputs with the first matrix given, (Sigma_aa, Sigma_ab, Sigma_bb) of site 1.

    Raises:
        UsageError: the matrix is no covariance of two different inputs.
    """
    mean = np.empty((depth, 3))
    covariance = np.zeros((depth, depth, 3, 3))
    mean[0] = first
    for site in range(depth):
        if not (min(mean[site, 0], mean[site, 2]) > 0 and _squared_correlation(mean[site]) <= MAX_CORRELATION**2):
            raise UsageError(
                f"site {site + 1}: expected a covariance of two different inputs, Sigma_aa, Sigma_bb > 0 and |c| < 1, "
                f"found (Sigma_aa, Sigma_ab, Sigma_bb) = {tuple(float(v) for v in mean[site])}."
            )
        if site == depth - 1:
            break
        mean[site + 1], jacobian, noise = pair_step(theory, mean[site])
        covariance[site + 1, : site + 1] = jacobian @ covariance[site, : site + 1]
        covariance[: site + 1, site + 1] = covariance[site + 1, : site + 1].swapaxes(-1, -2)
        covariance[site + 1, site + 1] = jacobian @ covariance[site, site] @ jacobian.T + noise
    return PairTheory(mean, covariance)


def pair_step(theory: LayerTheory, s: Array) -> tuple[Array, Array, Array]:
    """F(s) (3,), J (3, 3), Q (3, 3) of one layer."""
    sigma = np.array([[s[0], s[1]], [s[1], s[2]]])
    u, v, weight = plane_rule(sigma)
    phi = _phi(theory, u), _phi(theory, v)
    products = np.stack([phi[0] ** 2, phi[0] * phi[1], phi[1] ** 2])
    mean = products @ weight
    precision = np.linalg.inv(sigma)
    z = precision @ np.stack([u, v])
    # the off-diagonal entry stands for two of the symmetric matrix
    score = np.stack(
        [0.5 * (z[0] ** 2 - precision[0, 0]), z[0] * z[1] - precision[0, 1], 0.5 * (z[1] ** 2 - precision[1, 1])]
    )
    gain = theory.weight_variance
    jacobian = gain * (products * weight) @ score.T
    noise = gain**2 * ((products * weight) @ products.T - np.outer(mean, mean))
    return theory.bias_variance + gain * mean, jacobian, noise


def angle_slope(theory: LayerTheory, variance: float) -> float:
    """sigma_w^2 E phi'(sqrt(S) g)^2: slope of the correlation map at c = 1; above 1, nearby inputs part."""
    phi, dphi = theory.activation.phi, theory.activation.dphi
    return theory.weight_variance * line_average(lambda z: dphi(z, phi(z)) ** 2, variance)


def _phi(theory: LayerTheory, z: Array) -> Array:
    return theory.activation.phi(torch.from_numpy(z)).numpy()


def _squared_correlation(s: Array) -> float:
    return float(s[1] ** 2 / (s[0] * s[2]))
