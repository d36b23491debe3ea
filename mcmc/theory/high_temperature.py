"""The expansion of Phi in beta at any depth and any width ratios, without a saddle point (equations.md, section 13).

    Phi = a_2 beta^2 + a_4 beta^4 + O(beta^6),      a_2 = (r_L - q_L)/2,      a_4 = 1/8 { sum_l X_l/alpha_l - 2 w_0^2 },
    X_l = E_omega[ w_l^2 k(phi,phi,phi,phi) + 2 w_l d_l k(phi,phi,phi^2) + d_l^2 k(phi^2,phi^2) ]

q_l, r_l are the layer overlaps of two inputs at random, k( ) the cumulants of one neuron at a given mean input omega,
and w_l, d_l say how the sum of q_L over pairs of replicas follows q_l and r_l - q_l: w_L = 1, d_L = 0,

    w_{l-1} = sigma_w^2 E (m')^2 w_l,    d_{l-1} = A d_l + (A - B) w_l - w_{l-1},
    A = sigma_w^2 E s''/2,  B = sigma_w^2 E m'' m,   m = <phi>, s = <phi^2>, primes for d/d omega.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mcmc.errors import QuadratureError, UsageError
from mcmc.theory.layer import layer_grids
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature

ORDER = 4  # moments up to <phi^4>
TOL = 1e-11  # of the coefficients, absolute and relative: what halving the steps may change
MAX_HALVINGS = 6


@dataclass(frozen=True)
class HighTemperature:
    """The expansion at one beta.

    Attributes:
        beta:                 inverse temperature.
        coefficients:         (a_2, a_4).
        free_entropy_density: a_2 beta^2 + a_4 beta^4.
        energy_density:       -2 a_2 beta - 4 a_4 beta^3.
        entropy_density:      Phi + beta e, to beta^4.
        error:                estimated error of the coefficients; what the order beta^6 adds is not estimated.
    """

    beta: float
    coefficients: tuple[float, float]
    free_entropy_density: float
    energy_density: float
    entropy_density: float
    error: float


def high_temperature(model: TheoryModel, beta: float) -> HighTemperature:
    """Phi and e to the orders beta^4 and beta^3.

    Raises:
        UsageError:      beta < 0 or not finite.
        QuadratureError: the coefficients did not settle; residual.
    """
    if not (beta >= 0 and math.isfinite(beta)):
        raise UsageError(f"high-temperature expansion: expected a finite beta >= 0, found {beta}.", beta=beta)
    (a2, a4), error = high_temperature_coefficients(model)
    phi, e = a2 * beta**2 + a4 * beta**4, -2 * a2 * beta - 4 * a4 * beta**3
    return HighTemperature(beta, (a2, a4), phi, e, -a2 * beta**2 - 3 * a4 * beta**4, error)


def high_temperature_coefficients(model: TheoryModel) -> tuple[tuple[float, float], float]:
    """(a_2, a_4) and their estimated error, from halving every step of the averages until they settle."""
    rule = Quadrature()
    last = _coefficients(model, rule)
    change = math.inf
    for _ in range(MAX_HALVINGS):
        rule = rule.refined()
        now = _coefficients(model, rule)
        change = max(abs(a - b) / (1 + abs(a)) for a, b in zip(now, last, strict=True))
        if change <= TOL:
            return now, change
        last = now
    raise QuadratureError(
        f"high-temperature expansion: the coefficients still change by {change:.1e} (wanted <= {TOL:.0e}) after "
        f"{MAX_HALVINGS} halvings of every step. Use a smaller sigma_w.",
        residual=change,
    )


def energy_scale(model: TheoryModel) -> float:
    """sqrt(r_L - q_L) at beta = 0: e = -beta energy_scale^2 at high temperature."""
    return math.sqrt(2 * high_temperature_coefficients(model)[0][0])


@dataclass(frozen=True)
class _Layer:
    """One layer at beta = 0: overlaps, the averages A, B, D = E sigma_w^2 (m')^2, and the three mean cumulants."""

    overlap: float
    self_overlap: float
    a: float
    b: float
    d: float
    cumulants: tuple[float, float, float]


def _coefficients(model: TheoryModel, rule: Quadrature) -> tuple[float, float]:
    layers: list[_Layer] = []
    q, r = 0.0, 1.0
    for layer in range(1, model.depth + 1):
        layers.append(_layer(model, layer, q, r, rule))
        q, r = layers[-1].overlap, layers[-1].self_overlap
    w, d, total = 1.0, 0.0, 0.0
    for alpha, layer_at in zip(reversed(model.width_ratios), reversed(layers), strict=True):
        fourth, mixed, square = layer_at.cumulants
        total += (w**2 * fourth + 2 * w * d * mixed + d**2 * square) / alpha
        below = layer_at.d * w
        w, d = below, layer_at.a * d + (layer_at.a - layer_at.b) * w - below
    return (r - q) / 2, (total - 2 * w**2) / 8


def _layer(model: TheoryModel, layer: int, overlap: float, self_overlap: float, rule: Quadrature) -> _Layer:
    weight = model.weight_variance(layer)
    sums = torch.zeros(8, dtype=torch.float64)
    for grid in layer_grids(
        model,
        layer,
        overlap=overlap,
        self_overlap=self_overlap,
        conjugate_overlap=0.0,
        tilt=0.0,
        quadrature=rule,
        order=ORDER,
    ):
        at = {key: value[:, 0] for key, value in grid.neuron.moments.items()}
        m, slope, curvature = at[0, 1], at[1, 1], at[2, 1]
        rows = [m**2, at[0, 2], weight * at[2, 2] / 2, weight * curvature * m, weight * slope**2, *_cumulants(at)]
        sums += torch.stack(rows) @ grid.t.weights
    q, r, a, b, d, fourth, mixed, square = sums.tolist()
    return _Layer(q, r, a, b, d, (fourth, mixed, square))


def _cumulants(at: dict[tuple[int, int], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """k(phi,phi,phi,phi), k(phi,phi,phi^2) and k(phi^2,phi^2) from <phi> ... <phi^4> at each omega."""
    m1, m2, m3, m4 = (at[0, n] for n in range(1, ORDER + 1))
    square = m4 - m2**2
    mixed = square - 2 * m1 * (m3 - m1 * m2)
    fourth = m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4
    return fourth, mixed, square
