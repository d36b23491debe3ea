"""The k-step saddle-point equations as a map of a few unknowns, at given breaking points (equations.md, section 10).

    Phi = sphere(q_0) + sum_l alpha_l G_l - 1/2 sum_{l<L} alpha_l [ R_l r_l - sum_i (x_{i+1} - x_i) S_l[i] q_l[i] ]

(the pairing of the last layer and the readout term cancel). The unknowns are the levels of q_0 and, for each hidden
layer l < L, the levels of S_l and the tilt R_l - S_l[k]; one pass from the input to the readout gives every q_l[i]
and r_l, and the same averages give the new unknowns.
"""

import math
from dataclasses import dataclass

import numpy as np

from mcmc.errors import QuadratureError
from mcmc.systems.mlp.activations import Activation
from mcmc.theory.fixed_point import Vector
from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb.grids import LayerFields, LayerGrid, RsbGrid, choose_grid
from mcmc.theory.rsb.recursion import LayerLevels, layer_levels
from mcmc.theory.rsb.sphere import (
    Levels,
    sphere_breaking_derivatives,
    sphere_free_entropy,
    sphere_gaps,
    sphere_overlaps,
)

MAX_OVERLAP = 1 - 1e-9


@dataclass(frozen=True)
class Unknowns:
    """What is solved for: levels of q_0, and (levels of S_l, R_l - S_l[k]) of the hidden layers l = 1 ... L-1."""

    overlap: Levels
    hidden: tuple[tuple[Levels, float], ...]

    def to_vector(self) -> Vector:
        return np.array([*self.overlap, *(v for levels, tilt in self.hidden for v in (*levels, tilt))])

    @classmethod
    def from_vector(cls, values: Vector, n_levels: int, depth: int) -> "Unknowns":
        v = [float(a) for a in values]
        rows = [v[n_levels + j * (n_levels + 1) : n_levels + (j + 1) * (n_levels + 1)] for j in range(depth - 1)]
        return cls(tuple(v[:n_levels]), tuple((tuple(row[:-1]), row[-1]) for row in rows))


@dataclass(frozen=True)
class RsbPass:
    """Order parameters and averages of one pass from the input to the readout.

    Attributes:
        x:                 breaking points.
        overlap:           levels of q_0 ... q_L.
        self_overlap:      (1, r_1, ..., r_L).
        conjugate_overlap: levels of S_1 ... S_L.
        tilt:              R_l - S_l[k], l = 1 ... L.
        layers:            averages of the layers 1 ... L.
    """

    x: Levels
    overlap: tuple[Levels, ...]
    self_overlap: Levels
    conjugate_overlap: tuple[Levels, ...]
    tilt: Levels
    layers: tuple[LayerLevels, ...]


def activation_of(model: TheoryModel, layer: int) -> Activation:
    """phi of hidden layer l = 1 ... L: one for all, unless a subclass of the model lists `activations` by layer."""
    activations: tuple[Activation, ...] = getattr(model, "activations", (model.activation,) * model.depth)
    return activations[layer - 1]


def layer_fields(
    model: TheoryModel, layer: int, overlap: Levels, self_overlap: float, conjugate: Levels, tilt: float, x: Levels
) -> LayerFields:
    """What hidden layer l = 1 ... L feels, from q_{l-1}, r_{l-1}, S_l and R_l - S_l[k]."""
    weight = model.weight_variance(layer)
    variances = np.diff([0.0, *overlap]) * weight
    variances[0] += model.bias_variance(layer)
    thermal = weight * (self_overlap - overlap[-1])
    if not thermal > 0:
        raise QuadratureError(f"layer {layer}: r - q[k] = {thermal / weight:.3g}, wanted > 0.", layer=layer)
    return LayerFields(
        omega_std=_roots(variances),
        c=math.sqrt(thermal),
        field_std=_roots(np.diff([0.0, *conjugate])),
        tilt=tilt,
        x=x,
        is_last=layer == model.depth,
    )


def _roots(variances: np.ndarray) -> Levels:
    return tuple(math.sqrt(max(v, 0.0)) for v in variances.tolist())


def forward_pass(
    model: TheoryModel,
    beta: float,
    unknowns: Unknowns,
    x: Levels,
    grids: list[LayerGrid] | RsbGrid,
    *,
    xi_step: float = 0.5,
    second: bool = False,
) -> RsbPass:
    """Every q_l[i], r_l and layer average at the unknowns.

    Args:
        grids:  one for each layer, or how to choose them.
        second: also the averages that the replicons need.
    Raises:
        QuadratureError: an average does not exist or is not resolved; beta and layer as attributes.
    """
    depth = model.depth
    last = (beta**2 / model.alpha(depth),) * (len(x) + 1)
    conjugates = (*(levels for levels, _ in unknowns.hidden), last)
    tilts = (*(tilt for _, tilt in unknowns.hidden), 0.0)
    overlap, self_overlap, layers = [unknowns.overlap], [1.0], []
    for layer in range(1, depth + 1):
        try:
            fields = layer_fields(
                model, layer, overlap[-1], self_overlap[-1], conjugates[layer - 1], tilts[layer - 1], x
            )
            if isinstance(grids, RsbGrid):
                grid, step = choose_grid(activation_of(model, layer), fields, grids), grids.quadrature.xi_step
            else:
                grid, step = grids[layer - 1], xi_step
            levels = layer_levels(activation_of(model, layer), fields, grid, xi_step=step, second=second)
        except QuadratureError as error:
            numbers = {**vars(error), "beta": beta, "layer": layer}
            raise QuadratureError(f"{len(x)}-step RSB at beta={beta:g}, layer {layer}: {error}", **numbers) from error
        layers.append(levels)
        overlap.append(_rising(levels.overlap))
        self_overlap.append(levels.self_overlap)
    return RsbPass(x, tuple(overlap), tuple(self_overlap), conjugates, tilts, tuple(layers))


