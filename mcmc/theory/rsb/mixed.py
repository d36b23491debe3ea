"""Phases in which some levels are separate and others break up continuously, read off the pivots of a k-step solution.

The pivot of a level is positive where it is stable on its own (an atom of P(q) with a gap around it), and negative
where it stands for a stretch of a continuous part. Steps that are added by splitting an unstable level leave the
atoms where they are; along the curve x(q) of all levels they would land in the gap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mcmc.errors import ConvergenceError
from mcmc.theory.rsb.breaking import has_merged, optimise
from mcmc.theory.rsb.equations import Unknowns
from mcmc.theory.rsb.fixed_breaking import KStepPoint, KStepSolver
from mcmc.theory.rsb.sphere import Levels

NEGATIVE = -1e-6  # a pivot below this is negative
SHARES = (0.1, 0.25, 0.03)  # of the interval of x in which a level holds, for its new breaking point
SPREAD = 0.2  # of the distance to the neighbouring level, for the two halves of a level
COARSE_TOL = 1e-6


def phase_of(level_pivots: Sequence[float]) -> str:
    """ "2RSB", "full RSB" or, where bands of unstable levels and stable levels alternate, "1RSB + full", ....

    Two bands that touch in the order of levels count as one.
    """
    unstable = [pivot < NEGATIVE for pivot in level_pivots]
    n_gaps = sum(not (a and b) for a, b in pairwise(unstable))
    if not any(unstable):
        return f"{n_gaps}RSB"
    return f"{n_gaps}RSB + full" if n_gaps else "full RSB"


def split_unstable(solver: KStepSolver, point: KStepPoint, level_pivots: Sequence[float]) -> KStepPoint:
    """The solution with one step more, its breaking points optimised, after splitting the most unstable level.

    Raises:
        ConvergenceError: no start kept the halves apart.
    """
    failure: ConvergenceError | None = None
    for unknowns, x in _starts(point, int(np.argmin(level_pivots))):
        try:
            split = solver.solve(x, unknowns, tol=max(COARSE_TOL, solver.tol))
            if not has_merged(split):
                return optimise(solver, split)
        except ConvergenceError as error:
            failure = error
    raise failure or ConvergenceError(
        f"{len(point.x) + 1}-step RSB at beta={solver.beta:g}: the halves of an unstable level merged again.",
        beta=solver.beta,
        breaking_points=point.x,
        residual=point.residual,
    )


def _starts(point: KStepPoint, level: int) -> Iterator[tuple[Unknowns, Levels]]:
    bounds = (0.0, *point.x, 1.0)
    for share in SHARES:
        new = bounds[level] + share * (bounds[level + 1] - bounds[level])
        x = (*point.x[:level], new, *point.x[level:])
        overlap = _split(point.unknowns.overlap, level, top=1.0)
        hidden = []
        for conjugate, tilt in point.unknowns.hidden:
            levels = _split(conjugate, level, top=conjugate[-1])
            hidden.append((levels, tilt + conjugate[-1] - levels[-1]))
        yield replace(point.unknowns, overlap=overlap, hidden=tuple(hidden)), x


def _split(levels: Levels, level: int, *, top: float) -> Levels:
    """One level replaced by two, each some way towards its neighbour."""
    neighbours = (0.0, *levels, top)
    low = levels[level] - SPREAD * (levels[level] - neighbours[level])
    high = levels[level] + SPREAD * (neighbours[level + 2] - levels[level])
    return (*levels[:level], low, high, *levels[level + 1 :])
