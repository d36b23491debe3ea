"""The critical point of the norms, chi = 1: no bias, and a weight scale at which the signal neither grows nor dies.

    sigma_w^2 = 1/a for homogeneous phi (linear 1, relu 2),     sigma_w^2 = 1/phi'(0)^2 for smooth ones

Without bias a homogeneous network multiplies the variance by an independent factor a layer, so that

    ln Sigma_{l+1} - ln Sigma_1 = sum_l ln(sigma_w^2 T_l),   T = (1/N) sum_i phi(g_i)^2

is a random walk: Gaussian for many layers (Sigma log-normal), with drift ln(a sigma_w^2) - kappa/(2N) and variance
kappa/N a layer to leading order. Exactly, with psi the digamma function and psi_1 its derivative,

    linear  E ln T = psi(N/2) + ln(2/N),   Var ln T = psi_1(N/2)
    relu    the same for K active units instead of N (and 2/N kept), K ~ Binomial(N, 1/2) given K >= 1.

A relu network of N units dies in a layer with probability 2^-N; the law is that of the survivors.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import digamma, gammaln, polygamma

from mcmc.errors import UsageError
from mcmc.systems.mlp.activations import Activation
from mcmc.theory.gaussian_average import even_moment
from mcmc.theory.layers.corrections import mean_shifts
from mcmc.theory.layers.exact import HomogeneousChain
from mcmc.theory.layers.fluctuations import Array, layer_covariance
from mcmc.theory.layers.model import LayerTheory


@dataclass(frozen=True)
class LogWalk:
    """Mean and variance of ln(Sigma_l/Sigma_1) at finite width, without biases.

    Attributes:
        mean, variance: (depth,), of site l = 1 ... depth; zero at the first.
        is_exact:       else to leading order in 1/N.
    """

    mean: Array
    variance: Array
    is_exact: bool


def critical_weight_variance(activation: Activation) -> float:
    """sigma_w^2 at which chi = 1 for sigma_b = 0.

    Raises:
        UsageError: phi'(0) = 0, or phi(0) != 0, so that there is no such point.
    """
    if activation.slopes is not None:
        return 1 / even_moment(activation, 1.0, 2)
    zero = torch.zeros((), dtype=torch.float64)
    value = activation.phi(zero)
    slope = float(activation.dphi(zero, value))
    if float(value) or not slope:
        raise UsageError(f"activation '{activation.name}' has phi(0) != 0 or phi'(0) = 0: no critical point of norms.")
    return 1 / slope**2


def log_walk(theory: LayerTheory, first: float, depth: int, width: int) -> LogWalk:
    """ln Sigma_l of a network without biases; exact for linear and relu.

    Raises:
        UsageError: sigma_b > 0.
    """
    if theory.sigma_b:
        raise UsageError(
            f"ln Sigma is a random walk without biases only: expected sigma_b = 0, found {theory.sigma_b}."
        )
    steps = np.arange(depth, dtype=np.float64)
    exact = _exact_step(theory, width)
    if exact is not None:
        return LogWalk(steps * exact[0], steps * exact[1], True)
    if theory.activation.slopes is not None:
        chain = HomogeneousChain.of(theory, width)
        drift = math.log(chain.gain) - chain.kappa / (2 * width)
        return LogWalk(steps * drift, steps * chain.kappa / width, False)
    variances = theory.variances(first, depth)
    relative = np.diagonal(layer_covariance(theory, first, depth)) / variances**2
    mean: Array = np.log(variances / first) + (mean_shifts(theory, first, depth) / variances - relative / 2) / width
    return LogWalk(mean, relative / width, False)


def _exact_step(theory: LayerTheory, width: int) -> tuple[float, float] | None:
    """(E, Var) of ln(sigma_w^2 T) of one layer, where it is known."""
    slopes = theory.activation.slopes
    if slopes is None:
        return None
    sizes = sorted(abs(slope) for slope in slopes)
    scale = math.log(theory.weight_variance * sizes[1] ** 2 * 2 / width)
    if sizes[0] == sizes[1]:
        return float(digamma(width / 2)) + scale, float(polygamma(1, width / 2))
    if sizes[0] > 0:
        return None
    active = np.arange(1, width + 1)
    log_weight = gammaln(width + 1) - gammaln(active + 1) - gammaln(width - active + 1) - width * math.log(2)
    weight = np.exp(log_weight)
    weight /= weight.sum()
    mean = weight @ digamma(active / 2)
    variance = weight @ (polygamma(1, active / 2) + (digamma(active / 2) - mean) ** 2)
    return float(mean) + scale, float(variance)
