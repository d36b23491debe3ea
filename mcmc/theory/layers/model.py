"""The pre-activations of a random network as a chain of O(N) vectors, at infinite width: variances and their slope.

    z^l = W^l phi(z^{l-1}) + b^l,   W_ij ~ N(0, sigma_w^2/N),  b_i ~ N(0, sigma_b^2)
    Sigma_{l+1} = sigma_b^2 + sigma_w^2 M(Sigma_l),   M(S) = E phi(sqrt(S) g)^2,   chi = sigma_w^2 M'(S)

[S. Schoenholz, J. Pennington and J. Sohl-Dickstein, arXiv:1710.06570; docs/layer_field_theory.md]. This recursion alone
is the factorial (mean-field) approximation, in which layers are independent; `fluctuations` is what it leaves out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from mcmc.errors import ConfigError, UsageError
from mcmc.systems.mlp.activations import Activation, make_activation
from mcmc.theory.gaussian_average import even_moment

Array = NDArray[np.float64]
ROUNDING = 1e-12  # of 1 - Sigma_{l+1}/Sigma_l: at criticality it tends to zero with Sigma


@dataclass(frozen=True)
class LayerTheory:
    """Activation and weight scales of a wide random network; every layer has the same.

    Attributes:
        activation: phi.
        sigma_w:    > 0.
        sigma_b:    >= 0.
    Raises:
        ConfigError: a scale out of range; every problem at once.
    """

    activation: Activation
    sigma_w: float
    sigma_b: float

    def __post_init__(self) -> None:
        problems = []
        if not (math.isfinite(self.sigma_w) and self.sigma_w > 0):
            problems.append(f"sigma_w: expected a finite number > 0, found {self.sigma_w}")
        if not (math.isfinite(self.sigma_b) and self.sigma_b >= 0):
            problems.append(f"sigma_b: expected a finite number >= 0, found {self.sigma_b}")
        if problems:
            raise ConfigError("; ".join(problems) + ".", problems=tuple(problems))

    @classmethod
    def build(
        cls,
        activation: str = "tanh",
        *,
        sigma_w: float = 1.0,
        sigma_b: float = 0.0,
        depth: int = 1,
        activation_params: Mapping[str, float] | None = None,
    ) -> "LayerTheory":
        """From plain arguments; depth matters to shaped activations only."""
        return cls(make_activation(activation, depth=depth, **(activation_params or {})), sigma_w, sigma_b)

    @property
    def weight_variance(self) -> float:
        """sigma_w^2."""
        return self.sigma_w**2

    @property
    def bias_variance(self) -> float:
        """sigma_b^2."""
        return self.sigma_b**2

    def mean_square(self, variance: float, derivative: int = 0) -> float:
        """M(S) = E phi(sqrt(S) g)^2, or its derivatives in S."""
        return moment(self.activation, variance, 2, derivative)

    def square_variance(self, variance: float, derivative: int = 0) -> float:
        """V(S) = Var[phi(sqrt(S) g)^2], or its first two derivatives in S."""
        fourth = moment(self.activation, variance, 4, derivative)
        m = [moment(self.activation, variance, 2, n) for n in range(derivative + 1)]
        return fourth - sum(math.comb(derivative, n) * m[n] * m[derivative - n] for n in range(derivative + 1))

    def next_variance(self, variance: float) -> float:
        """Sigma_{l+1} = sigma_b^2 + sigma_w^2 M(Sigma_l)."""
        return self.bias_variance + self.weight_variance * self.mean_square(variance)

    def slope(self, variance: float) -> float:
        """chi(S) = sigma_w^2 M'(S): how a change of the variance is passed on to the next layer."""
        return self.weight_variance * self.mean_square(variance, 1)

    def noise(self, variance: float) -> float:
        """sigma_w^4 V(S): N times the variance that one layer adds to the next Sigma."""
        return self.weight_variance**2 * self.square_variance(variance)

    def variances(self, first: float, depth: int) -> Array:
        """(Sigma_1 = first, Sigma_2, ..., Sigma_depth) at infinite width."""
        values = [first]
        while len(values) < depth:
            values.append(self.next_variance(values[-1]))
        return np.array(values)

    @cached_property
    def fixed_point(self) -> float:
        """Sigma* = sigma_b^2 + sigma_w^2 M(Sigma*) > 0, the largest one.

        Raises:
            UsageError: there is none: the variance grows without bound, or decays to zero.
        """
        if self.activation.slopes is not None:
            gain = self.slope(1.0)
            if gain >= 1 or self.sigma_b == 0:
                raise _no_fixed_point(self, gain)
            return self.bias_variance / (1 - gain)
        top = self.bias_variance + self.weight_variance * self.activation.bound**2
        if not math.isfinite(top):
            raise UsageError(f"activation '{self.activation.name}' is neither piecewise linear nor bounded.")

        def excess(log_variance: float) -> float:
            variance = math.exp(log_variance)
            return 1 - self.next_variance(variance) / variance

        # in logarithms: near criticality Sigma* is many orders of magnitude below the top
        grid = np.linspace(math.log(top), math.log(top) - 50.0, 201)
        above = grid[0]
        for below in grid[1:]:
            if excess(below) < -ROUNDING:
                return math.exp(brentq(excess, below, above, xtol=1e-14, rtol=1e-14))
            above = below
        raise _no_fixed_point(self, self.slope(math.exp(grid[-1])))

    @property
    def label(self) -> str:
        """Activation and scales, for messages and figures."""
        params = "".join(f", {name} = {value:g}" for name, value in self.activation.params.items())
        scales = f"sigma_w^2 = {self.weight_variance:.4g}, sigma_b^2 = {self.bias_variance:.4g}"
        return f"{self.activation.name}{params}, {scales}"


def moment(activation: Activation, variance: float, power: int, derivative: int = 0) -> float:
    """d^n/dS^n E phi(sqrt(S) g)^power, power even, n = derivative."""
    if activation.slopes is not None:  # homogeneous: exact, and cheap for long chains
        unit = sum(slope**power for slope in activation.slopes) / 2 * math.prod(range(1, power, 2))
        degree = power // 2
        return unit * math.perm(degree, derivative) * variance ** max(degree - derivative, 0)
    return even_moment(activation, variance, power, derivative)


def _no_fixed_point(theory: LayerTheory, gain: float) -> UsageError:
    return UsageError(
        f"{theory.label}: the variance of the pre-activations has no fixed point > 0 (chi = {gain:.6g}, "
        f"sigma_b = {theory.sigma_b:g}): it grows or decays with depth. Expected chi < 1 with sigma_b > 0; "
        "`mlp-gibbs layers critical` treats sigma_b = 0.",
        chi=gain,
    )
