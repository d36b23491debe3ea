"""What the figures of the layer field theory show: networks of reference, sampled and predicted, as plain records."""

from dataclasses import dataclass

import numpy as np
import torch

from mcmc.compare.layer_fluctuations import (
    Array,
    ExpectedCovariance,
    Measured,
    burn_in_layers,
    covariance_by_lag,
    covariance_with_site,
    expected_covariance,
    factorial_divergence,
    log_moments,
    pair_samples,
    spectrum_by_wavenumber,
    variance_samples,
)
from mcmc.compare.layers import N_EXACT, LayerCheck, layer_checks
from mcmc.kernels.registry import KERNELS
from mcmc.run.chains import ChainPlan
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.mlp.activations import make_activation
from mcmc.theory.layers.critical import LogWalk, critical_weight_variance, log_walk
from mcmc.theory.layers.fluctuations import FreeField, layer_covariance
from mcmc.theory.layers.model import LayerTheory
from mcmc.theory.layers.several import PairTheory, pair_theory
from mcmc.theory.layers.spectrum import window_wavenumbers, windowed_spectrum

NETWORKS = {"linear": (0.9, 0.1), "relu": (1.8, 0.1), "tanh": (1.5, 0.05), "sin": (1.5, 0.05), "erf": (1.5, 0.05)}
PAIRS = {"relu": (1.8, 0.1), "tanh": (2.4, 0.05)}  # angles of relu close, those of tanh open: beyond its edge of chaos
MAX_LAG, WINDOW = 15, 32
WIDTHS = (64, 128, 256, 512, 1024)
EXPLICIT_WIDTH, EXPLICIT_SHARE = 64, 10  # one network in so many gets explicit weights too: they cost N times as much


def reference(name: str) -> LayerTheory:
    """A network of reference: sigma_w^2 and sigma_b^2 of `NETWORKS`."""
    weight_variance, bias_variance = NETWORKS[name]
    return LayerTheory.build(name, sigma_w=weight_variance**0.5, sigma_b=bias_variance**0.5)


@dataclass(frozen=True)
class Decay:
    """Covariance against lag at one width, and its first layers as a map.

    Attributes:
        transient, transient_theory: (L, L) N C(l, m) from the input on, measured and to leading order.
    """

    theory: LayerTheory
    field: FreeField
    width: int
    by_lag: Measured
    expected: ExpectedCovariance
    transient: Array
    transient_theory: Array


def decay_of(name: str, width: int, n_networks: int, seed: int, *, n_map: int = 30) -> Decay:
    """Sample one network of reference far from and near to its input."""
    theory = reference(name)
    field, expected = FreeField.at_fixed_point(theory), expected_covariance(theory, width, MAX_LAG)
    burn_in = burn_in_layers(field)
    depth = max(burn_in + 2 * MAX_LAG, n_map)
    sigma = variance_samples(theory, width, depth, field.variance, n_networks=n_networks, seed=seed)
    transient = width * np.cov(sigma[:, :n_map].T)
    by_lag = covariance_by_lag(sigma[:, burn_in:], expected.by_lag)
    return Decay(theory, field, width, by_lag, expected, transient, layer_covariance(theory, field.variance, n_map))


@dataclass(frozen=True)
class Collapse:
    """N Var Sigma/Sigma*^2 against width; `explicit` is of drawn weights at `EXPLICIT_WIDTH`."""

    theory: LayerTheory
    field: FreeField
    widths: tuple[int, ...]
    measured: list[Measured]
    explicit: Measured


