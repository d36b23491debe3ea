"""The covariance of a wide network: one dual activation per layer, composed.

    c_l(q) = sigma_w^2 q^{l-1} + sigma_b^2,   q^l = K_l(c_l),   r_l = K_l(S_l),  S_l = sigma_w^2 r_{l-1} + sigma_b^2
    xi = K_L o c_L o ... o K_1 o c_1,    xi(1) = r_L                                  (equations.md, "Infinite width")

The limit alpha_l -> infinity after N_0 -> infinity: every Q^l is slaved to the input overlap, widths drop out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mcmc.theory.gaussian_field.covariance import Array, Covariance, compose
from mcmc.theory.gaussian_field.dual_activation import Dual, dual_activation
from mcmc.theory.model import TheoryModel, one_or_all


class NetworkCovariance(Covariance):
    """xi of an activation at a depth, in the limit of infinite width.

    Attributes:
        model:        activation and weight scales; its width ratios are not used.
        self_overlap: (1, r_1, ..., r_L).
    """

    def __init__(self, model: TheoryModel):
        self.model = model
        self.self_overlap: tuple[float, ...] = (1.0,)
        self._duals: list[Dual] = []
        self.error = 0.0
        for layer in range(1, model.depth + 1):
            variance = float(self._pre_activation(layer, np.array(self.self_overlap[-1])))
            dual, error = dual_activation(model.activation, variance)
            value, slope = dual(np.array([variance]), 1)[:, 0]
            # an error of the layer below arrives multiplied by K'
            self.error = error + slope * model.weight_variance(layer) * self.error
            self._duals.append(dual)
            self.self_overlap += (float(value),)
        params = ", ".join(f"{name}={value:g}" for name, value in model.activation.params.items())
        name = f"{model.activation.name}({params})" if params else model.activation.name
        self.label = f"{name}, L={model.depth}, sigma_w={one_or_all(model.sigma_w)}" + (
            f", sigma_b={one_or_all(model.sigma_b)}" if any(model.sigma_b) else ""
        )

    @classmethod
    def build(
        cls,
        activation: str = "sin",
        *,
        depth: int = 1,
        sigma_w: float | Sequence[float] = 1.0,
        sigma_b: float | Sequence[float] = 0.0,
        activation_params: Mapping[str, float] | None = None,
    ) -> "NetworkCovariance":
        """From plain arguments, as `TheoryModel.build` without width ratios.

        Raises:
            ConfigError:     every problem of the arguments at once.
            QuadratureError: the dual activation cannot be resolved (see `hermite_dual`).
        """
        return cls(
            TheoryModel.build(
                activation, depth=depth, sigma_w=sigma_w, sigma_b=sigma_b, activation_params=activation_params
            )
        )

    def derivatives(self, overlap: ArrayLike, order: int = 3) -> Array:
        q = np.asarray(overlap, dtype=float)
        jet = np.zeros((order + 1, *q.shape))
        jet[0] = q
        if order >= 1:
            jet[1] = 1.0
        for layer, dual in enumerate(self._duals, start=1):
            inner = self.model.weight_variance(layer) * jet
            inner[0] += self.model.bias_variance(layer)
            jet = compose(dual(inner[0], order), inner)
        return jet

    def layer_overlaps(self, overlap: ArrayLike) -> tuple[Array, ...]:
        q = np.asarray(overlap, dtype=float)
        layers = []
        for layer, dual in enumerate(self._duals, start=1):
            q = dual(self._pre_activation(layer, q), 0)[0]
            layers.append(q)
        return tuple(layers)

    def _pre_activation(self, layer: int, overlap: Array) -> Array:
        """sigma_w^2 q^{l-1} + sigma_b^2."""
        return self.model.weight_variance(layer) * overlap + self.model.bias_variance(layer)
