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
MAX_LOG_SPREAD = 600.0  # exp(-708) is the smallest normal float64
MAX_PULL = 150.0  # a quarter of that: see _block_sums


def hermite_polynomials(x: Tensor, order: int) -> list[Tensor]:
    """Probabilists' Hermite polynomials He_0(x) ... He_order(x)."""
    values = [torch.ones_like(x), x]
    for k in range(1, order):
        values.append(x * values[k] - k * values[k - 1])
    return values[: order + 1]


def _reach(activation: Activation, u_max: float, tilt: float) -> float:
    """Distance from omega, in units of c, within which every peak of the tilted Gaussian lies."""
    # the tilt gains at most `gain`: a peak further out than sqrt(2 gain) cannot win
    gain = 2 * u_max * activation.bound + 0.5 * abs(tilt) * activation.bound**2
    return CUTOFF + math.sqrt(2 * gain)


def _pre_activation_grid(omega: Tensor, reach: float, u_max: float, c: float, tilt: float, xi_step: float) -> Tensor:
    """Equidistant h that cover every peak and resolve the narrowest of them."""
    # curvature of the exponent in xi: 1 + c^2 (|u| |phi''| + |tilt| ...), with |phi''|, |phi'| <~ 1 for our activations
    peak = 1 / math.sqrt(1 + c**2 * (u_max + abs(tilt)))
    step = min(c * peak, MAX_H_SCALE) * xi_step
    low, high = float(omega.min()) - c * reach, float(omega.max()) + c * reach
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
    u_max = float(u.abs().max())
    reach = _reach(activation, u_max, tilt)
    n_rows = len(omega)
    is_steep = 2 * u_max * activation.bound + 0.5 * abs(tilt) * activation.bound**2 > MAX_LOG_SPREAD
    if is_steep and n_rows > 1:
        spacing = float(omega.diff().abs().max()) / c
        n_rows = max(1, min(n_rows, int(2 * MAX_PULL / (reach * spacing))))
    blocks = []
    for rows in omega.split(n_rows):
        h = _pre_activation_grid(rows, reach, u_max, c, tilt, xi_step)
        blocks.append(_block_sums(activation, rows, u, h, c, tilt, order, is_steep))
    log_z = torch.cat([block[0] for block in blocks])
    moments = {key: torch.cat([block[1][key] for block in blocks]) / c ** key[0] for key in blocks[0][1]}
    return log_z, moments


def _block_sums(
    activation: Activation, omega: Tensor, u: Tensor, h: Tensor, c: float, tilt: float, order: int, is_steep: bool
) -> tuple[Tensor, dict[tuple[int, int], Tensor]]:
    """log Z and <He_k phi^b> for some rows omega, by matrix products over h.

    A steep tilt (large beta) would underflow where the Gaussian picks its small values. Then the Gaussian about the
    middle omega_0 of the rows goes with the tilt, and only N(h; omega)/N(h; omega_0) with the rows, which varies by at
    most exp(+-MAX_PULL) for |h - omega_0| |omega - omega_0| <= MAX_PULL c^2.
    """
    phi = activation.phi(h)
    xi = (h - omega[:, None]) / c  # (T, J)
    log_measure = -0.5 * xi**2
    log_tilt = 0.5 * tilt * phi**2 + u[:, None] * phi  # (Y, J)
    if is_steep:
        log_middle = -0.5 * ((h - 0.5 * (omega[0] + omega[-1])) / c) ** 2
        log_measure, log_tilt = log_measure - log_middle, log_tilt + log_middle
    row_shift, column_shift = log_measure.amax(1, keepdim=True), log_tilt.amax(1, keepdim=True)
    measure, weight = torch.exp(log_measure - row_shift), torch.exp(log_tilt - column_shift)
    left = [measure * he for he in hermite_polynomials(xi, order)]
    right = [weight * phi**b for b in range(order + 1)]
    sums = {(k, b): left[k] @ right[b].T for k in range(order + 1) for b in range(order + 1 - k)}
    spacing = float(h[1] - h[0]) / (c * math.sqrt(2 * math.pi))
    log_z = torch.log(sums[0, 0] * spacing) + row_shift + column_shift.T
    return log_z, {key: value / sums[0, 0] for key, value in sums.items()}
