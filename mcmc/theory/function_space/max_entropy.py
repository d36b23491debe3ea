"""The most numerous perturbations of continuous weights that give sign networks a given error.

A row at angle theta = arcsin eta from its reference has sin^{N-2} theta of the sphere: the entropy per weight is

    S = (1/L) sum_l ln eta_l,   maximal at  delta_L = eps        [Li and Saad, PRL 120, 248301 (2018), equation (9)]

Stationarity in delta_1 .. delta_{L-1} (delta_0 = 0) is an explicit recursion: whoever chooses delta_1 knows all layers,

    eta_1 = sin(pi delta_1)
    A_l = d ln eta_l^2/d delta_l = 2 pi sin(pi delta_l) cos(pi delta_l)/[(1-2 delta_{l-1})^2 eta_l^2]
    eta_{l+1}^2 = 4/(4 + (1-2 delta_l) A_l)
    sin^2(pi delta_{l+1}) = eta_{l+1}^2 (1-2 delta_l)^2 + 4 delta_l (1-delta_l)

and delta_L grows with delta_1: one scalar root. The conjugate of the error is L dS/d eps = A_L/2. At small eps
eta_l^2 = pi^2 delta_l^2/(2^l-1): the first of four layers is perturbed by eps^8 only, so logarithms are kept.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, logit

from mcmc.errors import UsageError
from mcmc.theory.function_space.units import Array

MAX_DEPTH = 20  # ln delta_1 ~ 2^{L-1} ln eps has lost six digits there
LN_PI = math.log(math.pi)
TINY = -40.0  # of ln(angle): its sine is the angle itself to the last bit
NEARLY_HALF = 25.0  # of ln[2 delta/(1-2 delta)]: 1/2 - delta is 7e-12


@dataclass(frozen=True)
class MaxEntropy:
    """The perturbation of maximal entropy at one error.

    Attributes:
        error:           eps = delta_L.
        perturbation:    (L,) eta_l* (p_l* for binary weights); values below 1e-308 are zero.
        overlap:         (L,) q^l = 1 - 2 delta_l.
        entropy_density: S per weight, natural logarithm.
        conjugate:       L dS/d eps, what one unit of error is worth.
    """

    error: float
    perturbation: Array
    overlap: Array
    entropy_density: float
    conjugate: float


def check_error(error: float, depth: int, max_depth: int = MAX_DEPTH) -> None:
    """Raises UsageError unless 0 < error < 1/2 and 1 <= depth <= max_depth."""
    if not 0 < error < 0.5:
        raise UsageError(
            f"error: expected more than 0 and less than 0.5 (two independent networks), found {error:g}.", error=error
        )
    check_depth(depth, max_depth)


def check_depth(depth: int, max_depth: int = MAX_DEPTH) -> None:
    """Raises UsageError unless 1 <= depth <= max_depth."""
    if not 1 <= depth <= max_depth:
        raise UsageError(f"depth: expected 1 to {max_depth} layers of weights, found {depth}.", depth=depth)


def shoot(first: float, depth: int) -> MaxEntropy:
    """The stationary perturbation of L layers that starts with ln[2 delta_1/(1-2 delta_1)] = first.

    ln delta_l and q^l = 1-2 delta_l are both carried along, each from the formula that loses no digits at its end.
    """
    log_d, q, before = -math.log(2) - float(np.logaddexp(0.0, -first)), float(expit(-first)), 1.0
    log_eta_square = 2 * _log_sin_pi(log_d)
    log_etas, overlaps = [log_eta_square / 2], [q]
    for _ in range(1, depth):
        log_a = _log_conjugate(log_d, q, before, log_eta_square)
        odds = math.log(q) + log_a - math.log(4)  # of kappa^2 : eta^2
        log_eta_square = -float(np.logaddexp(0.0, odds))
        rotated, kept = log_eta_square + 2 * math.log(q), math.log(2) + log_d + math.log1p(q)
        log_sin = min(0.5 * float(np.logaddexp(rotated, kept)), 0.0)
        log_d = (log_sin if log_sin < TINY else math.log(math.asin(math.exp(log_sin)))) - LN_PI
        turned = 2 / math.pi * math.asin(math.sqrt(float(expit(odds))) * q)
        before, q = q, turned if turned < 0.5 else 1 - 2 * math.exp(log_d)
        log_etas.append(log_eta_square / 2)
        overlaps.append(q)
    return MaxEntropy(
        error=math.exp(log_d) if q > 0.5 else (1 - q) / 2,
        perturbation=np.exp(log_etas),
        overlap=np.array(overlaps),
        entropy_density=math.fsum(log_etas) / depth,
        conjugate=math.exp(_log_conjugate(log_d, q, before, log_eta_square)) / 2,
    )


def max_entropy_continuous(error: float, depth: int) -> MaxEntropy:
    """The perturbation of continuous weights of maximal entropy at this error.

    Raises:
        UsageError: error outside (0, 1/2), or depth outside 1..MAX_DEPTH.
    """
    check_error(error, depth)
    goal = float(logit(2 * error))
    if depth == 1:
        return shoot(goal, 1)
    # delta grows from layer to layer, and delta_1 ~ eps^{2^{L-1}}
    low = 2.0 ** (depth - 1) * (min(goal, 0.0) - 3.0)
    first = brentq(lambda t: float(logit(2 * shoot(t, depth).error)) - goal, low, goal, xtol=1e-15, rtol=1e-15)
    return shoot(first, depth)


def perturbation_at_inverse_temperature(inverse_temperature: float, depth: int) -> MaxEntropy | None:
    """Maximum of  L S(eps) - alpha L eps: the perturbation that stands for the Gibbs measure exp(-alpha L N^2 eps).

    None where independent weights, eps = 1/2 with S = 0, have more.

    Raises:
        UsageError: a number that is not positive, or depth outside 1..MAX_DEPTH.
    """
    return maximum_against(lambda error: -error, lambda error: 1.0, inverse_temperature, depth)


def maximum_against(
    gain: Callable[[float], float], cost: Callable[[float], float], load: float, depth: int
) -> MaxEntropy | None:
    """Maximum over eps of  L S(eps) + alpha L g(eps), g falling; None if it is at eps = 1/2.

    On the stationary branch alpha is known:  A_L/2 = alpha L c(eps), c = -dg/d eps. Where that alpha falls with eps the
    point is a maximum, and only the first such branch, from eps = 0, can be the largest.

    Args:
        gain: g.   cost: c.
        load: alpha > 0.
    """
    check_load(load)
    check_depth(depth)

    def log_load(first: float) -> float:
        point = shoot(first, depth)
        return math.log(point.conjugate / (depth * cost(point.error)))

    goal, top = math.log(load), branch_end(log_load, depth)
    if log_load(top) >= goal:
        return None
    reach = 1.0
    while log_load(top - reach) < goal:
        reach *= 2
    point = shoot(brentq(lambda t: log_load(t) - goal, top - reach, top, xtol=1e-15, rtol=1e-15), depth)
    inside = depth * (point.entropy_density + load * gain(point.error))
    return point if inside > load * depth * gain(0.5) else None


def branch_end(log_load: Callable[[float], float], depth: int) -> float:
    """The first of `shoot` where the stationary load is smallest: maxima before it, minima behind it.

    Up to two layers there is no minimum: maxima go on to eps = 1/2.
    """
    if depth <= 2:
        return NEARLY_HALF
    grid = np.linspace(
        -6.0 * 2 ** (depth - 1), 6.0, 240
    )  # wide enough: at both ends the load is many times its minimum
    i = int(np.argmin([log_load(float(t)) for t in grid]))
    return float(minimize_scalar(log_load, bounds=(grid[i - 1], grid[i + 1]), method="bounded").x)


def check_load(load: float) -> None:
    """Raises UsageError unless load is positive and finite."""
    if not (load > 0 and math.isfinite(load)):
        raise UsageError(f"load: expected a finite number above 0, found {load}.", load=load)


def _log_sin_pi(log_d: float) -> float:
    """ln sin(pi d)."""
    log_angle = log_d + LN_PI
    return log_angle if log_angle < TINY else math.log(math.sin(math.exp(log_angle)))


def _log_conjugate(log_d: float, q: float, before: float, log_eta_square: float) -> float:
    """ln A_l; cos(pi d) = sin(pi q/2)."""
    log_sin_cos = _log_sin_pi(log_d) + math.log(math.sin(math.pi * q / 2))
    return math.log(2 * math.pi) + log_sin_cos - 2 * math.log(before) - log_eta_square
