"""The law of Sigma at finite width for a bounded activation, numerically exact: transfer operator of one layer.

Given Sigma_l = S the next is sigma_b^2 + (sigma_w^2/N) sum_i phi(sqrt(S) g_i)^2, a sum of N independent terms, so that
on the interval [sigma_b^2, sigma_b^2 + sigma_w^2 sup phi^2] its density is the Fourier series

    p(S' | S) = (1/P) sum_k c_k(S)^N exp(-i t_k (S' - sigma_b^2)),   t_k = 2 pi k/P,
    c_k(S) = E exp(i t_k sigma_w^2 phi(sqrt(S) g)^2/N)

with period P the length of the interval: nothing is folded over. On a grid the operator is a stochastic matrix; its
stationary vector gives the law far from the input, its powers the covariance between layers. No expansion in 1/N.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mcmc.errors import QuadratureError, UsageError
from mcmc.theory.gaussian_average import line_rule
from mcmc.theory.layers.fluctuations import Array
from mcmc.theory.layers.model import LayerTheory

# below, the density of a sum of N terms is not smooth at the ends; beyond, it is narrower than the grids
MIN_WIDTH, MAX_WIDTH = 12, 2048
GRIDS = (128, 256, 512, 1024)
TOL = 1e-8  # wanted of Var Sigma, relative, between two grids


@dataclass(frozen=True)
class StationaryLaw:
    """Sigma far from the input, at width N.

    Attributes:
        grid:   (n,) values of Sigma.
        weight: (n,) probabilities.
        matrix: (n, n) matrix[j, i], probability of grid[i] after grid[j].
        error:  relative change of the variance from half the grid.
    """

    grid: Array
    weight: Array
    matrix: Array
    error: float

    @property
    def mean(self) -> float:
        """E Sigma."""
        return float(self.weight @ self.grid)

    @property
    def variance(self) -> float:
        """Var Sigma."""
        return float(self.weight @ (self.grid - self.mean) ** 2)

    def covariance(self, max_lag: int) -> Array:
        """Cov(Sigma_l, Sigma_{l+n}), n = 0 ... max_lag: (max_lag + 1,)."""
        fluctuation = self.grid - self.mean
        result, passed_on = [], fluctuation
        for _ in range(max_lag + 1):
            result.append(float(self.weight @ (fluctuation * passed_on)))
            passed_on = self.matrix @ passed_on
        return np.array(result)


def has_transfer_matrix(theory: LayerTheory, width: int) -> bool:
    """True where `stationary_law` can be asked."""
    return math.isfinite(theory.activation.bound) and MIN_WIDTH <= width <= MAX_WIDTH and theory.sigma_b > 0


def stationary_law(theory: LayerTheory, width: int) -> StationaryLaw:
    """The law of Sigma far from the input, on a grid fine enough for its variance.

    Raises:
        UsageError:      unbounded activation, sigma_b = 0, N too small or too large.
        QuadratureError: the finest grid does not resolve a layer; error.
    """
    if not has_transfer_matrix(theory, width):
        raise UsageError(
            f"the transfer matrix needs a bounded activation, sigma_b > 0 and {MIN_WIDTH} <= N <= {MAX_WIDTH}, "
            f"found {theory.label}, N = {width}. Piecewise linear activations have exact moments of their own."
        )
    before = math.nan
    for n in GRIDS:
        law = _law_on_grid(theory, width, n, before)
        if law.error < TOL:
            return law
        before = law.variance
    raise QuadratureError(
        f"{theory.label}, N = {width}: a grid of {GRIDS[-1]} values changes Var Sigma by {law.error:.1e} "
        f"(wanted < {TOL:.0e}). Use the 1/N theory at this width.",
        error=law.error,
    )


def _law_on_grid(theory: LayerTheory, width: int, n: int, variance_before: float) -> StationaryLaw:
    period = theory.weight_variance * theory.activation.bound**2
    step = period / n
    grid = theory.bias_variance + step * np.arange(n, dtype=np.float64)
    matrix = np.stack([_row(theory, width, float(s), n) for s in grid])
    balance = matrix.T - np.eye(n)
    balance[-1] = 1.0  # one of the n equations follows from the others: in its place, probabilities add up to 1
    weight: Array = np.linalg.solve(balance, np.eye(n)[-1])
    law = StationaryLaw(grid, weight, matrix, math.inf)
    return replace(law, error=abs(law.variance / variance_before - 1))


def _row(theory: LayerTheory, width: int, variance: float, n: int) -> Array:
    """Probabilities of the grid after this Sigma."""
    rule = line_rule(variance)
    square = theory.activation.phi(math.sqrt(variance) * rule.nodes).numpy() ** 2
    angle = 2 * np.pi * square / (theory.activation.bound**2 * width)
    turns = np.ones((n // 2 + 1, len(angle)), dtype=complex)
    turns[1:] = np.exp(1j * angle)
    single = np.cumprod(turns, axis=0) @ rule.weights.numpy()
    return np.fft.irfft(np.conj(single**width), n)
