"""The grid (u, omega) of one layer: how far it reaches and how finely it is spaced.

What limits the spacing is the domain wall of a neuron with two competing pre-activations a distance J apart: there
d_omega f jumps by J/c^2 over the width c^2/J, and the nearest singularity of f is pi c^2/J away from the real axis.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mcmc.errors import QuadratureError
from mcmc.systems.mlp.activations import Activation
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.rsb.smoothing import Axis

CUTOFF = 7.0  # standard deviations that a grid reaches: 3e-12 of a Gaussian is left out
TYPICAL = 4.5  # fields beyond this many standard deviations (7e-6 of them) may be resolved less well
SMOOTH = 1.5  # distance of the singularities of phi itself (tanh: pi/2)
MAX_NODES = 4_000_000  # of one layer's grid: 32 MB a function
PERIODS = {"sin": 2 * math.pi}


@dataclass(frozen=True)
class RsbGrid:
    """How finely the recursions are resolved.

    Attributes:
        resolution: nodes per distance of the nearest singularity of a typical neuron; 4 gives about 9 digits.
        quadrature: rules of the readout field y and of the innermost average xi (its t_step is not used).
    """

    resolution: float = 4.0
    quadrature: Quadrature = field(default_factory=Quadrature)

    def refined(self, factor: float = 1.5) -> "RsbGrid":
        """The same with every spacing divided by factor."""
        q = self.quadrature
        finer = replace(q, y_step=q.y_step / factor, xi_step=q.xi_step / factor, y_rule=None)
        return RsbGrid(self.resolution * factor, finer)


@dataclass(frozen=True)
class LayerFields:
    """The order parameters that one layer feels, level by level.

    Attributes:
        omega_std: (k + 1) standard deviations of the increments of omega; the first contains the bias.
        c:         thermal standard deviation of the pre-activation.
        field_std: (k + 1) the same for u; in the last layer all but the first are 0.
        tilt:      R_l - S_l[k].
        x:         (k) breaking points.
        is_last:   u is fixed by the readout weight.
    """

    omega_std: tuple[float, ...]
    c: float
    field_std: tuple[float, ...]
    tilt: float
    x: tuple[float, ...]
    is_last: bool


@dataclass(frozen=True)
class LayerGrid:
    """Nodes of one layer; functions on it are (n_u, n_omega).

    Attributes:
        omega:   axis of the mean pre-activation.
        u_axis:  axis of the conjugate field of a hidden layer, None in the last layer.
        u_nodes: (n_u,) values of u.
        weights: (n_u,) of the readout values (they add up to 1); unused in a hidden layer.
    """

    omega: Axis
    u_axis: Axis | None
    u_nodes: Tensor
    weights: Tensor


def is_odd(activation: Activation) -> bool:
    """phi(-h) = -phi(h): then f(-omega, -u) = f(omega, u) and half of the readout values are enough."""
    h = torch.linspace(0, 20, 401, dtype=torch.float64)
    return torch.equal(activation.phi(-h), -activation.phi(h))


def choose_grid(activation: Activation, fields: LayerFields, grid: RsbGrid) -> LayerGrid:
    """The grid that resolves a layer at these order parameters.

    Raises:
        QuadratureError: it would need more than MAX_NODES nodes.
    """
    slope = max(map(abs, activation.slopes)) if activation.slopes is not None else None
    u_std = math.sqrt(sum(s**2 for s in fields.field_std))
    omega_std = math.sqrt(sum(w**2 for w in fields.omega_std))
    drift = sum(x * w**2 for x, w in zip(fields.x, fields.omega_std[1:], strict=True))
    u_drift = sum(x * s**2 for x, s in zip(fields.x, fields.field_std[1:], strict=True))
    largest = activation.bound if slope is None else TYPICAL * slope * (omega_std + fields.c)
    u_typical = TYPICAL * u_std + (0.0 if fields.is_last else u_drift * largest)
    jump = _jump(activation, u_typical, fields)
    step = min(min(SMOOTH, math.pi * fields.c**2 / jump) / grid.resolution, fields.c * 2.5 / grid.resolution)
    period = PERIODS.get(activation.name)
    if period is not None:
        omega = Axis.circle(period, step)
    else:
        push = drift * u_typical * slope if slope is not None else min(drift * jump / fields.c**2, 3.0)
        omega = Axis.symmetric(CUTOFF * math.hypot(omega_std, step) + push, step, degree=1 if slope is None else 2)
    if fields.is_last:
        rule = grid.quadrature.y_nodes(fields.field_std[0])
        nodes, weights = rule.nodes, rule.weights
        if is_odd(activation):
            nodes, weights = nodes[nodes >= 0], weights[nodes >= 0] * torch.where(nodes[nodes >= 0] > 0, 2.0, 1.0)
        layer_grid = LayerGrid(omega, None, fields.field_std[0] * nodes, weights)
    else:
        spread = 2 * largest if slope is None else max(slope * jump, 2.5 * slope * fields.c)
        u_step = min(math.pi / spread, 2.5 / largest if slope is None else math.inf) / grid.resolution
        reach = CUTOFF * math.hypot(u_std, u_step) + u_drift * largest
        axis = Axis.symmetric(reach, u_step, degree=1 if slope is None else 2)
        layer_grid = LayerGrid(omega, axis, axis.nodes, torch.ones(axis.n_nodes, dtype=torch.float64))
    n_nodes = omega.n_nodes * len(layer_grid.u_nodes)
    if n_nodes > MAX_NODES:
        raise QuadratureError(
            f"grid of {n_nodes} nodes wanted (at most {MAX_NODES}): spacing {omega.step:.2e} in omega at thermal "
            f"width c={fields.c:.2e}. Use a smaller beta, or a smaller resolution than {grid.resolution:g}.",
            n_nodes=n_nodes,
            c=fields.c,
        )
    return layer_grid


def _jump(activation: Activation, u: float, fields: LayerFields) -> float:
    """J, the largest distance of two pre-activations that compete at a typical u."""
    if activation.slopes is not None:
        jump = u * fields.c**2 * abs(activation.slopes[1] - activation.slopes[0])
    else:
        bound = activation.bound
        gain = 2 * u * bound + 0.5 * abs(fields.tilt) * bound**2
        jump = min(fields.c * math.sqrt(2 * gain), PERIODS.get(activation.name, math.inf))
    return max(jump, 1e-12)
