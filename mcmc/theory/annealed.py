"""The annealed bound: Phi <= (1/N_0) log E Z, the replicated action of one replica (equations.md, section 13).

    (1/N_0) log E Z = max_r { sum_l alpha_l [ log E_{h ~ N(0, V_l)} exp(k_l phi(h)^2/2) - k_l r_l/2 ] + beta^2 r_L/2 }

with V_l = sigma_w^2 r_{l-1} + sigma_b^2 and k_l stationary; k_L = beta^2/alpha_L. For L = 1 nothing is left to
extremise and the formula is exact at every N_0. Where phi grows without bound the average is infinite beyond some
beta, and at every beta > 0 for L >= 2: products of Gaussian matrices have tails that no exponential moment survives.
"""

import math

import numpy as np
import torch

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory.fixed_point import Vector, find_fixed_point
from mcmc.theory.model import TheoryModel
from mcmc.theory.neuron import NeuronMoments, neuron_moments

TOL = 1e-12
MAX_ITER = 2000


def annealed_free_entropy(model: TheoryModel, beta: float) -> float:
    """The upper bound (1/N_0) log E Z of Phi by Jensen's inequality, math.inf where E Z is infinite.

    For L >= 2 the extremum is sought from no tilt and from the largest self-overlaps; the larger one found is returned.

    Raises:
        UsageError:       beta < 0 or not finite.
        ConvergenceError: no extremum was reached from either end; beta, residual.
    """
    if not (beta >= 0 and math.isfinite(beta)):
        raise UsageError(f"annealed bound: expected a finite beta >= 0, found {beta}.", beta=beta)
    if beta == 0:
        return 0.0
    if model.activation.slopes is not None:
        return _of_one_unbounded_layer(model, beta) if model.depth == 1 else math.inf
    saddles = []
    residual = math.nan
    for start in (0.0, beta**2 / model.alpha(model.depth)):
        first = np.full(model.depth - 1, start)
        solution = find_fixed_point(
            lambda tilts: _pass(model, beta, tilts),
            first,
            project=lambda tilts: np.maximum(tilts, 0.0),
            tol=TOL,
            max_iter=MAX_ITER,
        )
        residual = solution.residual
        if solution.converged:
            saddles.append(solution.payload)
    if not saddles:
        raise ConvergenceError(
            f"annealed bound: residual {residual:.1e} (wanted <= {TOL:.0e}) at beta={beta:g}. Use a smaller beta.",
            beta=beta,
            residual=residual,
        )
    return max(saddles)


def _neuron(model: TheoryModel, layer: int, self_overlap: float, tilt: float) -> NeuronMoments:
    variance = model.weight_variance(layer) * self_overlap + model.bias_variance(layer)
    zero = torch.zeros(1, dtype=torch.float64)
    return neuron_moments(model.activation, zero, zero, c=math.sqrt(variance), tilt=tilt, xi_step=0.25)


def _of_one_unbounded_layer(model: TheoryModel, beta: float) -> float:
    try:
        return model.alpha(1) * float(_neuron(model, 1, 1.0, beta**2 / model.alpha(1)).log_z)
    except QuadratureError:
        return math.inf


def _pass(model: TheoryModel, beta: float, tilts: Vector) -> tuple[Vector, float]:
    """(k_1, ..., k_{L-1}) as the layers above imply them, and the action at these tilts."""
    depth = model.depth
    action, r = 0.0, 1.0
    image = []
    for layer, tilt in enumerate((*tilts.tolist(), beta**2 / model.alpha(depth)), start=1):
        neuron = _neuron(model, layer, r, tilt)
        if layer > 1:
            # d/dV log E exp(k phi^2/2) = 1/2 Z''/Z
            image.append(model.width_gain(layer) * model.weight_variance(layer) * float(neuron.moments[2, 0]))
        r = float(neuron.phi_squared)
        action += model.alpha(layer) * (float(neuron.log_z) - (0.5 * tilt * r if layer < depth else 0.0))
    return np.array(image), action
