"""Full replica symmetry breaking: the limit k -> infinity of k-step solutions, with what the last steps still change.

The steps are placed along the curve x(q), so that Phi_k - Phi falls like k^-4 and the replicons of all levels like
-k^-2: that they vanish is the certificate of marginality.
"""

from dataclasses import replace

import numpy as np

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.equations import energy, free_entropy, replicon_pivots
from mcmc.theory.rsb.fixed_breaking import KStepPoint, KStepSolver
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.k_step import add_steps, check_beta, follow_steps, lowest_pivots, to_solution
from mcmc.theory.rsb.profile import overlap_profile
from mcmc.theory.saddle import SaddlePoint

ORDER = 4  # of Phi_k - Phi in 1/k
MARGINAL = 0.6  # the largest replicon must shrink at least to this share when k is doubled (1/4 is expected)
RISE = 1e-8  # of Phi with k, more than the grids leave


def solve_full(
    model: TheoryModel,
    beta: float,
    *,
    n_steps: int = 20,
    symmetric: SaddlePoint | None = None,
    start: KStepPoint | None = None,
    grid: RsbGrid | None = None,
    tol: float = 1e-9,
    max_iter: int = 400,
) -> BrokenSolution:
    """The full-RSB solution: k = n_steps levels, Phi and e extrapolated from k/2 and k.

    `overlap` holds the levels of q_l(x) between the breaking points, the last one the plateau q_EA; `evidence` holds
    "phi_of_k" and "replicon_of_k" (k, value), "marginal", and "x_min", "x_max", "continuous_mass", the mass of the
    continuous part of P(q), "atoms" and "continuous_parts" of P(q^0) as the Gaussian field has them, "largest_jump"
    (the largest step of q_0 over the mean one), "n_steps".

    Args:
        n_steps: the largest k, even, at least 8.
    Raises:
        UsageError:       beta <= 0 or n_steps < 8 or odd.
        ConvergenceError: replica symmetry holds, or steps found no solution.
    """
    check_beta(beta)
    if n_steps < 8 or n_steps % 2:
        raise UsageError(f"full RSB: expected an even number of steps >= 8, found {n_steps}.", n_steps=n_steps)
    saddle = symmetric or solve_rs(model, beta)
    solver = KStepSolver(model, beta, grid=grid, tol=tol, max_iter=max_iter)
    points = follow_steps(solver, saddle, min(5, n_steps // 2), start=start)
    return full_from(solver, points, n_steps)


def full_from(solver: KStepSolver, points: list[KStepPoint], n_steps: int) -> BrokenSolution:
    """As `solve_full`, from optimised solutions with fewer steps (at most n_steps / 2, the last one the most)."""
    model, beta = solver.model, solver.beta
    half = n_steps // 2
    if len(points[-1].x) < half:
        points = [*points, add_steps(solver, points[-1], half)]
    points = [*points, add_steps(solver, points[-1], n_steps)]
    passes = [solver.evaluate(p.unknowns, p.x, p.grids, second=True) for p in points]
    phi = [free_entropy(model, result) for result in passes]
    worst = [min(lowest_pivots(replicon_pivots(model, result))) for result in passes]
    e = [energy(beta, result) for result in passes]
    if phi[-1] > min(phi) + RISE:
        raise ConvergenceError(
            f"full RSB at beta={beta:g}: Phi rises by {phi[-1] - min(phi):.1e} to {n_steps} steps, where it must fall: "
            "the steps do not lie on one continuous curve. Use classify, which tells where it jumps.",
            beta=beta,
            residual=phi[-1] - min(phi),
        )
    weight = 1 / (2**ORDER - 1)
    phi_step, e_step = (phi[-1] - phi[-2]) * weight, (e[-1] - e[-2]) * weight
    marginal = worst[-1] > MARGINAL * worst[-2] if worst[-2] < 0 else worst[-1] > worst[-2] - 1e-6
    profile, rises = overlap_profile(points[-1]), np.diff(passes[-1].overlap[0])
    solution = to_solution(solver, points[-1], ansatz="full")
    steps = [len(p.x) for p in points]
    return replace(
        solution,
        free_entropy_density=phi[-1] + phi_step,
        energy_density=e[-1] + e_step,
        entropy_density=phi[-1] + phi_step + beta * (e[-1] + e_step),
        stable=marginal,
        # the difference of the last two k bounds the limit from both sides; the extrapolation uses a fifteenth of it
        free_entropy_error=solution.free_entropy_error + abs(phi[-1] - phi[-2]),
        energy_error=solution.energy_error + abs(e[-1] - e[-2]),
        evidence={
            **solution.evidence,
            "n_steps": n_steps,
            "phi_of_k": list(zip(steps, phi, strict=True)),
            "replicon_of_k": list(zip(steps, worst, strict=True)),
            "marginal": marginal,
            "x_min": float(profile.x[0]),
            "x_max": float(profile.x[-1]),
            "continuous_mass": profile.continuous_mass,
            "atoms": [
                [float(profile.overlap[0]), float(profile.x[0])],
                [float(profile.overlap[-1]), float(1 - profile.x[-1])],
            ],
            "continuous_parts": [{"overlap": profile.overlap.tolist(), "breaking": profile.x.tolist()}],
            "largest_jump": float(np.max(rises) / np.mean(rises)),
        },
    )
