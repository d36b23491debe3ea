"""Shaped networks of depth L and widths alpha_l = a L, and their limit L -> infinity at fixed a."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcmc.errors import ConfigError
from mcmc.theory.model import TheoryModel
from mcmc.theory.shaped.drift import Drift, drift_of


@dataclass(frozen=True)
class ShapedModel:
    """A shaped network, sigma_w = 1 and no biases, of which only the depth is left open.

    Attributes:
        activation:      shaped_tanh, shaped_relu or linear.
        width_per_depth: a in alpha_l = a L, > 0; math.inf is the limit of infinite width first.
        params:          of the activation: shape, or c_plus and c_minus.
        drift:           F(q, r) of the activation.
    """

    activation: str
    width_per_depth: float
    params: Mapping[str, float] = field(default_factory=dict)
    drift: Drift = field(init=False)

    def __post_init__(self) -> None:
        if not self.width_per_depth > 0:
            raise ConfigError(
                f"width_per_depth: expected a > 0 in alpha_l = a L (inf: infinite width first), "
                f"found {self.width_per_depth}."
            )
        object.__setattr__(self, "drift", drift_of(self.activation, self.params))

    @property
    def inverse_width(self) -> float:
        """1/a, 0 at infinite width."""
        return 1 / self.width_per_depth

    def at_depth(self, depth: int) -> TheoryModel:
        """The network of L hidden layers, alpha_l = a L.

        Raises:
            ConfigError: L < 1, or a is infinite.
        """
        if math.isinf(self.width_per_depth):
            raise ConfigError("at_depth: expected a finite width_per_depth, found inf. Use NetworkCovariance.")
        return TheoryModel.build(
            self.activation,
            depth=depth,
            width_ratios=self.width_per_depth * depth,
            activation_params=self.params,
        )
