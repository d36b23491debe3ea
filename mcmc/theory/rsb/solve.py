"""The front door at finite width ratios: a model, a temperature and the name of an ansatz in, a solution out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcmc.errors import QuadratureError
from mcmc.theory import broken, saddle
from mcmc.theory.ansatz import check_ansatz, phase_name
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.convexity import require_convex
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb.classify import classify
from mcmc.theory.rsb.full import solve_full
from mcmc.theory.rsb.k_step import solve_k_step
from mcmc.theory.saddle import SaddlePoint

Solution = SaddlePoint | BrokenSolution


@dataclass(frozen=True)
class PhaseSolution:
    """A solution and the phase that it describes.

    Attributes:
        solution: of the ansatz.
        phase:    "RS", "1RSB", "2RSB", ..., "full RSB": for "auto" the verdict, otherwise what was asked for.
        evidence: of the verdict, None unless the ansatz was "auto".
    """

    solution: Solution
    phase: str
    evidence: dict[str, Any] | None = None


def solve(model: TheoryModel, beta: float, *, ansatz: str = "auto", n_steps: int | None = None) -> PhaseSolution:
    """The solution of one ansatz at one temperature.

    Args:
        ansatz:  "rs", "1rsb", "krsb" (with n_steps = k), "full", or "auto": whatever describes the equilibrium.
        n_steps: k >= 1 of "krsb".
    Raises:
        UsageError:       unknown ansatz, n_steps without "krsb" or the reverse, beta out of range.
        ConvergenceError: no solution of that ansatz; beta, residual.
        QuadratureError:  an average does not exist or is not resolved; beta, layer.
    """
    return solve_curve(model, [beta], ansatz=ansatz, n_steps=n_steps)[0]


def solve_curve(
    model: TheoryModel, betas: Sequence[float], *, ansatz: str = "auto", n_steps: int | None = None
) -> list[PhaseSolution]:
    """Solutions at these inverse temperatures, in the order given.

    Replica-symmetric ones must have reached the tolerance of their quadrature; those of "auto" and "full" must lie on
    one convex Phi(beta) of slope -e (see `require_convex`).
    Raises:
        as `solve`; ConvergenceError also where neighbours are on different branches, QuadratureError where Phi, e or
        an overlap is not known to the tolerance.
    """
    check_ansatz(ansatz, n_steps)
    if ansatz == "rs":
        return [PhaseSolution(require_resolved(model, s), "RS") for s in solve_rs_curve(model, betas)]
    solved = {beta: _solve(model, beta, ansatz, n_steps) for beta in sorted(set(betas))}
    if ansatz in ("auto", "full"):
        require_convex(model.label, [found.solution for found in solved.values()])
    return [solved[beta] for beta in betas]


def _solve(model: TheoryModel, beta: float, ansatz: str, n_steps: int | None) -> PhaseSolution:
    if ansatz == "auto":
        found = classify(model, beta)
        solution = found.solution or require_resolved(model, found.symmetric)
        return PhaseSolution(solution, found.label, found.evidence)
    solution = solve_full(model, beta) if ansatz == "full" else solve_k_step(model, beta, n_steps or 1)
    return PhaseSolution(solution, phase_name(solution.ansatz))


def require_resolved(model: TheoryModel, saddle: SaddlePoint) -> SaddlePoint:
    """The saddle point, if its quadrature reached the tolerance (pivots may miss theirs: the record says so).

    Raises:
        QuadratureError: beta, residual, quadrature_error, tol.
    """
    error, tol = saddle.quadrature_error, saddle.quadrature.tol
    if error <= tol:
        return saddle
    raise QuadratureError(
        f"{model.label}: RS saddle point at beta={saddle.beta:g}: Phi, e or an overlap of layers 1 ... {model.depth} "
        f"may be off by {error:.1e} (wanted <= {tol:.0e}) after every refinement allowed; residual "
        f"{saddle.residual:.1e}. Use a smaller beta, or ask solve_rs for a larger Quadrature.tol.",
        beta=saddle.beta,
        residual=saddle.residual,
        quadrature_error=error,
        tol=tol,
    )


def to_json_record(found: PhaseSolution) -> dict[str, Any]:
    """The record of the solution; under "auto" its "ansatz" is the verdict, with "phase" and "evidence" beside it."""
    if isinstance(found.solution, SaddlePoint):
        record = saddle.to_json_record(found.solution)
    else:
        record = broken.to_json_record(found.solution)
    if found.evidence is None:
        return record
    evidence = {**record.get("evidence", {}), **broken.plain(found.evidence)}
    return {**record, "ansatz": found.phase, "phase": found.phase, "evidence": evidence}
