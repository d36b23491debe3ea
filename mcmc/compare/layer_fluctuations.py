"""Fluctuations of sampled networks along their layers, with errors over networks, beside what each theory expects."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from mcmc.analysis.estimate import Estimate, network_average
from mcmc.errors import InsufficientDataError, UsageError
from mcmc.systems.layers.ancestral import ancestral_samples
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.layers.explicit import explicit_samples
from mcmc.theory.layers.corrections import next_order
from mcmc.theory.layers.exact import HomogeneousChain, is_homogeneous
from mcmc.theory.layers.fluctuations import FreeField, layer_covariance
from mcmc.theory.layers.model import LayerTheory
from mcmc.theory.layers.spectrum import periodogram
from mcmc.theory.layers.transfer import has_transfer_matrix, stationary_law

Array = np.ndarray
FORGOTTEN = 1e-4  # of the variance is still missing after burn-in


@dataclass(frozen=True)
class Measured:
    """Numbers with their standard errors over networks, and what is expected of them.

    Attributes:
        value, stderr, expected: arrays of one shape.
    """

    value: Array
    stderr: Array
    expected: Array

    @property
    def z(self) -> Array:
        """(value - expected)/stderr."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.value - self.expected) / self.stderr


@dataclass(frozen=True)
class ExpectedCovariance:
    """Cov(Sigma_l, Sigma_{l+n}) far from the input, n = 0, 1, ..., at width N.

    Attributes:
        by_lag: (max_lag + 1,); not multiplied by N.
        method: "exact moments", "transfer matrix" or "next order in 1/N".
    """

    by_lag: Array
    method: str

    @property
    def is_exact(self) -> bool:
        """False for an expansion in 1/N."""
        return self.method != "next order in 1/N"

    def matrix(self, n: int) -> Array:
        """(n, n) covariance of n neighbouring sites."""
        return self.by_lag[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]


def expected_covariance(theory: LayerTheory, width: int, max_lag: int) -> ExpectedCovariance:
    """The best that is known at this width; infinite where the variance is."""
    if is_homogeneous(theory):
        chain = HomogeneousChain.of(theory, width)
        return ExpectedCovariance(chain.stationary_variance * chain.gain ** np.arange(max_lag + 1), "exact moments")
    if has_transfer_matrix(theory, width):
        return ExpectedCovariance(stationary_law(theory, width).covariance(max_lag), "transfer matrix")
    decay = FreeField.at_fixed_point(theory).chi ** np.arange(max_lag + 1)
    return ExpectedCovariance(next_order(theory).variance(width) * decay, "next order in 1/N")


def burn_in_layers(field: FreeField) -> int:
    """Layers after which the covariance is stationary up to FORGOTTEN of itself."""
    return max(2, math.ceil(0.5 * math.log(FORGOTTEN) / math.log(field.chi))) if field.chi else 2


def variance_samples(
    theory: LayerTheory, width: int, depth: int, first: float, *, n_networks: int, seed: int, explicit: bool = False
) -> Array:
    """Sigma_1 ... Sigma_depth of independent networks: (D, depth) float64.

    Args:
        explicit: draw the weights, instead of the layers given the layers before.
    """
    if n_networks < 2:
        raise UsageError(f"an error needs at least 2 networks, found {n_networks}.")
    sigma_1 = torch.tensor([[first]], dtype=torch.float64)
    chain = LayerChain(
        torch.arange(n_networks), theory.activation, width, depth, theory.sigma_w, theory.sigma_b, sigma_1
    )
    draw = explicit_samples if explicit else ancestral_samples
    return draw(chain, seed).sigma[:, :, 0, 0].numpy()


def pair_samples(theory: LayerTheory, width: int, depth: int, first: Array, *, n_networks: int, seed: int) -> Array:
    """(Sigma_aa, Sigma_ab, Sigma_bb) of two inputs in every layer of independent networks: (D, depth, 3)."""
    aa, ab, bb = first
    sigma_1 = torch.tensor([[aa, ab], [ab, bb]], dtype=torch.float64)
    ids = torch.arange(n_networks)
    chain = LayerChain(ids, theory.activation, width, depth, theory.sigma_w, theory.sigma_b, sigma_1)
    sigma = ancestral_samples(chain, seed).sigma.numpy()
    return np.stack([sigma[..., 0, 0], sigma[..., 0, 1], sigma[..., 1, 1]], axis=-1)


def covariance_with_site(values: Array, site: int, expected: Array) -> Measured:
    """Cov(x_site, x_m) over networks, m = 0 ... L - 1, of values (D, L)."""
    d = _centred(values)
    return _measured([network_average(column) for column in (d[:, site : site + 1] * d).T], expected)


def factorial_divergence(sigma: Array, theory: LayerTheory, width: int) -> Measured:
    """Divergence of the chain from the factorial approximation, layer by layer, in nats: (L,).

    KL_l = (N/2) E[Sigma_l/S_l - 1 - ln(Sigma_l/S_l)],  S_l the variance at infinite width; to leading order
    N C(l, l)/(4 S_l^2), which does not vanish for wide networks.

    Args:
        sigma: (D, L), the first column one number.
    """
    first, depth = float(sigma[0, 0]), sigma.shape[1]
    variances = theory.variances(first, depth)
    ratio = sigma / variances
    of_network = 0.5 * width * (ratio - 1 - np.log(ratio))
    expected = np.diagonal(layer_covariance(theory, first, depth)) / (4 * variances**2)
    return _measured([network_average(column) for column in of_network.T], expected)


def covariance_by_lag(sigma: Array, expected: Array) -> Measured:
    """Cov(Sigma_l, Sigma_{l+n}) averaged over l, for n = 0 ... len(expected) - 1.

    Args:
        sigma: (D, W) of stationary layers; W >= len(expected).
    """
    d = _centred(sigma)
    n_layers = d.shape[1]
    if n_layers < len(expected):
        raise InsufficientDataError(f"lags up to {len(expected) - 1} need more than {n_layers} layers.")
    products = [(d[:, : n_layers - lag] * d[:, lag:]).mean(1) for lag in range(len(expected))]
    return _measured([network_average(of_network) for of_network in products], expected)


def spectrum_by_wavenumber(sigma: Array, expected: Array) -> Measured:
    """Periodogram of the window, averaged over networks: (W//2 + 1,)."""
    power = periodogram(_centred(sigma))
    return _measured([network_average(of_network) for of_network in power.T], expected)


def log_moments(sigma: Array, mean: Array, variance: Array) -> tuple[Measured, Measured]:
    """Mean and variance over networks of ln(Sigma_l/Sigma_1), of every site but the first."""
    log = np.log(sigma[:, 1:] / sigma[:, :1])
    square = _centred(log) ** 2
    first = _measured([network_average(column) for column in log.T], mean[1:])
    return first, _measured([network_average(column) for column in square.T], variance[1:])


def _centred(values: Array) -> Array:
    """Fluctuations about the mean over networks, scaled so that their squares have no bias."""
    n = len(values)
    return (values - values.mean(0)) * math.sqrt(n / (n - 1))


def _measured(estimates: list[Estimate], expected: Array) -> Measured:
    return Measured(
        np.array([e.value for e in estimates]), np.array([e.stderr for e in estimates]), np.asarray(expected)
    )
