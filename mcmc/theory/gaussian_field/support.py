"""What P(q) looks like: atoms with their weights, continuous parts, and a list of levels that stands for both."""

from dataclasses import dataclass

import numpy as np

from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.overlap_law import NO_WEIGHT, ContinuousPart

CURVE_POINTS = 65


@dataclass(frozen=True)
class Support:
    """P(q), taken apart.

    Attributes:
        atoms:      ((q, weight), ...), those at the edges of continuous parts included.
        continuous: the continuous parts.
    """

    atoms: tuple[tuple[float, float], ...]
    continuous: tuple[ContinuousPart, ...]

    @property
    def continuous_mass(self) -> float:
        """Probability of all continuous parts together."""
        return float(sum(part.weight for part in self.continuous))


def phase_name(measure: ParisiMeasure) -> str:
    """ "RS", "1RSB", "2RSB", ..., "full RSB", or "1RSB + full" for continuous parts separated by one gap, ..."""
    n_gaps = len(measure.lower) - 1
    if any(measure.is_band):
        return f"{n_gaps}RSB + full" if n_gaps else "full RSB"
    return f"{n_gaps}RSB" if n_gaps else "RS"


def ansatz_name(measure: ParisiMeasure) -> str:
    """ "rs", "1rsb", ..., or "full" if there is a continuous part."""
    if any(measure.is_band):
        return "full"
    return f"{len(measure.lower) - 1}rsb" if len(measure.lower) > 1 else "rs"


def support_of(measure: ParisiMeasure) -> Support:
    """Atoms and continuous parts of P(q) (of alpha(q) at T = 0, where the weight at q = 1 is left out)."""
    problem = measure.problem
    t = problem.temperature
    unit = t if t > 0 else 1.0
    ladder = np.concatenate([[0.0], measure.plateaus, [problem.max_plateau]])
    atoms: list[tuple[float, float]] = []
    parts = []
    for j, is_band in enumerate(measure.is_band):
        low, high = ladder[j] * unit, ladder[j + 1] * unit
        if not is_band:
            if np.isfinite(high):
                atoms.append((float(measure.lower[j]), float(high - low)))
            continue
        part = _continuous_part(measure, j, unit)
        parts.append(part)
        for q, weight in ((measure.lower[j], part.breaking[0] - low), (measure.upper[j], high - part.breaking[-1])):
            if NO_WEIGHT < weight < np.inf:
                atoms.append((float(q), float(weight)))
    return Support(tuple(atoms), tuple(parts))


def _continuous_part(measure: ParisiMeasure, j: int, unit: float) -> ContinuousPart:
    q = np.linspace(measure.lower[j], measure.upper[j], CURVE_POINTS)
    return ContinuousPart(q, unit * measure.problem.marginal_breaking(q))


def levels_of(measure: ParisiMeasure, n_band_levels: int = 64) -> tuple[Array, Array]:
    """Levels q[0] < ... < q[k] and breaking points x_1 ... x_k that stand for P(q) at T > 0.

    A continuous part becomes n_band_levels levels of equal width in q, each at the mean overlap of its weight, so that
    D(q) is exact at their edges; averages over P(q) are off by O(n_band_levels^-2).
    """
    problem = measure.problem
    t = problem.temperature
    ladder = np.concatenate([[0.0], measure.plateaus, [problem.max_plateau]]) * t
    pairs: list[tuple[float, float]] = []  # (q, x just above it)
    for j, is_band in enumerate(measure.is_band):
        if not is_band:
            pairs.append((float(measure.lower[j]), float(ladder[j + 1])))
            continue
        edges = np.linspace(measure.lower[j], measure.upper[j], n_band_levels + 1)
        x = t * problem.marginal_breaking(edges)
        d = t * problem.marginal_response(edges)
        if x[0] - ladder[j] > NO_WEIGHT:
            pairs.append((float(edges[0]), float(x[0])))
        mass = np.diff(x)
        mean = (np.diff(edges * x) + np.diff(d)) / np.where(mass > 0, mass, 1.0)
        mean = np.where(mass > NO_WEIGHT, np.clip(mean, edges[:-1], edges[1:]), edges[1:])
        pairs += [(float(q), float(above)) for q, above in zip(mean, x[1:], strict=True)]
        if ladder[j + 1] - x[-1] > NO_WEIGHT:
            pairs.append((float(edges[-1]), float(ladder[j + 1])))
    return np.array([q for q, _ in pairs]), np.clip([x for _, x in pairs[:-1]], 0.0, 1.0)
