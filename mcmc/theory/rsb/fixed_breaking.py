"""The k-step saddle point at given breaking points, by Anderson acceleration on grids that follow the solution."""

from dataclasses import dataclass, field

import numpy as np

from mcmc.errors import ConvergenceError
from mcmc.theory.fixed_point import Vector, find_fixed_point
from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb.equations import RsbPass, Unknowns, choose_grids, forward_pass, project, updated_unknowns
from mcmc.theory.rsb.grids import LayerGrid, RsbGrid
from mcmc.theory.rsb.sphere import Levels
from mcmc.theory.saddle import SaddlePoint

GRID_SLACK = 1.25  # a grid is kept while its spacings are within this factor of what would be chosen now
MAX_REGRIDS = 6
KEPT_GAP = 0.2


@dataclass(frozen=True)
class KStepPoint:
    """A solution of the saddle-point equations at given breaking points.

    Attributes:
        unknowns: where the pass was made.
        result:   order parameters and averages.
        residual: largest relative change of an unknown under one more iteration.
        n_iter:   evaluations of the equations.
        grids:    of the layers.
    """

    unknowns: Unknowns
    result: RsbPass
    residual: float
    n_iter: int
    grids: list[LayerGrid] = field(repr=False)

    @property
    def x(self) -> Levels:
        """The breaking points."""
        return self.result.x

    @property
    def spread(self) -> float:
        """q_0[k] - q_0[0]; 0 for a solution that fell back to replica symmetry."""
        return self.result.overlap[0][-1] - self.result.overlap[0][0]


class KStepSolver:
    """Solves one model at one temperature, at any breaking points.

    Attributes:
        n_iter: evaluations of the equations so far.
    """

    def __init__(
        self, model: TheoryModel, beta: float, *, grid: RsbGrid | None = None, tol: float = 1e-9, max_iter: int = 400
    ):
        self.model = model
        self.beta = beta
        self.grid = grid or RsbGrid()
        self.tol = tol
        self.max_iter = max_iter
        self.n_iter = 0

    def evaluate(
        self, unknowns: Unknowns, x: Levels, grids: list[LayerGrid] | None = None, *, second: bool = False
    ) -> RsbPass:
        """One pass of the equations."""
        self.n_iter += 1
        xi_step = self.grid.quadrature.xi_step
        return forward_pass(self.model, self.beta, unknowns, x, grids or self.grid, xi_step=xi_step, second=second)

    def solve(
        self, x: Levels, start: Unknowns, *, grids: list[LayerGrid] | None = None, tol: float | None = None
    ) -> KStepPoint:
        """The saddle point at these breaking points that the iteration from `start` leads to.

        Args:
            grids: keep these grids, whatever the solution.
        Raises:
            ConvergenceError: residual, n_iter, beta, breaking_points as attributes.
            QuadratureError:  an average does not exist or is not resolved.
        """
        wanted = self.tol if tol is None else tol
        unknowns = start
        for attempt in range(MAX_REGRIDS):
            chosen = grids or choose_grids(self.model, self.beta, self.evaluate(unknowns, x), self.grid)
            point = self._solve_on(x, unknowns, chosen, wanted)
            unknowns = point.unknowns
            if grids or attempt == MAX_REGRIDS - 1 or self._fits(point):
                break
        if point.residual > wanted:
            raise ConvergenceError(
                f"{len(x)}-step RSB: residual {point.residual:.1e} after {point.n_iter} iterations "
                f"(wanted <= {wanted:.0e}) at beta={self.beta:g}, breaking points "
                f"({', '.join(f'{b:.4g}' for b in x)}). Raise max_iter, or start from a neighbouring solution.",
                residual=point.residual,
                n_iter=point.n_iter,
                beta=self.beta,
                breaking_points=x,
            )
        return point

    def _solve_on(self, x: Levels, start: Unknowns, grids: list[LayerGrid], tol: float) -> KStepPoint:
        n_levels, depth = len(x) + 1, self.model.depth
        image: Vector | None = None

        def step(values: Vector) -> tuple[Vector, RsbPass]:
            nonlocal image
            result = self.evaluate(Unknowns.from_vector(values, n_levels, depth), x, grids)
            image = updated_unknowns(self.model, result).to_vector()
            return image, result

        def inside(values: Vector) -> Vector:
            return project(values if image is None else _kept_apart(values, image, n_levels, depth), n_levels, depth)

        solution = find_fixed_point(
            step,
            start.to_vector(),
            project=inside,
            tol=tol,
            max_iter=self.max_iter,
            memory=min(max(8, 2 * n_levels), 30),
        )
        unknowns = Unknowns.from_vector(solution.x, n_levels, depth)
        return KStepPoint(unknowns, solution.payload, solution.residual, solution.n_iter, grids)

    def _fits(self, point: KStepPoint) -> bool:
        """The grids are what would be chosen at the solution."""
        now = choose_grids(self.model, self.beta, point.result, self.grid)
        for old, new in zip(point.grids, now, strict=True):
            axes = [(old.omega, new.omega)]
            if old.u_axis is not None and new.u_axis is not None:
                axes.append((old.u_axis, new.u_axis))
            for a, b in axes:
                too_coarse, too_fine = a.step > b.step * GRID_SLACK, a.step < b.step / GRID_SLACK**2
                if too_coarse or too_fine or a.step * a.n_left < b.step * b.n_left / GRID_SLACK:
                    return False
        return True