def collapse_of(name: str, n_networks: int, seed: int) -> Collapse:
    """Sample one network of reference at every width."""
    theory = reference(name)
    field = FreeField.at_fixed_point(theory)
    burn_in = burn_in_layers(field)

    def variance_at(width: int, n: int, explicit: bool) -> Measured:
        expected = expected_covariance(theory, width, 0).by_lag
        sigma = variance_samples(
            theory, width, burn_in + 10, field.variance, n_networks=n, seed=seed, explicit=explicit
        )
        return covariance_by_lag(sigma[:, burn_in:], expected)

    measured = [variance_at(width, n_networks, False) for width in WIDTHS]
    explicit = variance_at(EXPLICIT_WIDTH, max(2, n_networks // EXPLICIT_SHARE), True)
    return Collapse(theory, field, WIDTHS, measured, explicit)


@dataclass(frozen=True)
class Spectrum:
    """Periodogram of a window at one width."""

    theory: LayerTheory
    field: FreeField
    width: int
    k: Array
    measured: Measured


def spectrum_of(name: str, width: int, n_networks: int, seed: int) -> Spectrum:
    """Sample the spectrum of one network of reference."""
    theory = reference(name)
    field, k = FreeField.at_fixed_point(theory), window_wavenumbers(WINDOW)
    windowed = windowed_spectrum(expected_covariance(theory, width, WINDOW - 1).matrix(WINDOW), k)
    burn_in = burn_in_layers(field)
    sigma = variance_samples(theory, width, burn_in + WINDOW, field.variance, n_networks=n_networks, seed=seed)
    return Spectrum(theory, field, width, k, spectrum_by_wavenumber(sigma[:, burn_in:], windowed))


@dataclass(frozen=True)
class CriticalWalk:
    """ln(Sigma_l/Sigma_1) at the critical point; `last` is (D,), of the last layer."""

    theory: LayerTheory
    width: int
    walk: LogWalk
    mean: Measured
    variance: Measured
    last: Array


def critical_walk_of(name: str, width: int, depth: int, n_networks: int, seed: int) -> CriticalWalk:
    """Sample a network without biases at its critical weight scale."""
    critical = critical_weight_variance(make_activation(name, depth=1))
    theory = LayerTheory.build(name, sigma_w=critical**0.5)
    walk = log_walk(theory, 1.0, depth + 1, width)
    sigma = variance_samples(theory, width, depth + 1, 1.0, n_networks=n_networks, seed=seed)
    mean, variance = log_moments(sigma, walk.mean, walk.variance)
    return CriticalWalk(theory, width, walk, mean, variance, np.log(sigma[:, -1]))


@dataclass(frozen=True)
class Factorial:
    """Distance of the chain from its factorial approximation at one width, layer by layer."""

    theory: LayerTheory
    width: int
    divergence: Measured


def factorial_of(name: str, width: int, n_networks: int, seed: int, *, depth: int = 25) -> Factorial:
    """Sample one network of reference from its input on."""
    theory = reference(name)
    sigma = variance_samples(theory, width, depth, theory.fixed_point, n_networks=n_networks, seed=seed)
    return Factorial(theory, width, factorial_divergence(sigma, theory, width))


@dataclass(frozen=True)
class Sampled:
    """Checks of one kernel against exact draws."""

    kernel: str
    checks: list[LayerCheck]


def sampled_by(kernel: str, seed: int, *, n_draws: int = 200, n_exact: int = N_EXACT) -> Sampled:
    """A relu chain of four layers of 8 units at four temperatures, Sigma_1 = 2."""
    phi, first = make_activation("relu", depth=1), torch.tensor([[2.0]], dtype=torch.float64)
    chain = LayerChain(torch.arange(1), phi, 8, 4, 1.2**0.5, 0.3**0.5, first)
    steps = {"hmc": 1, "mala": 4, "langevin": 5, "random_walk": 10}[kernel]
    plan = ChainPlan((0.8, 0.9, 1.0, 1.15), 64, 150, n_draws, steps)
    return Sampled(kernel, layer_checks(chain, KERNELS[kernel](), plan, seed=seed, n_exact=n_exact)[0])


@dataclass(frozen=True)
class Pair:
    """Two inputs: correlation c_l, its variance, its covariance with one layer."""

    theory: LayerTheory
    width: int
    pair: PairTheory
    site: int
    correlation: Array
    covariance: Measured
    variance: Measured


def pair_of(name: str, width: int, n_networks: int, seed: int, *, depth: int = 16, site: int = 4) -> Pair:
    """Sample two inputs of correlation 0.4, at the fixed point of the variance."""
    weight_variance, bias_variance = PAIRS[name]
    theory = LayerTheory.build(name, sigma_w=weight_variance**0.5, sigma_b=bias_variance**0.5)
    s = theory.fixed_point
    first = np.array([s, 0.4 * s, s])
    pair = pair_theory(theory, first, depth)
    sigma = pair_samples(theory, width, depth, first, n_networks=n_networks, seed=seed)
    c = sigma[..., 1] / np.sqrt(sigma[..., 0] * sigma[..., 2])
    expected = pair.correlation_covariance / width
    columns = [covariance_with_site(c, m, expected[m]) for m in range(depth)]
    own = Measured(
        np.array([column.value[m] for m, column in enumerate(columns)]),
        np.array([column.stderr[m] for m, column in enumerate(columns)]),
        np.diagonal(expected),
    )
    return Pair(theory, width, pair, site, c.mean(0), columns[site], own)
