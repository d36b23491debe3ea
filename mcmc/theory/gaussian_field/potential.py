"""The potential whose maxima carry the order parameter, and the certificate that a solution is the true one.

    F(q) = xi'(q) - int_0^q ds / D(s)^2,     f(q) = int_0^q F,       2 delta Phi / delta x(q) = beta^2 F(q)

With x(q) = mu([0, q]), moving weight of mu to q changes Phi by -beta^2 f(q)/2: mu is the minimum if and only if every
point of its support is a global maximum of f [Talagrand, Probab. Theory Relat. Fields 134, 339 (2006); for odd p too:
Chen, Electron. J. Probab. 18, 94 (2013)]. Phi is convex in x (1/D is convex in D, and D linear in x), so that no order
parameter can be better than mu by more than

    optimality gap = beta^2/2 [ max f - int f dmu ],

a bound that holds for *every* mu, solution or not. Both are in the units of `FieldProblem`.
"""

from dataclasses import dataclass

import numpy as np

from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.segment_functions import h2

GAP_TOL = 1e-12  # of T Phi, where energies are of order 1
REPLICON_TOL = 1e-10  # of lambda; rounding leaves 1e-15, at xi'' = infinity more
# of f less its mean, sums of half a dozen terms of order 1: below q_EA neighbouring floats differ by up to 1.6e-15
ROUNDING = 2e-15


def response(measure: ParisiMeasure, overlap: Array) -> Array:
    """D(q) = beta int_q^1 x."""
    return _evaluate(measure, np.asarray(overlap, float))[0]


def potential_slope(measure: ParisiMeasure, overlap: Array) -> Array:
    """F(q)."""
    return _evaluate(measure, np.asarray(overlap, float))[1]


def potential(measure: ParisiMeasure, overlap: Array) -> Array:
    """f(q)."""
    return _evaluate(measure, np.asarray(overlap, float))[2]


def breaking(measure: ParisiMeasure, overlap: Array) -> Array:
    """x(q) = mu([0, q]) for T > 0 (alpha(q) at T = 0, where q_EA = 1 is excluded), right-continuous."""
    q = np.asarray(overlap, float)
    problem, n = measure.problem, len(measure.lower)
    levels = np.concatenate([[0.0], measure.plateaus, [problem.max_plateau]])
    part = np.searchsorted(measure.lower, q, side="right") - 1  # the part whose lower edge is at or below q
    alpha = levels[part + 1]
    inside = (
        np.array(measure.is_band)[np.clip(part, 0, n - 1)] & (part >= 0) & (q < measure.upper[np.clip(part, 0, n - 1)])
    )
    alpha = np.where(inside, problem.marginal_breaking(np.where(inside, q, 0.5)), alpha)
    return alpha * problem.temperature if problem.temperature > 0 else alpha


def _evaluate(measure: ParisiMeasure, q: Array) -> tuple[Array, Array, Array]:
    """(D, F, f) at any overlaps in [0, 1]; at T > 0, q = 1 itself has D = 0 and f = -inf."""
    problem, n = measure.problem, len(measure.lower)
    slope_a, value_a, slope_b, value_b = measure.edge_potentials
    jet_b = problem.xi(measure.upper, 1)
    xi = problem.xi(q, 1)
    part = np.searchsorted(measure.lower, q, side="right") - 1
    j = np.clip(part, 0, n - 1)
    # above the upper edge of part j: the stretch of constant alpha that follows it
    top = problem.max_plateau if problem.temperature > 0 else 0.0
    alpha = np.append(measure.plateaus, top)[j]
    distance = q - measure.upper[j]
    start = measure.response_upper[j]
    with np.errstate(divide="ignore", invalid="ignore"):
        y = alpha * distance / start
        d = start * (1 - y)
        slope = slope_b[j] + xi[1] - jet_b[1, j] - distance / (start * d)
        value = value_b[j] + (slope_b[j] - jet_b[1, j]) * distance + xi[0] - jet_b[0, j]
        value = value - (distance / start) ** 2 * h2(y)
    inside = (part >= 0) & (q <= measure.upper[j])
    d = np.where(inside, problem.marginal_response(np.where(inside, q, 0.5)), d)
    d = np.where(inside & ~np.array(measure.is_band)[j], measure.response_upper[j], d)
    slope = np.where(inside, slope_a[j], slope)
    value = np.where(inside, value_a[j] + slope_a[j] * (q - measure.lower[j]), value)
    below = part < 0
    first = measure.response_lower[0]
    d = np.where(below, first, d)
    slope = np.where(below, xi[1] - q / first**2, slope)
    value = np.where(below, xi[0] - float(problem.xi(0.0, 0)[0]) - 0.5 * (q / first) ** 2, value)
    return d, slope, np.where(np.isnan(value), -np.inf, value)


