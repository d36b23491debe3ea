"""The solution of the saddle-point equations at one beta, and how it is written to files."""

from dataclasses import dataclass
from typing import Any

from mcmc.theory import overlap_law
from mcmc.theory.overlap_law import OverlapLaw, law_of_levels
from mcmc.theory.quadrature import Quadrature


@dataclass(frozen=True)
class SaddlePoint:
    """A replica-symmetric saddle point (equations.md, sections 4 and 5), all densities per input N_0.

    Attributes:
        beta:                   inverse temperature.
        overlap:                (q_0, q_1, ..., q_L), between two replicas.
        self_overlap:           (1, r_1, ..., r_L).
        conjugate_overlap:      (S_1, ..., S_L); S_L = beta^2 / alpha_L.
        conjugate_self_overlap: (R_1, ..., R_L); R_L = S_L.
        free_entropy_density:   Phi = lim (1/N_0) E log Z.
        energy_density:         e = -beta (r_L - q_L).
        energy_density_readout: e = -sqrt(alpha_L) E[y <phi>], the second route; must agree with the first.
        entropy_density:        s = Phi + beta e.
        pivots:                 1 - C_l g_l for l = 1 ... L-1, then lambda = 1 - (1 - q_0)^2 g_0 last.
        stable:                 every pivot is positive; a discontinuous breaking (1RSB at a finite jump) does not show.
        residual:               largest relative change of an order parameter under one more iteration.
        quadrature_error:       estimated error of Phi, e, q_l, r_l (the largest) from halving every step of the rules.
        pivot_error:            the same for the pivots p, as |change| / (1 + p^2): lambda has poles.
        n_iter:                 evaluations of the saddle-point equations, continuation included.
        quadrature:             the rules that the numbers were computed with.
    """

    beta: float
    overlap: tuple[float, ...]
    self_overlap: tuple[float, ...]
    conjugate_overlap: tuple[float, ...]
    conjugate_self_overlap: tuple[float, ...]
    free_entropy_density: float
    energy_density: float
    energy_density_readout: float
    entropy_density: float
    pivots: tuple[float, ...]
    stable: bool
    residual: float
    quadrature_error: float
    pivot_error: float
    n_iter: int
    quadrature: Quadrature

    @property
    def resolved(self) -> bool:
        """The quadrature reached its tolerances; if False, trust no more digits than the estimated errors leave."""
        return self.quadrature_error <= self.quadrature.tol and self.pivot_error <= self.quadrature.pivot_tol

    @property
    def free_entropy_error(self) -> float:
        """Estimated numerical error of Phi: the quadrature's."""
        return self.quadrature_error

    @property
    def energy_error(self) -> float:
        """Estimated numerical error of e: the quadrature's, or what the two routes differ by."""
        return max(self.quadrature_error, abs(self.energy_density - self.energy_density_readout))

    def overlap_law(self, layer: int = 0) -> OverlapLaw:
        """P(q^l) = delta(q^l - q_l)."""
        return law_of_levels((self.overlap[layer],), (1.0,))


def to_json_record(saddle: SaddlePoint) -> dict[str, Any]:
    """The saddle point in plain Python numbers, ready for json.dumps."""
    return {
        "beta": float(saddle.beta),
        "ansatz": "rs",
        "free_entropy_density": float(saddle.free_entropy_density),
        "energy_density": float(saddle.energy_density),
        "entropy_density": float(saddle.entropy_density),
        "overlap": [float(q) for q in saddle.overlap],
        "self_overlap": [float(r) for r in saddle.self_overlap],
        "pivots": [float(p) for p in saddle.pivots],
        "stable": bool(saddle.stable),
        "residual": float(saddle.residual),
        "energy_density_readout": float(saddle.energy_density_readout),
        "quadrature_error": float(saddle.quadrature_error),
        "pivot_error": float(saddle.pivot_error),
        "resolved": bool(saddle.resolved),
        "n_iter": int(saddle.n_iter),
        "overlap_law": [overlap_law.to_json_record(saddle.overlap_law(i)) for i in range(len(saddle.overlap))],
    }
