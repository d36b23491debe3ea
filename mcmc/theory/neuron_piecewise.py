"""The single-neuron average of a piecewise linear activation in closed form: two truncated Gaussians.

phi(h) = a_- h for h < 0 and a_+ h for h > 0. On the half line s = +-1 the weight N(h; omega, c^2) exp(g(h)),
g = tilt/2 a^2 h^2 + u a h, is a Gaussian of mean m = (omega + u a c^2)/k and variance v = c^2/k, k = 1 - tilt a^2 c^2:

    log Z_s = -1/2 log k + (omega^2 tilt a^2 + 2 omega u a + u^2 a^2 c^2) / (2 k) + log Phi(s m / sqrt(v))

Derivatives in omega fall on F = phi^b exp(g), which is a polynomial times exp(g) on each side and has jumps at 0:

    D[k, b] = sum_s p_s < P_{s,k}(h) >_s + rho(0) sum_{j<k} He_j(-omega/c) c^{-j} [ P_{+,k-1-j}(0) - P_{-,k-1-j}(0) ]

with P_0 = (a h)^b, P_{k+1} = P_k' + g' P_k, p_s = Z_s/Z and rho(0) = N(0; omega, c^2)/Z the density at the kink.
No difference of large numbers is divided by c, so that c -> 0 costs no digits.
"""

import math

import torch
from torch import Tensor

from mcmc.errors import QuadratureError
from mcmc.theory.neuron_smooth import hermite_polynomials

TAIL = -3.0  # below this mean (in standard deviations) the recurrence of the moments cancels: continued fraction
N_FRACTION = 32  # terms of it; at z = -3, where it converges slowest, they leave 2e-14
Polynomial = dict[int, Tensor]  # degree in h -> coefficient, (1, Y); what is identically zero is left out


def truncated_moments(z: Tensor, log_mass: Tensor, order: int) -> list[Tensor]:
    """E[x^n | x > 0], n = 0 ... order, for x ~ N(z, 1), accurate for z of either sign and any size.

    E[x^{n+1}] = z E[x^n] + n E[x^{n-1}] forward; for z < TAIL backward, I_n/I_{n-1} = 1 / (-z + (n+1) I_{n+1}/I_n)
    with I_n = int_0^inf x^n/n! exp(-(x-z)^2/2) dx.

    Args:
        z:        mean, any shape, float64.
        log_mass: log P(x > 0) = log Phi(z).
    """
    hazard = torch.exp(-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - log_mass)
    moments = [torch.ones_like(z), z + hazard]
    for n in range(1, order):
        moments.append(z * moments[n] + n * moments[n - 1])
    is_tail = z < TAIL
    depth = -z[is_tail]
    # start from the solution of ratio = 1 / (depth + (n+1) ratio), which the ratios of large n approach
    n_first = N_FRACTION + order
    ratio = 2 / (depth + torch.sqrt(depth**2 + 4 * (n_first + 1)))
    ratios = []
    for n in range(n_first, 0, -1):
        ratio = 1 / (depth + (n + 1) * ratio)
        if n <= order:
            ratios.append(ratio)
    tail = torch.ones_like(depth)
    for n, ratio in enumerate(reversed(ratios), start=1):
        tail = tail * n * ratio
        moments[n][is_tail] = tail
    return moments


def _derivative(poly: Polynomial, slope: float, tilt: float, u: Tensor) -> Polynomial:
    """P' + g' P with g' = tilt slope^2 h + u slope."""
    result: Polynomial = {}

    def add(degree: int, coefficient: Tensor) -> None:
        result[degree] = result[degree] + coefficient if degree in result else coefficient

    for n, coefficient in poly.items():
        if n:
            add(n - 1, n * coefficient)
        if slope:
            add(n, u * slope * coefficient)
        if slope and tilt:
            add(n + 1, tilt * slope**2 * coefficient)
    return result


def _half_line(
    sign: float, slope: float, omega: Tensor, u: Tensor, c: float, tilt: float, order: int
) -> tuple[Tensor, list[Tensor]]:
    """log Z_s and <h^n>_s, n = 0 ... order, of one side of the kink; shapes broadcast to (T, Y)."""
    k = 1 - tilt * slope**2 * c**2
    if k <= 0 or c <= 0:
        raise QuadratureError(
            f"the single-neuron average of a piecewise linear activation does not exist: 1 - (R - S) a^2 c^2 = "
            f"{k:.3g} with slope a={slope}, R - S={tilt:.4g}, c={c:.4g} (wanted > 0, and c > 0). "
            "Use a smaller beta or sigma_w, wider layers, or start from the solution at a smaller beta.",
            positivity=k,
            tilt=tilt,
            c=c,
        )
    if slope == 0:  # a dead side does not feel u: one column
        z, exponent = sign * omega / c, torch.zeros_like(omega)
    else:
        z = sign * (omega + u * slope * c**2) / (c * math.sqrt(k))
        exponent = (omega**2 * tilt * slope**2 + 2 * omega * u * slope + (u * slope * c) ** 2) / (2 * k)
    log_mass = torch.special.log_ndtr(z)
    scale = sign * c / math.sqrt(k)
    moments = [scale**n * value for n, value in enumerate(truncated_moments(z, log_mass, order))]
    return exponent - 0.5 * math.log(k) + log_mass, moments


def piecewise_moments(
    slopes: tuple[float, float], omega: Tensor, u: Tensor, *, c: float, tilt: float, order: int
) -> tuple[Tensor, dict[tuple[int, int], Tensor]]:
    """log Z and D[k, b] on the grid omega x u, for phi = slopes[0] h (h < 0), slopes[1] h (h > 0).

    Arguments and shapes as in `neuron.neuron_moments`.
    Raises:
        QuadratureError: 1 - tilt a^2 c^2 <= 0 for a slope a, so that the Gaussian average diverges.
    """
    omega_, u_ = omega[:, None], u[None, :]
    sides = [_half_line(s, a, omega_, u_, c, tilt, order) for s, a in zip((-1.0, 1.0), slopes, strict=True)]
    log_z = torch.logaddexp(sides[0][0], sides[1][0]).expand(len(omega), len(u)).contiguous()
    weights = [torch.exp(log_part - log_z) for log_part, _ in sides]
    kink_density = torch.exp(-0.5 * (omega_ / c) ** 2 - math.log(c * math.sqrt(2 * math.pi)) - log_z)
    hermite = [he / c**j for j, he in enumerate(hermite_polynomials(-omega_ / c, order))]
    moments = {}
    for b in range(order + 1):
        polys: list[Polynomial] = [{b: torch.full_like(u_, a**b)} if a or b == 0 else {} for a in slopes]
        jumps: list[Tensor] = []
        for k in range(order + 1 - b):
            total = torch.zeros_like(log_z)
            for weight, (_, mean), poly in zip(weights, sides, polys, strict=True):
                inside = [coefficient * mean[n] for n, coefficient in poly.items()]
                if inside:
                    total += weight * sum(inside[1:], inside[0])
            if k >= 2:  # phi^b exp(g) itself is continuous: jumps[0] is zero
                on_kink = [hermite[j] * jumps[k - 1 - j] for j in range(k - 1)]
                total += kink_density * sum(on_kink[1:], on_kink[0])
            moments[k, b] = total
            left, right = (poly.get(0, torch.zeros_like(u_)) for poly in polys)
            jumps.append(right - left)
            polys = [_derivative(poly, a, tilt, u_) for poly, a in zip(polys, slopes, strict=True)]
    return log_z, moments