def search_grid(measure: ParisiMeasure) -> Array:
    """Overlaps at which structure can hide: everywhere, near 0, near 1, and around every edge of the support."""
    spread = np.geomspace(1e-9, 0.3, 60)
    edges = np.unique(np.concatenate([measure.lower, measure.upper]))
    grid = np.concatenate(
        [
            np.linspace(0, 1, 401),
            spread,
            1 - spread,
            *(edge + side * spread for edge in edges for side in (-1, 1)),
            # the scale of the top level: 1 - q ~ T chi
            1 - (1 - measure.upper[-1]) * np.geomspace(0.01, 100, 60),
        ]
    )
    inside = np.unique(grid[(grid >= 0) & (grid < 1)])
    # points closer than rounding of f would show maxima that are not there
    is_new = np.diff(inside, prepend=-1.0) > 1e-11
    return inside[is_new]


@dataclass(frozen=True)
class Certificate:
    """How far a measure is from the unique minimum.

    Attributes:
        optimality_gap: upper bound of Phi - min Phi; at T = 0, of T Phi, and only among measures of equal alpha(1).
        scaled_gap:     the same of T Phi, in units where xi'(1) = 1.
        worst_overlap:  where f is largest: where a further level wants to be.
        rounding:       what rounding alone makes of scaled_gap.
        local:          smallest replicon of the parts of the support, >= 0 in a solution.
    """

    optimality_gap: float
    scaled_gap: float
    worst_overlap: float
    rounding: float
    local: float

    def accepts(self, *, gap_tol: float = GAP_TOL, replicon_tol: float = REPLICON_TOL) -> bool:
        """The measure is the true order parameter to these tolerances."""
        return self.scaled_gap <= gap_tol + self.rounding and self.local >= -replicon_tol


def certify(measure: ParisiMeasure) -> Certificate:
    """Search all overlaps for a point that f prefers to the support of the measure."""
    q = search_grid(measure)
    values = potential(measure, q)
    best = int(np.argmax(values))
    excess = max(float(values[best]) - mean_potential(measure), 0.0)
    t = measure.problem.temperature
    scale = 0.5 / t if t > 0 else 0.5 * float(np.max(measure.plateaus, initial=1.0))
    return Certificate(
        optimality_gap=scale * excess / (t if t > 0 else 1.0),
        scaled_gap=scale * excess,
        worst_overlap=float(q[best]),
        rounding=ROUNDING * scale * max(1.0, float(np.max(np.abs(measure.edge_potentials[1])))),
        local=float(np.min(measure.replicons)),
    )


def mean_potential(measure: ParisiMeasure) -> float:
    """int f dmu; at T = 0, where the weight at q = 1 is infinite, f(1)."""
    value_a = measure.edge_potentials[1]
    value_b = measure.edge_potentials[3]
    t = measure.problem.temperature
    if t == 0:
        return float(value_b[-1])
    steps = np.diff(np.concatenate([[0.0], measure.plateaus, [measure.problem.max_plateau]])) * t
    return float(np.sum(steps * 0.5 * (value_a + value_b)))
