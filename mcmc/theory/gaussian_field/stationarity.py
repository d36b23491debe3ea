"""The stationarity equations of a given structure of P(q), solved by Newton's method.

Between two neighbouring parts of the support, b the upper edge of the lower and a the lower edge of the upper one:

    D_a D_b [xi'(a) - xi'(b)] / Delta = 1                             F(a) = F(b),  Delta = a - b
    (D_b/Delta)^2 [xi(a) - xi(b) - xi'(b) Delta] = h2(1 - D_a/D_b)    f(a) = f(b):  stationarity in x
    D(a_0)^2 xi'(a_0) = a_0                                           F(a_0) = 0    at the lowest edge
    D(b) = xi''(b)^(-1/2)                                             the top of every continuous part is marginal

Without a field a lowest edge that starts at 0 stays there.

As many equations as unknowns for any sequence of atoms and continuous parts: k + 1 atoms are k-step RSB with every x_i
stationary, one continuous part is full RSB, and mixtures are neither more nor less. Dividing by Delta keeps the
solution of merged levels, which is always there, out of the way.
"""

from dataclasses import dataclass

import numpy as np

from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.segment_functions import h2

TOL = 1e-11
MAX_ITER = 60
MAX_HALVINGS = 25
LAST_STEP = 1e-8  # Newton's convergence is quadratic: the step after this one is rounding
DIFFERENCE = 1e-6  # central differences of analytic equations: 1e-11 in the Jacobian, which only sets the convergence


@dataclass(frozen=True)
class Stationary:
    """Where Newton's method stopped.

    Attributes:
        measure:   the solution, or the last iterate.
        residual:  largest equation left.
        converged: residual within tolerance.
        step:      size of the last Newton step: an estimate of the error of levels and plateaus.
    """

    measure: ParisiMeasure
    residual: float
    converged: bool
    step: float


class _Layout:
    """Which edges and plateaus are unknown for a structure, and back."""

    def __init__(self, start: ParisiMeasure):
        self.problem: FieldProblem = start.problem
        self.is_band = is_band = start.is_band
        n = len(is_band)
        # (part, which edge); the top edge is 1 - T chi, an atom has one edge, the first may be pinned to 0
        edges = [(j, side) for j in range(n) for side in ((0, 1) if is_band[j] else (0,))]
        edges.pop()
        # without a field q = 0 is stationary by itself, and an edge that starts there stays there
        self.is_pinned = not self.problem.has_field and n + sum(is_band) > 1 and start.lower[0] == 0
        self.edges = edges[1:] if self.is_pinned else edges
        self.n_unknowns = len(self.edges) + n

    def pack(self, measure: ParisiMeasure) -> Array:
        edges = [(measure.upper if side else measure.lower)[j] for j, side in self.edges]
        return np.concatenate([edges, measure.plateaus, [measure.chi]])

    def unpack(self, unknowns: Array) -> tuple[Array, Array, Array, Array]:
        """(lower, upper, plateaus, chi) of a batch (B, n_unknowns), each (B, ...)."""
        batch, n = len(unknowns), len(self.is_band)
        lower, upper = np.zeros((batch, n)), np.zeros((batch, n))
        for column, (j, side) in enumerate(self.edges):
            (upper if side else lower)[:, j] = unknowns[:, column]
        chi = unknowns[:, -1]
        top = 1 - self.problem.temperature * chi
        upper[:, -1] = top
        if not self.is_band[-1]:
            lower[:, -1] = top
        atoms = ~np.array(self.is_band)
        atoms[-1] = False
        upper[:, atoms] = lower[:, atoms]
        return lower, upper, unknowns[:, len(self.edges) : -1], chi

    def measure(self, unknowns: Array) -> ParisiMeasure:
        lower, upper, plateaus, chi = (part[0] for part in self.unpack(unknowns[None, :]))
        return ParisiMeasure(self.problem, lower, upper, plateaus, float(chi), self.is_band)

    def is_feasible(self, unknowns: Array) -> bool:
        """Edges in order, plateaus increasing within [0, beta], positive response."""
        lower, upper, plateaus, chi = (part[0] for part in self.unpack(unknowns[None, :]))
        if not np.all(np.isfinite(unknowns)) or chi < 0 or lower[0] < 0:
            return False
        ordered = np.all(upper >= lower) and np.all(lower[1:] > upper[:-1]) and upper[-1] <= 1
        ladder = np.concatenate([[0.0], plateaus, [self.problem.max_plateau]])
        return bool(ordered and np.all(np.diff(ladder) >= 0))

    def residuals(self, unknowns: Array) -> Array:
        """All equations for a batch of unknowns, (B, n_unknowns)."""
        lower, upper, plateaus, chi = self.unpack(unknowns)
        # finite differences may leave [0, 1] by their step
        jet_a = self.problem.xi(np.clip(lower, 0, 1), 1)
        jet_b = self.problem.xi(np.clip(upper, 0, 1), 1)
        bands = np.array(self.is_band)
        marginal_a = marginal_b = np.zeros_like(lower)
        if bands.any():
            marginal_a = self.problem.marginal_response(np.clip(lower, 0, 1))
            marginal_b = self.problem.marginal_response(np.clip(upper, 0, 1))
        equations = []
        d_upper = chi
        for j in range(len(self.is_band) - 1, -1, -1):
            if self.is_band[j]:
                equations.append(d_upper - marginal_b[:, j])
            d_lower = marginal_a[:, j] if self.is_band[j] else d_upper
            if j == 0:
                break
            gap = lower[:, j] - upper[:, j - 1]
            d_upper = d_lower + plateaus[:, j - 1] * gap
            rise = jet_a[1, :, j] - jet_b[1, :, j - 1]
            area = jet_a[0, :, j] - jet_b[0, :, j - 1] - jet_b[1, :, j - 1] * gap
            equations.append(d_lower * d_upper * rise / gap - 1)
            equations.append((d_upper / gap) ** 2 * area - h2(plateaus[:, j - 1] * gap / d_upper))
        if not self.is_pinned:
            equations.append(d_lower**2 * jet_a[1, :, 0] - lower[:, 0])
        return np.stack(equations, axis=1)