def choose_grids(model: TheoryModel, beta: float, result: RsbPass, grid: RsbGrid) -> list[LayerGrid]:
    """The grid of each layer at the order parameters of a pass."""
    rows = zip(result.overlap[:-1], result.self_overlap[:-1], result.conjugate_overlap, result.tilt, strict=True)
    fields = [layer_fields(model, layer, *row, result.x) for layer, row in enumerate(rows, start=1)]
    return [choose_grid(activation_of(model, layer), f, grid) for layer, f in enumerate(fields, start=1)]


def updated_unknowns(model: TheoryModel, result: RsbPass) -> Unknowns:
    """The unknowns that the averages of a pass imply; the saddle point is where they do not change."""
    scales = [model.width_gain(layer) * model.weight_variance(layer) for layer in range(1, model.depth + 1)]
    fields = [
        tuple(scale * value for value in _rising(levels.d_omega_squared))
        for scale, levels in zip(scales, result.layers, strict=True)
    ]
    tilts = [scale * levels.d_omega2 for scale, levels in zip(scales, result.layers, strict=True)]
    return Unknowns(sphere_overlaps(fields[0], result.x), tuple(zip(fields[1:], tilts[1:], strict=True)))


def _rising(levels: Levels) -> Levels:
    """The levels are averages of squares of a martingale: non-decreasing up to rounding."""
    return tuple(np.maximum.accumulate(levels).tolist())


def project(values: Vector, n_levels: int, depth: int) -> Vector:
    """The vector with 0 <= q_0[0] <= ... <= q_0[k] < 1 and 0 <= S_l[0] <= ... <= S_l[k]."""
    unknowns = Unknowns.from_vector(values, n_levels, depth)
    q = np.clip(np.maximum.accumulate(unknowns.overlap), 0.0, MAX_OVERLAP)
    hidden = tuple((tuple(np.maximum(np.maximum.accumulate(s), 0.0).tolist()), tilt) for s, tilt in unknowns.hidden)
    return Unknowns(tuple(q.tolist()), hidden).to_vector()


def level_weights(x: Levels) -> np.ndarray:
    """x_{i+1} - x_i, i = 0 ... k."""
    return np.diff([0.0, *x, 1.0])


def free_entropy(model: TheoryModel, result: RsbPass) -> float:
    """Phi at the order parameters of a pass."""
    total = sphere_free_entropy(result.overlap[0], result.x)
    weights = level_weights(result.x)
    for layer in range(1, model.depth + 1):
        pairing = 0.0
        if layer < model.depth:
            s, q = np.array(result.conjugate_overlap[layer - 1]), np.array(result.overlap[layer])
            r = result.self_overlap[layer]
            # R r - sum w S q without cancelling R r against S[k] q[k]
            pairing = result.tilt[layer - 1] * r + float(weights @ (s[-1] * r - s * q))
        total += model.alpha(layer) * (result.layers[layer - 1].free_entropy[0] - 0.5 * pairing)
    return total


def breaking_derivatives(model: TheoryModel, result: RsbPass) -> Levels:
    """dPhi/dx_i at fixed order parameters, i = 1 ... k; at a saddle point, along the solution too."""
    total = np.array(sphere_breaking_derivatives(result.overlap[0], result.x))
    for layer in range(1, model.depth + 1):
        gain = np.array(result.layers[layer - 1].breaking_derivatives(result.x))
        if layer < model.depth:
            products = np.array(result.conjugate_overlap[layer - 1]) * np.array(result.overlap[layer])
            gain = gain - 0.5 * np.diff(products)
        total = total + model.alpha(layer) * gain
    return tuple(total.tolist())


def energy(beta: float, result: RsbPass) -> float:
    """e = -beta (r_L - sum_i (x_{i+1} - x_i) q_L[i]), the first route."""
    return -beta * float(level_weights(result.x) @ (result.self_overlap[-1] - np.array(result.overlap[-1])))


def energy_readout(model: TheoryModel, beta: float, result: RsbPass) -> float:
    """e = -sqrt(alpha_L) E[ y <phi> ] of layer L with u = beta y / sqrt(alpha_L), the second route."""
    if beta == 0:
        return 0.0
    return -model.alpha(model.depth) * result.layers[-1].readout / beta


def replicon_pivots(model: TheoryModel, result: RsbPass) -> tuple[Levels, ...]:
    """For each level i = 0 ... k the pivots 1 - C_l g_l of l = 1 ... L-1 and then lambda = 1 - D_i^2 g_0.

    The chain of equations.md, section 5, with g_{l,i} and P_i in place of f and the replica-symmetric average: level k
    tells whether a state breaks up further, level i < k whether the states of level i+1 gather into new clusters.
    The pass must have been made with second=True.
    """
    gaps = sphere_gaps(result.overlap[0], result.x)
    chains = []
    for i, gap in enumerate(gaps):
        g = 0.0
        pivots: list[float] = []
        for layer in range(model.depth, 0, -1):
            levels, weight = result.layers[layer - 1], model.weight_variance(layer)
            assert levels.d_omega2_squared is not None
            a, coupled = weight**2 * levels.d_omega2_squared[i], 0.0
            if layer < model.depth:
                assert levels.d_omega_u_squared is not None
                assert levels.d_u2_squared is not None
                pivot = 1 - levels.d_u2_squared[i] * g
                pivots.insert(0, pivot)
                coupled = (weight * levels.d_omega_u_squared[i]) ** 2 * g / pivot
            g = model.width_gain(layer) * (a + coupled)
        chains.append((*pivots, 1 - gap**2 * g))
    return tuple(chains)
