"""The most numerous flips of binary weights that give sign networks a given error.

    S = (1/L) sum_l H(p_l),   H(p) = -p ln p - (1-p) ln(1-p)
    cos(pi delta_l) = (1-2 p_l)(1-2 delta_{l-1}),   delta_L = eps

[Li and Saad, PRL 120, 248301 (2018), equation (12)]. It is not concave, and the best flips leave the first layers
alone: p_1 = ... = p_j = 0, which makes layer j+1 a first one. With every p_l > 0, stationarity is a recursion,

    (1-2 p_{l+1}) h(p_{l+1}) = h(p_l) pi sin(pi delta_l)(1-2 delta_l)/[2 (1-2 delta_{l-1})],   h = H' = ln[(1-p)/p]

with one p_{l+1} for each right-hand side, so that delta_1 decides everything. delta_L is not monotone in delta_1: all
roots are found and compared, for every number of free layers. `dynamic_programming` maximises over the chain of
overlaps itself, assumes nothing about corners or stationarity, and is the independent answer.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import entr, expit

from mcmc.errors import ConvergenceError
from mcmc.theory.function_space.max_entropy import MaxEntropy, check_depth, check_error, check_load
from mcmc.theory.function_space.units import Array

MAX_DEPTH = 12
N_STARTS = 1200  # two roots closer than a step are at their own spinodal, where neither is a maximum
STARTS = (-24.0, 20.0)  # of ln[2 delta_1/(1-2 delta_1)]: before them, S is that of fewer free layers to 1e-9


def max_entropy_binary(error: float, depth: int) -> MaxEntropy:
    """The flips of maximal entropy at this error.

    Raises:
        UsageError: error outside (0, 1/2), or depth outside 1..MAX_DEPTH.
    """
    check_error(error, depth, MAX_DEPTH)
    candidates = [(n, flips) for n in range(1, depth + 1) for flips in interior_solutions(error, n)]
    n_free, flips = max(candidates, key=lambda found: _total_entropy(found[1]))
    perturbation = np.concatenate([np.zeros(depth - n_free), flips])
    delta = deltas(perturbation)
    before = delta[-2] if depth > 1 else 0.0
    return MaxEntropy(
        error=float(delta[-1]),
        perturbation=perturbation,
        overlap=1 - 2 * delta,
        entropy_density=_total_entropy(flips) / depth,
        conjugate=float(_slope(flips[-1]) * math.pi * math.sin(math.pi * delta[-1]) / (2 * (1 - 2 * before))),
    )


def flips_at_inverse_temperature(inverse_temperature: float, depth: int) -> MaxEntropy | None:
    """Maximum of  L S(eps) - alpha L eps: the flips that stand for the Gibbs measure exp(-alpha L N^2 eps).

    None at eps = 0: S ~ eps^2 ln(1/eps) cannot lift the student off its teacher, so that perfect learning is stable at
    every alpha and wins beyond a transition of first order, alpha = 2 ln 2 at the latest. At small alpha the maximum is
    at eps = 1/2 or near it; errors above 0.499999 count as 1/2.

    Raises:
        UsageError: a number that is not positive, or depth outside 1..MAX_DEPTH.
    """
    check_load(inverse_temperature)
    check_depth(depth, MAX_DEPTH)

    def cost(error: float) -> float:
        return -depth * (max_entropy_binary(error, depth).entropy_density - inverse_temperature * error)

    grid = np.append(np.linspace(0.0025, 0.4975, 199), 0.499999)
    values = [cost(float(error)) for error in grid]
    i = int(np.argmin(values))
    bounds = (grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)])
    best = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return max_entropy_binary(float(best.x), depth) if min(best.fun, values[i]) < 0 else None


def interior_solutions(error: float, depth: int) -> list[Array]:
    """Every stationary p_1 .. p_L without a zero at this error, (L,) each; there may be none."""
    if depth == 1:
        return [np.array([math.sin(math.pi * error / 2) ** 2])]
    grid, reached = _table(depth)
    with np.errstate(invalid="ignore"):
        brackets = np.flatnonzero((reached[:-1] - error) * (reached[1:] - error) <= 0)

    def excess(first: float) -> float:
        return float(deltas(_shoot(first, depth))[-1]) - error

    return [
        _shoot(brentq(excess, grid[i], grid[i + 1], xtol=1e-15, rtol=1e-15), depth)
        for i in brackets
        if excess(grid[i]) * excess(grid[i + 1]) < 0
    ]


@lru_cache(maxsize=16)
def alignment_error(free_layers: int) -> float:
    """eps below which one layer fewer is flipped: .30153, .41741, .46562 for 2, 3, 4 free layers.

    The entropies of n and n-1 free layers are equal there and p_1 jumps, from a finite value to zero: a transition of
    first order. It does not depend on how many more layers lie below.

    Raises:
        UsageError: free_layers outside 1..MAX_DEPTH (0 is returned for one layer, which is never left alone).
        ConvergenceError: no crossing was found.
    """
    check_depth(free_layers, MAX_DEPTH)
    if free_layers == 1:
        return 0.0

    def advantage(error: float) -> float:
        n = max((_total_entropy(p) for p in interior_solutions(error, free_layers)), default=-1.0)
        return n - max(_total_entropy(p) for p in interior_solutions(error, free_layers - 1))

    low, high = alignment_error(free_layers - 1) + 1e-6, 0.5 - 1e-7
    if not advantage(low) < 0 < advantage(high):
        raise ConvergenceError(
            f"alignment of {free_layers} layers: entropies do not cross between {low:g} and {high:g}. "
            "Use fewer layers.",
            free_layers=free_layers,
        )
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if advantage(middle) > 0 else (middle, high)
    return 0.5 * (low + high)


def dynamic_programming(error: float, depth: int, n_grid: int = 1500) -> tuple[float, Array]:
    """The maximum of S over all chains 0 = delta_0 <= ... <= delta_L = eps on a grid: (S, p), a lower bound.

    V_l(delta) = max over delta' of  V_{l-1}(delta') + H(p),   p = [sin^2(pi delta/2) - delta']/(1-2 delta')
    """
    check_error(error, depth, MAX_DEPTH)
    # dense towards zero, where p and delta change fastest
    grid = error * np.linspace(0, 1, n_grid) ** 2
    flip = (np.sin(np.pi * grid / 2)[None, :] ** 2 - grid[:, None]) / (1 - 2 * grid[:, None])
    gain = np.where(flip >= 0, entr(np.maximum(flip, 0)) + entr(1 - flip), -np.inf)
    value, came_from = gain[0], []
    for _ in range(1, depth):
        total = value[:, None] + gain
        came_from.append(np.argmax(total, axis=0))
        value = np.max(total, axis=0)
    places = [n_grid - 1]
    for previous in reversed(came_from):
        places.append(int(previous[places[-1]]))
    path = [0, *reversed(places)]
    return float(value[-1]) / depth, flip[path[:-1], path[1:]]


def deltas(flips: Array) -> Array:
    """delta_l = (1-q^l)/2 of sign units, (L,)."""
    found, d = [], 0.0
    for p in flips:
        d = 2 / math.pi * math.asin(math.sqrt(min(p * (1 - 2 * d) + d, 0.5)))
        found.append(d)
    return np.array(found)


@lru_cache(maxsize=16)
def _table(depth: int) -> tuple[Array, Array]:
    """Starts of `_shoot` and the delta_L that they lead to."""
    grid = np.linspace(*STARTS, N_STARTS)
    return grid, np.array([deltas(_shoot(x, depth))[-1] for x in grid])


def _shoot(first: float, depth: int) -> Array:
    """The stationary p_1 .. p_L that start with ln[2 delta_1/(1-2 delta_1)] = first.

    Carried along are delta, q = 1-2 delta and t = ln[(1-p)/p]: nothing cancels at delta = 1/2, nor at p = 0.
    """
    d, q, before = float(expit(first)) / 2, float(expit(-first)), 1.0
    t = -2 * math.log(math.tan(math.pi * d / 2))
    odds = [t]
    for _ in range(1, depth):
        t = _solve_slope(t * math.pi * math.sin(math.pi * d) * q / (2 * before))
        d = 2 / math.pi * math.asin(math.sqrt(min(float(expit(-t)) * q + d, 0.5)))
        before, q = q, 2 / math.pi * math.asin(math.tanh(t / 2) * q) if d > 0.25 else 1 - 2 * d
        odds.append(t)
    return expit(-np.array(odds))


def _solve_slope(right: float) -> float:
    """t = ln[(1-p)/p] with (1-2p) t = t tanh(t/2) = right >= 0."""
    return brentq(lambda t: t * math.tanh(t / 2) - right, 0.0, right + 2 + math.sqrt(2 * right), xtol=1e-15, rtol=1e-15)


def _slope(p: float) -> float:
    return math.log1p(-p) - math.log(p)


def _total_entropy(flips: Array) -> float:
    return float(np.sum(entr(flips) + entr(1 - flips)))
