"""The model whose replica theory is solved: activation, width ratios and weight scales, layer by layer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcmc.errors import ConfigError
from mcmc.systems.mlp.activations import Activation, make_activation
from mcmc.types import as_per_layer

MAX_DEPTH = 10_000  # hidden layers: more is a slip of the pen


@dataclass(frozen=True)
class TheoryModel:
    """A random MLP in the limit N_0 -> infinity at fixed width ratios (equations.md, section 1).

        h^1 = sigma_w W^1 x / sqrt(N_0) + sigma_b b^1
        h^{l+1} = sigma_w W^{l+1} phi(h^l) / sqrt(N_l) + sigma_b b^{l+1}
        H(x) = sqrt(N_0 / N_L) v . phi(h^L)

    Attributes:
        activation:   phi, the same in every layer; piecewise linear (`slopes`) or bounded (`bound`).
        width_ratios: (alpha_1, ..., alpha_L), alpha_l = N_l / N_0 > 0.
        sigma_w:      standard deviation scale of W^1 ... W^L, each > 0; the readout v has unit variance.
        sigma_b:      standard deviation of the biases b^1 ... b^L, each >= 0.
    Raises:
        ConfigError: lists every problem at once.
    """

    activation: Activation
    width_ratios: tuple[float, ...]
    sigma_w: tuple[float, ...]
    sigma_b: tuple[float, ...]

    def __post_init__(self) -> None:
        problems = []
        if not self.width_ratios:
            problems.append("width_ratios: expected at least one layer, found none")
        for name, values, is_valid, wanted in (
            ("width_ratios", self.width_ratios, lambda v: v > 0, "> 0"),
            ("sigma_w", self.sigma_w, lambda v: v > 0, "> 0"),
            ("sigma_b", self.sigma_b, lambda v: v >= 0, ">= 0"),
        ):
            if len(values) != len(self.width_ratios):
                problems.append(f"{name}: expected {len(self.width_ratios)} numbers (one a layer), found {len(values)}")
            if not all(math.isfinite(v) and is_valid(v) for v in values):
                problems.append(f"{name}: expected finite numbers {wanted}, found {values}")
        if self.activation.slopes is None and not math.isfinite(self.activation.bound):
            problems.append(
                f"activation '{self.activation.name}': the single-neuron integral needs a piecewise linear (slopes) or "
                "a bounded (bound) activation, found neither"
            )
        if problems:
            raise ConfigError("; ".join(problems) + ".", problems=tuple(problems))

    @classmethod
    def build(
        cls,
        activation: str = "sin",
        *,
        depth: int = 1,
        width_ratios: float | Sequence[float] = 1.0,
        sigma_w: float | Sequence[float] = 1.0,
        sigma_b: float | Sequence[float] = 0.0,
        activation_params: Mapping[str, float] | None = None,
    ) -> "TheoryModel":
        """The model from plain arguments; a number stands for every layer.

        Raises:
            ConfigError: unknown activation or parameter, wrong lengths, values out of range; every problem at once.
        """
        if not 1 <= depth <= MAX_DEPTH:
            raise ConfigError(f"depth: expected L >= 1 hidden layers, {MAX_DEPTH} at most, found {depth}.")
        problems = []
        per_layer: dict[str, tuple[float, ...]] = {}
        for name, value in (("width_ratios", width_ratios), ("sigma_w", sigma_w), ("sigma_b", sigma_b)):
            try:
                per_layer[name] = as_per_layer(value, depth)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        try:
            phi = make_activation(activation, depth=depth, **(activation_params or {}))
        except ConfigError as error:
            problems.append(str(error))
        if problems:
            raise ConfigError("; ".join(problems), problems=tuple(problems))
        return cls(activation=phi, **per_layer)

    @property
    def depth(self) -> int:
        """L, the number of hidden layers."""
        return len(self.width_ratios)

    @property
    def label(self) -> str:
        """How to name the model in messages: activation, depth, width ratios and weight scales."""
        numbers = [("alpha", self.width_ratios), ("sigma_w", self.sigma_w)]
        if any(self.sigma_b):
            numbers.append(("sigma_b", self.sigma_b))
        params = ", ".join(f"{name}={value:g}" for name, value in self.activation.params.items())
        words = [f"{self.activation.name}({params})" if params else self.activation.name, f"L={self.depth}"]
        return ", ".join(words + [f"{name}={one_or_all(values)}" for name, values in numbers])

    def alpha(self, layer: int) -> float:
        """alpha_l = N_l / N_0, with alpha_0 = 1."""
        return 1.0 if layer == 0 else self.width_ratios[layer - 1]

    def width_gain(self, layer: int) -> float:
        """alpha_l / alpha_{l-1} = N_l / N_{l-1} of hidden layer l = 1 ... L."""
        return self.alpha(layer) / self.alpha(layer - 1)

    def weight_variance(self, layer: int) -> float:
        """sigma_w^2 of W^l, l = 1 ... L."""
        return self.sigma_w[layer - 1] ** 2

    def bias_variance(self, layer: int) -> float:
        """sigma_b^2 of b^l, l = 1 ... L."""
        return self.sigma_b[layer - 1] ** 2


def one_or_all(values: tuple[float, ...]) -> str:
    """One number if all layers share it."""
    return f"{values[0]:g}" if len(set(values)) == 1 else "(" + ", ".join(f"{v:g}" for v in values) + ")"
