"""P(q): the law of the overlap of two replicas of one network, taken apart into atoms and continuous parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
NO_WEIGHT = 1e-12
N_MOMENTS = 4


@dataclass(frozen=True)
class ContinuousPart:
    """A stretch on which x(q) = P(overlap <= q) increases continuously; P(q) is its derivative.

    Attributes:
        overlap:  (m,) q from the lower to the upper edge.
        breaking: (m,) x(q) there, increasing; alpha = beta x at T = 0.
    """

    overlap: Array
    breaking: Array

    @property
    def weight(self) -> float:
        """Probability of the part."""
        return float(self.breaking[-1] - self.breaking[0])


@dataclass(frozen=True)
class OverlapLaw:
    """P(q^l) of one layer.

    Attributes:
        atoms:      ((q, weight), ...), increasing in q.
        continuous: the continuous parts, increasing in q.
        moments:    <q>, <q^2>, <q^3>, <q^4>.
    """

    atoms: tuple[tuple[float, float], ...]
    continuous: tuple[ContinuousPart, ...]
    moments: tuple[float, ...]

    @property
    def continuous_mass(self) -> float:
        """Probability of all continuous parts together."""
        return sum(part.weight for part in self.continuous)

    @property
    def plateau(self) -> float:
        """q_EA, the largest overlap: that of two replicas in one pure state."""
        return max([q for q, _ in self.atoms] + [float(part.overlap[-1]) for part in self.continuous])

    @property
    def variance(self) -> float:
        """<q^2> - <q>^2; positive only where replica symmetry is broken."""
        return self.moments[1] - self.moments[0] ** 2


def law_of_levels(levels: Sequence[float], weights: Sequence[float]) -> OverlapLaw:
    """A sum of atoms; equal levels are one atom, and levels of no weight are none."""
    atoms: dict[float, float] = {}
    for q, weight in zip(levels, weights, strict=True):
        atoms[q] = atoms.get(q, 0.0) + weight
    kept = tuple(sorted((float(q), float(w)) for q, w in atoms.items() if w > NO_WEIGHT))
    return OverlapLaw(kept, (), moments_of(levels, weights))


def law_with_continuous_parts(
    atoms: Sequence[Sequence[float]],
    parts: Sequence[dict[str, Any]],
    *,
    input_levels: Sequence[float],
    levels: Sequence[float],
    weights: Sequence[float],
) -> OverlapLaw:
    """P(q^l) from that of the input layer: every layer has the same x, and q^l rises with q^0.

    Args:
        atoms, parts: of the input layer, [[q, weight], ...] and [{"overlap": [...], "breaking": [...]}, ...].
        input_levels, levels: of layer 0 and of layer l, which say how q^l follows q^0.
        weights:      of the levels, for the moments.
    """
    distinct, first = np.unique(np.asarray(input_levels, float), return_index=True)
    images = np.maximum.accumulate(np.asarray(levels, float)[first])

    def image(overlap: Sequence[float] | float) -> Array:
        if len(distinct) == 1:
            return np.asarray(overlap, float) * 0 + images[0]
        result: Array = PchipInterpolator(distinct, images)(np.asarray(overlap, float))
        return result

    return OverlapLaw(
        tuple((float(image(q)), float(weight)) for q, weight in sorted(map(tuple, atoms)) if weight > NO_WEIGHT),
        tuple(ContinuousPart(image(part["overlap"]), np.asarray(part["breaking"], float)) for part in parts),
        moments_of(levels, weights),
    )


def moments_of(levels: Sequence[float], weights: Sequence[float]) -> tuple[float, ...]:
    """<q>, <q^2>, ..., of levels with weights."""
    q = np.asarray(levels, float)
    return tuple(float(np.dot(weights, q**n)) for n in range(1, N_MOMENTS + 1))


def to_json_record(law: OverlapLaw) -> dict[str, Any]:
    """The law in plain Python numbers."""
    return {
        "atoms": [list(atom) for atom in law.atoms],
        "continuous_parts": [
            {"overlap": part.overlap.tolist(), "breaking": part.breaking.tolist()} for part in law.continuous
        ],
        "continuous_mass": float(law.continuous_mass),
        "plateau": float(law.plateau),
        "moments": [float(m) for m in law.moments],
    }
