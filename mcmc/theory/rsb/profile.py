"""The curve x(q) that the steps of a k-step solution follow, and where to put more steps along it.

A step from q[i-1] to q[i] at x_i says that the curve passes near x = x_i at the middle of the two levels. In the
limit of many steps this is the function of full replica symmetry breaking: it starts at x_min (below it q(x) = q[0])
and ends at x_max (above it q(x) = q[k], the plateau q_EA). Both ends are extrapolated.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from mcmc.theory.rsb.equations import Unknowns
from mcmc.theory.rsb.fixed_breaking import KStepPoint
from mcmc.theory.rsb.sphere import Levels

MERGED_SHARE = 1e-3  # a step smaller than this share of an average one is no step
FIRST_FALL, FIRST_RISE = 0.75, 1.35  # of x_1, as the ends of the curve of a single step


@dataclass(frozen=True)
class OverlapProfile:
    """q_0 as a function of x, from its start to its plateau.

    Attributes:
        overlap: (m,) increasing, from q[0] to q[k].
        x:       (m,) increasing, from x_min to x_max.
    """

    overlap: np.ndarray
    x: np.ndarray

    @property
    def continuous_mass(self) -> float:
        """x_max - x_min, the probability that two replicas have an overlap strictly between q[0] and q_EA."""
        return float(self.x[-1] - self.x[0])


def overlap_profile(point: KStepPoint) -> OverlapProfile:
    """The curve through the steps of a solution; steps whose levels have merged only bound its ends."""
    q, x = np.array(point.result.overlap[0]), np.array(point.x)
    rises = np.diff(q)
    live = np.flatnonzero(rises > MERGED_SHARE * (q[-1] - q[0]) / len(x))
    middles, steps = ((q[1:] + q[:-1]) / 2)[live], x[live]
    floor = x[live[0] - 1] if live[0] > 0 else 0.3 * steps[0]
    ceiling = x[live[-1] + 1] if live[-1] + 1 < len(x) else 0.5 * (1 + steps[-1])
    if len(steps) == 1:
        low, high = FIRST_FALL * steps[0], FIRST_RISE * steps[0]
    else:
        low = _extrapolated(steps[:3])
        high = _extrapolated(steps[:-4:-1])
    low = min(max(low, floor), steps[0] - 1e-9)
    high = max(min(high, ceiling), steps[-1] + 1e-9)
    return OverlapProfile(np.array([q[0], *middles, q[-1]]), np.array([low, *steps, high]))


def _extrapolated(x: np.ndarray) -> float:
    """The end of the curve half a step beyond x[0], the steps growing or shrinking as they did."""
    step = x[0] - x[1]
    growth = step / (x[1] - x[2]) if len(x) > 2 else 1.0
    return float(x[0] + 0.5 * step * min(max(growth, 0.5), 2.0))


def redistributed(point: KStepPoint, n_steps: int) -> tuple[Unknowns, Levels]:
    """A start with n_steps steps on the curve of a solution, denser where both q and x move.

    The steps divide int sqrt(dq dx) evenly: none is spent on a jump of q, nor where q stands still.
    """
    profile = overlap_profile(point)
    length = np.concatenate([[0.0], np.cumsum(np.sqrt(np.diff(profile.overlap) * np.diff(profile.x)))])
    length /= length[-1]
    x = PchipInterpolator(length, profile.x)((np.arange(n_steps) + 0.5) / n_steps)
    q = PchipInterpolator(length, profile.overlap)(np.arange(n_steps + 1) / n_steps)
    old = np.array(point.unknowns.overlap)
    old = old + 1e-13 * np.arange(len(old))  # interpolation wants increasing abscissae; merged levels are equal
    hidden = []
    for levels, tilt in point.unknowns.hidden:
        s = np.interp(q, old, levels)
        hidden.append((tuple(s.tolist()), tilt + levels[-1] - float(s[-1])))
    return Unknowns(tuple(q.tolist()), tuple(hidden)), tuple(x.tolist())