def solve_structure(start: ParisiMeasure, *, tol: float = TOL, max_iter: int = MAX_ITER) -> Stationary:
    """The stationary measure with the structure of `start`, from there by damped Newton steps.

    The last iterate is returned with `converged` False if it does not converge; the caller tries another structure.
    """
    layout = _Layout(start)
    u = layout.pack(start)
    if not layout.is_feasible(u):
        return Stationary(start, np.inf, False, np.inf)
    with np.errstate(all="ignore"):
        r = layout.residuals(u[None, :])[0]
        step = np.full_like(u, np.inf)
        for _ in range(max_iter):
            if not np.all(np.isfinite(r)):
                break
            jacobian = _jacobian(layout, u)
            if not np.all(np.isfinite(jacobian)):
                break
            step = _newton_step(jacobian, r)
            if np.max(np.abs(r)) <= _tolerance(layout.measure(u), tol) and np.max(np.abs(step)) <= LAST_STEP:
                if layout.is_feasible(u + step):
                    u = u + step
                    r = layout.residuals(u[None, :])[0]
                    step = _newton_step(jacobian, r)  # what rounding leaves
                break
            accepted = _backtrack(layout, u, step, r)
            if accepted is None:
                break
            u, r = accepted
    residual = float(np.max(np.abs(r), initial=0.0))
    levels = layout.measure(u)
    return Stationary(levels, residual, residual <= _tolerance(levels, tol), float(np.max(np.abs(step), initial=0.0)))


def _tolerance(measure: ParisiMeasure, tol: float) -> float:
    """Rounding of xi(a) - xi(b) - xi'(b) Delta divided by Delta^2."""
    gaps = measure.lower[1:] - measure.upper[:-1]
    return max(tol, 1e-14 / max(float(np.min(gaps, initial=1.0)), 1e-4) ** 2)


def _newton_step(jacobian: Array, r: Array) -> Array:
    return np.asarray(-np.linalg.lstsq(jacobian, r, rcond=1e-14)[0], dtype=np.float64)


def _jacobian(layout: _Layout, u: Array) -> Array:
    h = DIFFERENCE * np.maximum(np.abs(u), 1e-3)
    # an edge next to q = 1 must not be pushed over it
    plus, minus = u + np.diag(h), u - np.diag(h)
    values = layout.residuals(np.concatenate([plus, minus]))
    n = len(u)
    return (values[:n] - values[n:]).T / (2 * h)


def _backtrack(layout: _Layout, u: Array, step: Array, r: Array) -> tuple[Array, Array] | None:
    """The longest halving of the step that is feasible and does not increase the equations; None if there is none."""
    norm = float(np.linalg.norm(r))
    for n in range(MAX_HALVINGS):
        candidate = u + step / 2**n
        if layout.is_feasible(candidate):
            value = layout.residuals(candidate[None, :])[0]
            if np.all(np.isfinite(value)) and float(np.linalg.norm(value)) <= max(norm, 1e-14):
                return candidate, value
    return None
