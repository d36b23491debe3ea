"""The replica-symmetric saddle-point equations as a map of a few unknowns (equations.md, section 4).

    Phi = 1/2 [ log(1-q_0) + q_0/(1-q_0) ] + sum_l alpha_l [ -1/2 (R_l r_l - S_l q_l) + G_l ] + beta^2/2 (r_L - q_L)

    q_l = E <phi>^2,   r_l = E <phi^2>,   S_L = R_L = beta^2 / alpha_L
    S_{l-1} = (alpha_l/alpha_{l-1}) sigma_w^2 E (d_omega f_l)^2,   R_{l-1} - S_{l-1} = (same factor) E d_omega^2 f_l
    q_0 / (1-q_0)^2 = alpha_1 sigma_w^2 E (d_omega f_1)^2

The unknowns are x = (q_0, S_1, R_1 - S_1, ..., S_{L-1}, R_{L-1} - S_{L-1}): given these, one pass from the input to the
readout gives every (q_l, r_l), and the same layer averages give the new unknowns.
"""

import math
from dataclasses import dataclass

import numpy as np

from mcmc.errors import QuadratureError
from mcmc.theory.fixed_point import Vector
from mcmc.theory.layer import LayerAverage, layer_average
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature

MAX_OVERLAP = 1 - 1e-9  # keeps c > 0 while an iteration overshoots


@dataclass(frozen=True)
class RsPass:
    """Order parameters and layer averages of one pass from the input to the readout.

    Attributes:
        overlap:           (q_0, ..., q_L).
        self_overlap:      (1, r_1, ..., r_L).
        conjugate_overlap: (S_1, ..., S_L).
        tilt:              (R_1 - S_1, ..., R_L - S_L); the last is 0.
        layers:            averages of the layers 1 ... L.
    """

    overlap: tuple[float, ...]
    self_overlap: tuple[float, ...]
    conjugate_overlap: tuple[float, ...]
    tilt: tuple[float, ...]
    layers: list[LayerAverage]


def sphere_overlap(field: float) -> float:
    """q in [0, 1) with q/(1-q)^2 = field >= 0, without cancellation at either end."""
    return 2 * field / (2 * field + 1 + math.sqrt(4 * field + 1))


def n_unknowns(model: TheoryModel) -> int:
    """Length of x; x = 0 is the solution at beta = 0 and the start of a continuation."""
    return 2 * model.depth - 1


def forward_pass(model: TheoryModel, beta: float, x: Vector, quadrature: Quadrature) -> RsPass:
    """Every (q_l, r_l) and layer average at the unknowns x.

    Raises:
        QuadratureError: a single-neuron average does not exist or cannot be resolved; beta and layer as attributes.
    """
    depth = model.depth
    overlap, self_overlap = [float(x[0])], [1.0]
    conjugates = [*(float(s) for s in x[1::2]), beta**2 / model.alpha(depth)]
    tilts = [*(float(d) for d in x[2::2]), 0.0]
    layers = []
    for layer in range(1, depth + 1):
        try:
            average = layer_average(
                model,
                layer,
                overlap=overlap[-1],
                self_overlap=self_overlap[-1],
                conjugate_overlap=conjugates[layer - 1],
                tilt=tilts[layer - 1],
                quadrature=quadrature,
            )
        except QuadratureError as error:
            raise QuadratureError(f"RS saddle point at beta={beta:g}, {error}", **vars(error), beta=beta) from error
        layers.append(average)
        overlap.append(average.overlap)
        self_overlap.append(average.self_overlap)
    return RsPass(tuple(overlap), tuple(self_overlap), tuple(conjugates), tuple(tilts), layers)


def updated_unknowns(model: TheoryModel, result: RsPass) -> Vector:
    """The unknowns that the layer averages of a pass imply; the saddle point is where they do not change."""
    first = result.layers[0]
    x = [sphere_overlap(model.alpha(1) * model.weight_variance(1) * first.d_omega_squared)]
    for layer in range(2, model.depth + 1):
        gain = model.width_gain(layer) * model.weight_variance(layer)
        average = result.layers[layer - 1]
        x += [gain * average.d_omega_squared, gain * average.d_omega2]
    return np.array(x)


def project(x: Vector) -> Vector:
    """x with 0 <= q_0 < 1 and S_l >= 0."""
    bounded = x.copy()
    bounded[0] = min(max(x[0], 0.0), MAX_OVERLAP)
    bounded[1::2] = np.maximum(x[1::2], 0.0)
    return bounded


def free_entropy(model: TheoryModel, beta: float, result: RsPass) -> float:
    """Phi_RS at the order parameters of a pass."""
    q0 = result.overlap[0]
    total = 0.5 * (math.log1p(-q0) + q0 / (1 - q0))
    for layer in range(1, model.depth + 1):
        q, r = result.overlap[layer], result.self_overlap[layer]
        s, d = result.conjugate_overlap[layer - 1], result.tilt[layer - 1]
        # R r - S q = S (r - q) + (R - S) r
        total += model.alpha(layer) * (result.layers[layer - 1].free_entropy - 0.5 * (s * (r - q) + d * r))
    return total + 0.5 * beta**2 * (result.self_overlap[-1] - result.overlap[-1])


def energy(beta: float, result: RsPass) -> float:
    """e = -beta (r_L - q_L), the first route."""
    return -beta * (result.self_overlap[-1] - result.overlap[-1])


def energy_readout(model: TheoryModel, result: RsPass) -> float:
    """e = -sqrt(alpha_L) E[y <phi>] of layer L, the second route."""
    return -math.sqrt(model.alpha(model.depth)) * result.layers[-1].readout
