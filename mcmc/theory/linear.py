"""The linear activation in closed form: a von Mises-Fisher law on the sphere, at any depth and any width ratios.

phi(h) = a h makes H(x) = g.x, |g|^2 = N_0 s^2 up to fluctuations, s = prod_l a sigma_w^l (equations.md, section 2):

    Phi = max_m [ 1/2 log(1 - m^2) + beta s m ],   q_0 = m^2,   m / (1 - m^2) = beta s,   e = -s m

and, with P_l = prod_{j<=l} (a sigma_w^j)^2,  q_l = P_l q_0 (1 + sum_{j<=l} 1/alpha_j),  r_l = q_l + P_l (1 - q_0).
The width ratios enter only the layer overlaps. The network is linear, so no replicon softens: every pivot is 1.
"""

import math
from itertools import accumulate
from operator import mul

from mcmc.errors import UsageError
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.saddle import SaddlePoint


def is_linear(model: TheoryModel) -> bool:
    """The activation is phi(h) = a h and there are no biases."""
    slopes = model.activation.slopes
    return slopes is not None and slopes[0] == slopes[1] and not any(model.sigma_b)


def solve_linear(model: TheoryModel, beta: float) -> SaddlePoint:
    """The saddle point of a linear network without iteration or quadrature; `solve_rs` must agree with it.

    Raises:
        UsageError: the activation is not linear, there are biases, or beta < 0.
    """
    if not is_linear(model) or model.activation.slopes is None or beta < 0:
        raise UsageError(
            f"closed form: expected a linear activation, no biases and beta >= 0, found '{model.activation.name}', "
            f"sigma_b={model.sigma_b}, beta={beta}. Use solve_rs."
        )
    slope = model.activation.slopes[0]
    depth = model.depth
    gains = list(accumulate(((slope * sw) ** 2 for sw in model.sigma_w), mul))  # P_1 ... P_L
    s = math.sqrt(gains[-1])
    m = 2 * beta * s / (1 + math.sqrt(1 + 4 * (beta * s) ** 2))
    q0 = m * m
    widths = list(accumulate(1 / alpha for alpha in model.width_ratios))
    overlap = [q0, *(p * q0 * (1 + w) for p, w in zip(gains, widths, strict=True))]
    self_overlap = [1.0, *(q + p * (1 - q0) for q, p in zip(overlap[1:], gains, strict=True))]
    conjugate = tuple(beta**2 * gains[-1] / gains[i] / model.width_ratios[i] for i in range(depth))
    phi = 0.5 * math.log1p(-q0) + beta * s * m
    return SaddlePoint(
        beta=float(beta),
        overlap=tuple(overlap),
        self_overlap=tuple(self_overlap),
        conjugate_overlap=conjugate,
        conjugate_self_overlap=conjugate,
        free_entropy_density=phi,
        energy_density=-s * m,
        energy_density_readout=-s * m,
        entropy_density=phi - beta * s * m,
        pivots=(1.0,) * depth,
        stable=True,
        residual=0.0,
        quadrature_error=0.0,
        pivot_error=0.0,
        n_iter=0,
        quadrature=Quadrature(),
    )
