"""The replica-symmetric average over one layer: a neuron under the quenched fields t (mean input) and y (conjugate).

G_l = E_{t,y} f_l(omega, u),   omega = sqrt(sigma_w^2 q_{l-1} + sigma_b^2) t,   u = sqrt(S_l) y,
c^2 = sigma_w^2 (r_{l-1} - q_{l-1})                                                    (equations.md, section 4)
"""

import math
from dataclasses import dataclass

from torch import Tensor

from mcmc.errors import QuadratureError
from mcmc.theory.model import TheoryModel
from mcmc.theory.neuron import NeuronMoments, neuron_moments
from mcmc.theory.quadrature import GaussianRule, Quadrature


@dataclass(frozen=True)
class LayerAverage:
    """One hidden layer at given order parameters: the neuron on its grid (t, y), and the rules that average it.

    Attributes:
        neuron: f_l and its moments, (T, Y).
        t:      rule of the mean pre-activation.
        y:      rule of the conjugate field.
    """

    neuron: NeuronMoments
    t: GaussianRule
    y: GaussianRule

    def mean(self, values: Tensor) -> float:
        """E_{t,y} of values given on the grid, (T, Y)."""
        return float(self.t.weights @ values @ self.y.weights)

    @property
    def free_entropy(self) -> float:
        """G_l = E f_l."""
        return self.mean(self.neuron.log_z)

    @property
    def overlap(self) -> float:
        """q_l = E <phi>^2."""
        return self.mean(self.neuron.phi**2)

    @property
    def self_overlap(self) -> float:
        """r_l = E <phi^2>."""
        return self.mean(self.neuron.phi_squared)

    @property
    def d_omega_squared(self) -> float:
        """E (d_omega f)^2, which makes S_{l-1}."""
        return self.mean(self.neuron.d_omega**2)

    @property
    def d_omega2(self) -> float:
        """E d_omega^2 f, which makes R_{l-1} - S_{l-1}."""
        return self.mean(self.neuron.d_omega2)

    @property
    def readout(self) -> float:
        """E y <phi>, which in the last layer makes the energy."""
        return self.mean(self.neuron.phi * self.y.nodes)


def layer_average(
    model: TheoryModel,
    layer: int,
    *,
    overlap: float,
    self_overlap: float,
    conjugate_overlap: float,
    tilt: float,
    quadrature: Quadrature,
    order: int = 2,
) -> LayerAverage:
    """The neurons of hidden layer l = 1 ... L under the order parameters of its two sides.

    Args:
        overlap:           q_{l-1} of the layer below.
        self_overlap:      r_{l-1} of the layer below (1 for the input).
        conjugate_overlap: S_l.
        tilt:              R_l - S_l.
        order:             largest k + b of the moments D[k, b].
    Raises:
        QuadratureError: with the layer on it.
    """
    weight = model.weight_variance(layer)
    c = math.sqrt(weight * max(self_overlap - overlap, 0.0))
    omega_std = math.sqrt(weight * overlap + model.bias_variance(layer))
    field_std = math.sqrt(conjugate_overlap)
    if c == 0 or not math.isfinite(c):
        raise QuadratureError(f"layer {layer}: r - q = {self_overlap - overlap:.3g}, wanted > 0.", layer=layer, c=c)
    t = quadrature.t_nodes(omega_std, c)
    y = quadrature.y_nodes(field_std)
    try:
        neuron = neuron_moments(
            model.activation,
            omega_std * t.nodes,
            field_std * y.nodes,
            c=c,
            tilt=tilt,
            order=order,
            xi_step=quadrature.xi_step,
        )
    except QuadratureError as error:
        numbers = {**vars(error), "layer": layer}
        raise QuadratureError(f"layer {layer}: {error}", **numbers) from error
    return LayerAverage(neuron, t, y)
