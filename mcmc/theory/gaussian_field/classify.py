"""Which phase a temperature is in, with the evidence: RS, 1RSB, 2RSB, ..., full RSB, 1RSB + full.

The phase is read off the support of the unique minimum of Phi over all x(q), so that a discontinuous 1RSB (x near 1,
q_1 far from q_0) is found where RS is locally stable: its potential f has a second maximum, higher than that at q_0.
"""

from dataclasses import dataclass
from typing import Any

from mcmc.theory.broken import BrokenSolution
from mcmc.theory.gaussian_field.covariance import Covariance
from mcmc.theory.gaussian_field.solve import solve


@dataclass(frozen=True)
class Classification:
    """A phase and why.

    Attributes:
        phase:    "RS" | "1RSB" | "2RSB" ... | "full RSB" | "1RSB + full" ...
        solution: the solution it was read off.
        is_certain: the optimality gap of the solution is zero to rounding and no replicon is negative. If False, no
                  structure passed; the phase is that of the last number of steps, and `optimality_gap` bounds its Phi.
    """

    phase: str
    solution: BrokenSolution
    is_certain: bool

    @property
    def evidence(self) -> dict[str, Any]:
        """See `evidence.measure_evidence`; "ladder" has Phi, replicons and level distances for each k."""
        return self.solution.evidence

    def __str__(self) -> str:
        return self.phase


def classify(covariance: Covariance, beta: float, *, ladder_steps: int = 3) -> Classification:
    """The phase at one inverse temperature, finite and >= 0; arguments and errors as `solve`."""
    solution = solve(covariance, beta, ansatz="auto", ladder_steps=ladder_steps)
    return Classification(solution.evidence["phase"], solution, bool(solution.evidence["is_equilibrium"]))
