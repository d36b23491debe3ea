"""The single-neuron average of a bounded activation, as two matrix products on one grid of pre-activations.

    Z(omega, u) <He_k phi^b> = int dh N(h; omega, c^2) He_k((h - omega)/c) * phi(h)^b exp( tilt/2 phi(h)^2 + u phi(h) )

The first factor depends on omega and h, the second on u and h: a trapezoid in h turns the average over the grid
omega x u into a matrix product, and phi is evaluated once per h, not once per (omega, u, xi).
"""

import math

import torch
from torch import Tensor

from mcmc.errors import QuadratureError
from mcmc.systems.mlp.activations import Activation
from mcmc.theory.quadrature import CUTOFF

MAX_H_SCALE = 0.5  # phi(h) itself varies on |h| ~ 1 whatever c is: times xi_step = 1/2, 1e-15 for tanh, sin and erf
MAX_H_NODES = 200_000  # c ~ 1e-4: the zero-temperature limit, which this rule is not made for
MAX_LOG_SPREAD = 600.0  # exp(-708) is the smallest normal float64; beyond this the tilt needs a logarithm per node


def hermite_polynomials(x: Tensor, order: int) -> list[Tensor]:
    """Probabilists' Hermite polynomials He_0(x) ... He_order(x)."""
    values = [torch.ones_like(x), x]
    for k in range(1, order):
        values.append(x * values[k] - k * values[k - 1])
    return values[: order + 1]


def _pre_activation_grid(
    activation: Activation, omega: Tensor, u_max: float, c: float, tilt: float, xi_step: float
) -> Tensor:
    """Equidistant h that cover every peak the tilt can make and resolve the narrowest of them."""
    # the tilt gains at most `gain`, so that a peak further than sqrt(2 gain) from omega (in units of c) cannot win
    gain = 2 * u_max * activation.bound + 0.5 * abs(tilt) * activation.bound**2
    reach = c * (CUTOFF + math.sqrt(2 * gain))
    # curvature of the exponent in xi: 1 + c^2 (|u| |phi''| + |tilt| ...), with |phi''|, |phi'| <~ 1 for our activations
    peak = 1 / math.sqrt(1 + c**2 * (u_max + abs(tilt)))
    step = min(c * peak, MAX_H_SCALE) * xi_step
    low, high = float(omega.min()) - reach, float(omega.max()) + reach
    n_nodes = math.ceil((high - low) / step) + 1
    if n_nodes > MAX_H_NODES:
        raise QuadratureError(
            f"single-neuron average: {n_nodes} nodes wanted (at most {MAX_H_NODES}) at c={c:.2e}: "
            "r - q is too close to 0 for this rule. Use a smaller beta.",
            c=c,
            n_nodes=n_nodes,
        )
    return low + step * torch.arange(n_nodes, dtype=torch.float64)


def smooth_moments(
    activation: Activation, omega: Tensor, u: Tensor, *, c: float, tilt: float, order: int, xi_step: float
) -> tuple[Tensor, dict[tuple[int, int], Tensor]]:
    """log Z and D[k, b] = <He_k phi^b> / c^k on the grid omega x u, for a bounded activation.

    Arguments, shapes and errors as in `neuron.neuron_moments`. Rounding costs about 1e-16 / c^k in D[k, b].
    """
    h = _pre_activation_grid(activation, omega, float(u.abs().max()), c, tilt, xi_step)
    phi = activation.phi(h)
    xi = (h - omega[:, None]) / c  # (T, J)
    measure = torch.exp(-0.5 * xi**2) * (float(h[1] - h[0]) / (c * math.sqrt(2 * math.pi)))
    left = [measure * he for he in hermite_polynomials(xi, order)]
    log_tilt = 0.5 * tilt * phi**2 + u[:, None] * phi  # (Y, J)
    shift = log_tilt.amax(1)
    is_safe = shift - log_tilt.amin(1) < MAX_LOG_SPREAD
    right = torch.exp(log_tilt - shift[:, None])
    powers = [phi**b for b in range(order + 1)]
    pairs = [(k, b) for k in range(order + 1) for b in range(order + 1 - k)]
    sums = {(k, b): left[k] @ (right * powers[b]).T for k, b in pairs}
    log_z = torch.log(sums[0, 0]) + shift
    moments = {(k, b): sums[k, b] / sums[0, 0] / c**k for k, b in pairs}
    for column in torch.nonzero(~is_safe).flatten().tolist():
        # here the product would underflow where the tilt is small: take the logarithm before the exponential
        exponent = -0.5 * xi**2 + log_tilt[column]
        top = exponent.amax(1, keepdim=True)
        weight = torch.exp(exponent - top)
        norm = weight.sum(1)
        log_z[:, column] = top[:, 0] + torch.log(norm * (float(h[1] - h[0]) / (c * math.sqrt(2 * math.pi))))
        for k, he in enumerate(hermite_polynomials(xi, order)):
            for b in range(order + 1 - k):
                moments[k, b][:, column] = (weight * he) @ powers[b] / norm / c**k
    return log_z, moments
