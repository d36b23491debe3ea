"""A solution with broken replica symmetry, of any model of this package, and how it is written to files.

    x(q) = P(overlap <= q),   levels q[0] <= ... <= q[k],   0 = x_0 < x_1 <= ... <= x_k <= x_{k+1} = 1
    P(q^l) = sum_i (x_{i+1} - x_i) delta(q^l - q^l[i])

All layers share the breaking points. A continuous part of P(q) is represented by many levels, each at the mean overlap
of its share; what is exact about it is in `evidence`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcmc.theory import overlap_law
from mcmc.theory.overlap_law import OverlapLaw, law_of_levels, law_with_continuous_parts


@dataclass(frozen=True)
class BrokenSolution:
    """A k-step or full solution at one beta, all densities per input N_0.

    Attributes:
        beta:                 inverse temperature.
        ansatz:               "rs", "1rsb", "2rsb", ... or "full" (P(q) has a continuous part).
        overlap:              for each layer 0 ... L, the levels q^l[0] ... q^l[k].
        self_overlap:         (1, r_1, ..., r_L).
        breaking_points:      (x_1, ..., x_k).
        free_entropy_density: Phi.
        energy_density:       e = -d Phi / d beta.
        entropy_density:      s = Phi + beta e.
        replicon:             innermost replicon lambda; 0 at the top of a continuous part.
        stable:               no replicon of this solution is negative.
        residual:             largest stationarity equation left.
        free_entropy_error:   estimated numerical error of Phi within this ansatz.
        energy_error:         the same of e.
        pivots:               pivots of the hidden layers, then the replicon last; empty means (replicon,).
        evidence:             what the solution was judged by; plain numbers, strings, lists and dicts.
    """

    beta: float
    ansatz: str
    overlap: tuple[tuple[float, ...], ...]
    self_overlap: tuple[float, ...]
    breaking_points: tuple[float, ...]
    free_entropy_density: float
    energy_density: float
    entropy_density: float
    replicon: float
    stable: bool
    residual: float
    free_entropy_error: float
    energy_error: float
    pivots: tuple[float, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert len({len(levels) for levels in self.overlap}) == 1, "every layer has the same number of levels"
        assert len(self.overlap[0]) == len(self.breaking_points) + 1, "k breaking points separate k + 1 levels"
        assert len(self.self_overlap) == len(self.overlap), "one self-overlap per layer, the input included"

    @property
    def n_steps(self) -> int:
        """k, the number of breaking points."""
        return len(self.breaking_points)

    @property
    def weights(self) -> tuple[float, ...]:
        """x_{i+1} - x_i, the probability of each level."""
        return tuple(float(w) for w in np.diff([0.0, *self.breaking_points, 1.0]))

    def overlap_moment(self, order: int, layer: int = 0) -> float:
        """int dq^l P(q^l) (q^l)^order."""
        return float(np.dot(self.weights, np.asarray(self.overlap[layer]) ** order))

    def overlap_law(self, layer: int = 0) -> OverlapLaw:
        """P(q^l): the levels with their weights, or the atoms and continuous parts that they stand for."""
        parts = self.evidence.get("continuous_parts")
        if not parts:
            return law_of_levels(self.overlap[layer], self.weights)
        return law_with_continuous_parts(
            self.evidence["atoms"],
            parts,
            input_levels=self.overlap[0],
            levels=self.overlap[layer],
            weights=self.weights,
        )


def to_json_record(solution: BrokenSolution) -> dict[str, Any]:
    """The solution in plain Python numbers, ready for json.dumps; the keys of `saddle.to_json_record` and more."""
    return {
        "beta": float(solution.beta),
        "ansatz": solution.ansatz,
        "free_entropy_density": float(solution.free_entropy_density),
        "energy_density": float(solution.energy_density),
        "entropy_density": float(solution.entropy_density),
        "overlap": [[float(q) for q in levels] for levels in solution.overlap],
        "self_overlap": [float(r) for r in solution.self_overlap],
        "breaking_points": [float(x) for x in solution.breaking_points],
        "pivots": [float(p) for p in solution.pivots or (solution.replicon,)],
        "stable": bool(solution.stable),
        "residual": float(solution.residual),
        "replicon": float(solution.replicon),
        "free_entropy_error": float(solution.free_entropy_error),
        "energy_error": float(solution.energy_error),
        "overlap_law": [overlap_law.to_json_record(solution.overlap_law(i)) for i in range(len(solution.overlap))],
        "evidence": plain(solution.evidence),
    }


def plain(content: Any) -> Any:
    """Without numpy types, which json.dumps refuses."""
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [plain(value) for value in content]
    if isinstance(content, np.ndarray):
        return plain(content.tolist())
    if isinstance(content, np.generic):
        return content.item()
    return content
