"""Where replica symmetry breaks: the AT temperature, and the static and dynamic temperatures of a discontinuous 1RSB.

All three lie on the replica-symmetric branch that starts at beta = 0, with overlap q_0 (0 without a field):

    RS        beta^2 xi'(q_0) (1-q_0)^2 = q_0
    AT        q_0 xi''(q_0) = xi'(q_0)  with a field,  beta^2 xi''(0) = 1 without            (lambda = 0)
    dynamic   beta^2 [xi'(q_1) - xi'(q_0)] = (q_1-q_0)/((1-q_1)(1-q_0)),  beta^2 xi''(q_1)(1-q_1)^2 = 1
    static    the first of these, and beta^2 [xi(q_1) - xi(q_0) - xi'(q_0)(q_1-q_0)] = u - 1 - log u

with u = (1-q_1)/(1-q_0). The last two are the 1RSB equations at x = 1 with, in the place of stationarity in x, a
vanishing innermost replicon (1RSB states first exist) and a vanishing complexity (they first dominate) [Crisanti and
Sommers 1992; Kirkpatrick and Thirumalai 1987].
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, root

from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field.covariance import Array, Covariance
from mcmc.theory.gaussian_field.evidence import metastable_states
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.replica_symmetric import rs_measure

HIGHEST_BETA = 1e4  # in units of xi'(1)^(-1/2): what happens below T = 1e-4 is not looked for
N_BISECTIONS = 40
TOL = 1e-10


@dataclass(frozen=True)
class Transition:
    """One temperature at which the replica-symmetric branch breaks.

    Attributes:
        kind:     "at", "static" or "dynamic".
        beta:     inverse temperature.
        overlap:  q_0 on the replica-symmetric branch.
        top:      q_1 of the states that appear; q_0 for "at".
        breaking: x where the breaking sets in: 1 at "static" and "dynamic", xi'''/(2 beta xi''^(3/2)) at "at"
                  (above 1 the branch has become metastable before); nan where it is not computed.
    """

    kind: str
    beta: float
    overlap: float
    top: float
    breaking: float

    @property
    def temperature(self) -> float:
        """1/beta."""
        return 1 / self.beta


@dataclass(frozen=True)
class Transitions:
    """The transitions of the replica-symmetric branch; None where there is none in the range searched.

    Attributes:
        at:      the replicon vanishes: continuous breaking, if `first` is this one.
        static:  a discontinuous 1RSB becomes the equilibrium.
        dynamic: its states first exist; above `static`.
    """

    at: Transition | None
    static: Transition | None
    dynamic: Transition | None

    @property
    def first(self) -> Transition | None:
        """The equilibrium transition met first on cooling; None if the equilibrium is RS down to T = 0."""
        candidates = [t for t in (self.at, self.static) if t is not None]
        return min(candidates, key=lambda t: t.beta, default=None)


def find_transitions(covariance: Covariance) -> Transitions:
    """AT, static and dynamic temperatures.

    A static transition colder than the AT temperature is not reported: its branch would be unstable there.
    Raises:
        ConvergenceError: a transition is bracketed but its equations are not solved (kind, residual, beta on it).
    """
    branch = _Branch(covariance)
    at = branch.at()
    points = branch.points(at)
    static = dynamic = None
    before: tuple[float, list[dict[str, float]]] | None = None
    for place in points:
        states = branch.states(place)
        if states and dynamic is None:
            low = before[0] if before is not None else place
            dynamic = branch.solve("dynamic", *branch.bisect(low, place, lambda found: bool(found)))
        if states and min(state["complexity"] for state in states) <= 0:
            low = before[0] if before is not None else place
            static = branch.solve("static", *branch.bisect(low, place, _dominates))
            break
        before = (place, states)
    return Transitions(at, static, dynamic)


def _dominates(states: list[dict[str, float]]) -> bool:
    return bool(states) and min(state["complexity"] for state in states) <= 0


class _Branch:
    """The replica-symmetric branch from high temperature, followed by q_0 with a field and by beta without."""

    def __init__(self, covariance: Covariance):
        self.covariance = covariance
        self.reference = FieldProblem(covariance, 1.0)
        self.unit = self.reference.energy_unit
        self.has_field = self.reference.has_field

    def at(self) -> Transition | None:
        """The first zero of the replicon along the branch."""
        if not self.has_field:
            curvature = float(self.reference.xi(0.0, 2)[2])
            return None if curvature == 0 else self._at_transition(0.0, 1 / math.sqrt(curvature))

        def replicon(q: float) -> float:
            jet = self.reference.xi(q, 2)
            return float(jet[1] - q * jet[2])

        grid = _overlap_grid()
        values = np.array([replicon(q) for q in grid])
        crossings = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
        if len(crossings) == 0:
            return None
        q = float(brentq(replicon, grid[crossings[0]], grid[crossings[0] + 1], xtol=1e-15, rtol=1e-14))
        return self._at_transition(q, self._beta(q))

    def _at_transition(self, overlap: float, scaled_beta: float) -> Transition:
        breaking = float(self.reference.marginal_breaking(np.array(overlap))) / scaled_beta
        return Transition("at", scaled_beta / self.unit, overlap, overlap, breaking)

    def _beta(self, overlap: float) -> float:
        """beta (scaled) at which the branch has this overlap > 0."""
        return math.sqrt(overlap / float(self.reference.xi(overlap, 1)[1])) / (1 - overlap)

    def points(self, at: Transition | None) -> Array:
        """Places along the branch up to its instability, in the order of cooling."""
        if self.has_field:
            grid = _overlap_grid()
            end = at.overlap if at is not None else 1.0
            grid = np.append(grid[grid < end], end * (1 - 1e-6))
            return grid[[self._beta(q) < HIGHEST_BETA for q in grid]]
        end = min(at.beta * self.unit if at is not None else math.inf, HIGHEST_BETA)
        return np.geomspace(0.05, end * (1 - 1e-9), max(2, math.ceil(math.log(end / 0.05) / 0.03)))

    def coordinates(self, place: float) -> tuple[float, float]:
        """(beta scaled, q_0)."""
        return (self._beta(place), float(place)) if self.has_field else (float(place), 0.0)

    def states(self, place: float) -> list[dict[str, float]]:
        """1RSB states at x = 1 there: overlap and complexity."""
        beta, overlap = self.coordinates(place)
        problem = FieldProblem(self.covariance, beta / self.unit)
        return metastable_states(rs_measure(problem, beta * (1 - overlap)))

    def bisect(
        self, low: float, high: float, found: Callable[[list[dict[str, float]]], bool]
    ) -> tuple[float, list[dict[str, float]]]:
        """The first place where the states satisfy a condition, to about 1e-12 of the interval."""
        states = self.states(high)
        for _ in range(N_BISECTIONS):
            middle = 0.5 * (low + high)
            here = self.states(middle)
            if found(here):
                high, states = middle, here
            else:
                low = middle
        return high, states

    def solve(self, kind: str, place: float, states: list[dict[str, float]]) -> Transition:
        """Newton's method on the equations of the module docstring, from the bisection."""
        beta, q0 = self.coordinates(place)
        q1 = min(states, key=lambda state: state["complexity"])["overlap"]

        def equations(unknowns: Array) -> list[float]:
            b, top, bottom = unknowns if self.has_field else (*unknowns, 0.0)
            lower, upper = self.reference.xi(bottom, 1), self.reference.xi(top, 2)
            u = (1 - top) / (1 - bottom)
            residuals = [b**2 * (upper[1] - lower[1]) * (1 - top) * (1 - bottom) - (top - bottom)]
            if kind == "dynamic":
                residuals.append(b**2 * upper[2] * (1 - top) ** 2 - 1)
            else:
                residuals.append(b**2 * (upper[0] - lower[0] - lower[1] * (top - bottom)) - (u - 1 - math.log(u)))
            if self.has_field:
                residuals.append(b**2 * lower[1] * (1 - bottom) ** 2 - bottom)
            return [float(r) for r in residuals]

        start = np.array([beta, q1, q0] if self.has_field else [beta, q1])
        done = root(equations, start, tol=1e-14)
        residual = float(np.max(np.abs(done.fun)))
        if residual > TOL or abs(done.x[0] / beta - 1) > 1e-3:
            raise ConvergenceError(
                f"{self.covariance.label}: {kind} transition near beta={beta / self.unit:g}: residual {residual:.1e} "
                f"(wanted <= {TOL:.0e}), or another solution at beta={done.x[0] / self.unit:g}. Use classify at a few "
                "temperatures around it.",
                kind=kind,
                residual=residual,
                beta=beta / self.unit,
            )
        bottom = float(done.x[2]) if self.has_field else 0.0
        return Transition(kind, float(done.x[0]) / self.unit, bottom, float(done.x[1]), 1.0)


def _overlap_grid() -> Array:
    """Overlaps in (0, 1), dense at both ends."""
    ends = np.geomspace(1e-6, 0.02, 60)
    return np.unique(np.concatenate([ends, np.linspace(0.02, 0.98, 400), 1 - ends]))
