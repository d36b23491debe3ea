"""The replica-symmetric average over one layer: a neuron under the quenched fields t (mean input) and y (conjugate).

G_l = E_{t,y} f_l(omega, u),   omega = sqrt(sigma_w^2 q_{l-1} + sigma_b^2) t,   u = sqrt(S_l) y,
c^2 = sigma_w^2 (r_{l-1} - q_{l-1})                                                    (equations.md, section 4)
"""

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
from torch import Tensor

from mcmc.errors import QuadratureError
from mcmc.theory.model import TheoryModel
from mcmc.theory.neuron import NeuronMoments, neuron_moments
from mcmc.theory.quadrature import GaussianRule, Quadrature

ROWS = 128  # values of t at a time: bounds the memory (1 GB otherwise at beta = 16) and keeps a block in cache


@dataclass(frozen=True)
class LayerGrid:
    """A block of rows of the grid (t, y) of one layer.

    Attributes:
        neuron: f_l and its moments, (T, Y).
        t:      the nodes and weights of these rows; the weights of all blocks together add up to 1.
        y:      rule of the conjugate field, all of it.
    """

    neuron: NeuronMoments
    t: GaussianRule
    y: GaussianRule

    def mean(self, values: Tensor) -> float:
        """The share of these rows in E_{t,y} of values given on the grid, (T, Y)."""
        return float(self.t.weights @ values @ self.y.weights)


@dataclass(frozen=True)
class LayerAverage:
    """The averages over one hidden layer that the saddle point and its stability need.

    Attributes:
        free_entropy:      G_l = E f_l.
        overlap:           q_l = E <phi>^2.
        self_overlap:      r_l = E <phi^2>.
        d_omega_squared:   E (d_omega f_l)^2, which makes S_{l-1}.
        d_omega2:          E d_omega^2 f_l, which makes R_{l-1} - S_{l-1}.
        readout:           E y <phi>, which in the last layer makes the energy.
        d_omega2_squared:  E (d_omega^2 f_l)^2.
        d_omega_u_squared: E (d_omega d_u f_l)^2.
        d_u2_squared:      E (d_u^2 f_l)^2.
        n_points:          points of the grid (t, y).
    """

    free_entropy: float
    overlap: float
    self_overlap: float
    d_omega_squared: float
    d_omega2: float
    readout: float
    d_omega2_squared: float
    d_omega_u_squared: float
    d_u2_squared: float
    n_points: float


def layer_grids(
    model: TheoryModel,
    layer: int,
    *,
    overlap: float,
    self_overlap: float,
    conjugate_overlap: float,
    tilt: float,
    quadrature: Quadrature,
    order: int = 2,
) -> Iterator[LayerGrid]:
    """The neurons of hidden layer l = 1 ... L under the order parameters of its two sides, block by block.

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
    for nodes, weights in zip(t.nodes.split(ROWS), t.weights.split(ROWS), strict=True):
        try:
            neuron = neuron_moments(
                model.activation,
                omega_std * nodes,
                field_std * y.nodes,
                c=c,
                tilt=tilt,
                order=order,
                xi_step=quadrature.xi_step,
            )
        except QuadratureError as error:
            raise QuadratureError(f"layer {layer}: {error}", **{**vars(error), "layer": layer}) from error
        yield LayerGrid(neuron, GaussianRule(nodes, weights), y)


def layer_average(
    model: TheoryModel,
    layer: int,
    *,
    overlap: float,
    self_overlap: float,
    conjugate_overlap: float,
    tilt: float,
    quadrature: Quadrature,
) -> LayerAverage:
    """The averages of hidden layer l = 1 ... L; arguments and errors as `layer_grids`."""
    grids = layer_grids(
        model,
        layer,
        overlap=overlap,
        self_overlap=self_overlap,
        conjugate_overlap=conjugate_overlap,
        tilt=tilt,
        quadrature=quadrature,
    )
    return LayerAverage(*np.sum([astuple(_block_average(grid)) for grid in grids], axis=0).tolist())


def _block_average(grid: LayerGrid) -> LayerAverage:
    neuron = grid.neuron
    return LayerAverage(
        free_entropy=grid.mean(neuron.log_z),
        overlap=grid.mean(neuron.phi**2),
        self_overlap=grid.mean(neuron.phi_squared),
        d_omega_squared=grid.mean(neuron.d_omega**2),
        d_omega2=grid.mean(neuron.d_omega2),
        readout=grid.mean(neuron.phi * grid.y.nodes),
        d_omega2_squared=grid.mean(neuron.d_omega2**2),
        d_omega_u_squared=grid.mean(neuron.d_omega_u**2),
        d_u2_squared=grid.mean(neuron.d_u2**2),
        n_points=neuron.log_z.numel(),
    )
