"""The ground state: the same equations at T = 0, where beta x and beta (1 - q_EA) stay finite.

    -e_0 = min 1/2 [ int_0^1 alpha xi' dq + chi xi'(1) + int_0^1 dq / D(q) ],   D(q) = chi + int_q^1 alpha

over increasing alpha = beta x >= 0 and chi = beta (1 - q_EA) >= 0 [Chen and Sen, Commun. Math. Phys. 350, 129 (2017)].
RS: alpha = 0, e_0 = -sqrt(xi'(1)), stable if and only if xi''(1) <= xi'(1). The entropy density diverges there like
log T: it is the logarithm of a volume.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field.covariance import Covariance
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.structure import solve_exact
from mcmc.theory.gaussian_field.support import phase_name, support_of

HOPELESS_GAP = 1e-4


@dataclass(frozen=True)
class GroundState:
    """The limit beta -> infinity.

    Attributes:
        energy_density:  e_0 = lim min H / N_0.
        energy_error:    estimated error, from the optimality gap, the residual and the covariance.
        phase:           as `phase_name`.
        overlap:         levels (edges of continuous parts included), the last is 1.
        scaled_breaking: beta x between the parts of the support.
        susceptibility:  chi = lim beta (1 - q_EA); 0 if xi''(1) is infinite.
        replicon:        1 - chi^2 xi''(1); 0 at the top of a continuous part.
        evidence:        "optimality_gap" of -e_0, "replicons", "atoms" and "continuous_parts" in beta x, "ladder" of
                         e_0(k), "is_certain" as in `Classification`.
    """

    energy_density: float
    energy_error: float
    phase: str
    overlap: tuple[float, ...]
    scaled_breaking: tuple[float, ...]
    susceptibility: float
    replicon: float
    evidence: dict[str, Any]


def ground_state(covariance: Covariance) -> GroundState:
    """The ground-state energy density and the structure of the lowest states.

    Raises:
        ConvergenceError: no structure was accepted and the bound of the error is above 1e-4 of e_0.
    """
    problem = FieldProblem(covariance, math.inf)
    exact = solve_exact(problem)
    measure, certificate = exact.solution.measure, exact.certificate
    if not exact.accepted and certificate.scaled_gap > HOPELESS_GAP:
        raise ConvergenceError(
            f"{covariance.label}: ground state: no structure accepted with {len(exact.ladder) - 1} steps; the energy "
            f"may be off by {certificate.scaled_gap:.1e} of sqrt(xi'(1)) (residual {exact.solution.residual:.1e}). "
            "Extrapolate the energies of finite beta instead.",
            beta=math.inf,
            residual=exact.solution.residual,
            optimality_gap=certificate.scaled_gap,
        )
    unit = problem.energy_unit
    support = support_of(measure)
    step = exact.solution.step if np.isfinite(exact.solution.step) else 1.0
    error = unit * (certificate.scaled_gap + step * exact.solution.residual + 1e-15)
    return GroundState(
        energy_density=-unit * measure.scaled_free_entropy,
        energy_error=float(error + covariance.error / unit),
        phase=phase_name(measure),
        overlap=tuple(float(q) for q in np.unique(np.concatenate([measure.lower, measure.upper]))),
        scaled_breaking=tuple(float(alpha) / unit for alpha in measure.plateaus),
        susceptibility=measure.chi / unit,
        replicon=float(measure.replicons[-1]),
        evidence={
            "is_certain": exact.accepted,
            "optimality_gap": unit * certificate.scaled_gap,
            "replicons": [float(r) for r in measure.replicons],
            "atoms": [[q, weight / unit] for q, weight in support.atoms],
            "continuous_parts": [
                {"overlap": part.overlap.tolist(), "scaled_breaking": (part.breaking / unit).tolist()}
                for part in support.continuous
            ],
            "ladder": [
                {
                    "n_steps": k,
                    "energy_density": -unit * s.measure.scaled_free_entropy,
                    "replicon": float(s.measure.replicons[-1]),
                    "converged": s.converged,
                }
                for k, s in enumerate(exact.ladder)
            ],
        },
    )