def _kept_apart(values: Vector, image: Vector, n_levels: int, depth: int) -> Vector:
    """values, moved towards the image F(x) until no two levels are closer than a fraction of their distance there.

    Levels that have merged stay merged, since F maps equal levels to equal levels: extrapolation must not merge them.
    Nor may it put q_0[k] next to 1, where the thermal width vanishes and a single pass costs seconds.
    """
    step, wanted = values - image, (1 - KEPT_GAP) * _gaps(image, n_levels, depth, top=1.0)
    closing = -_gaps(step, n_levels, depth, top=0.0)
    ratios = wanted[closing > 0] / closing[closing > 0]
    return image + min(1.0, float(np.min(ratios, initial=1.0))) * step


def _gaps(values: Vector, n_levels: int, depth: int, *, top: float) -> Vector:
    """Distances of neighbouring levels of q_0, of its last one from `top`, and of neighbouring levels of each S_l."""
    row = n_levels + 1
    return np.concatenate(
        [np.diff(values[:n_levels], append=top)]
        + [np.diff(values[n_levels + j * row : n_levels + (j + 1) * row - 1]) for j in range(depth - 1)]
    )


def symmetric_start(saddle: SaddlePoint, n_levels: int) -> Unknowns:
    """The replica-symmetric saddle point with its levels repeated."""
    pairs = zip(saddle.conjugate_overlap[:-1], saddle.conjugate_self_overlap[:-1], strict=True)
    return Unknowns((saddle.overlap[0],) * n_levels, tuple(((s,) * n_levels, r - s) for s, r in pairs))


def split_start(saddle: SaddlePoint, n_levels: int, spread: float) -> Unknowns:
    """The replica-symmetric saddle point with its levels drawn apart, the more the larger spread is in (0, 1)."""
    t = np.linspace(-1, 1, n_levels) * spread
    q = saddle.overlap[0]
    levels = np.where(t > 0, q + t * (1 - q), q + t * min(q, 1 - q))  # a longer way down would break the tilt's range
    hidden = []
    for s, r in zip(saddle.conjugate_overlap[:-1], saddle.conjugate_self_overlap[:-1], strict=True):
        conjugates = s * (1 + t / 2)
        hidden.append((tuple(conjugates.tolist()), r - float(conjugates[-1])))
    return Unknowns(tuple(levels.tolist()), tuple(hidden))
