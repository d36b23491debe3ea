"""What a solution is judged by, as plain numbers: replicons, Phi(k), distances of levels, optimality gap, P(q)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq

from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.potential import certify, mean_potential, potential, potential_slope, search_grid
from mcmc.theory.gaussian_field.stationarity import Stationary
from mcmc.theory.gaussian_field.support import levels_of, phase_name, support_of

EDGE = 1e-4  # share of [q_EA, 1] next to a marginal top, where the potential is flat
FLAT = 1e-10  # a slope below this is rounding


def measure_evidence(measure: ParisiMeasure) -> dict[str, Any]:
    """Facts about one measure at T > 0.

    Keys:
        phase:            see `phase_name`.
        optimality_gap:   no order parameter has a Phi smaller by more than this.
        is_equilibrium:   that gap is zero and no replicon is negative: this is the true solution.
        replicons:        1 - beta^2 D^2 xi'' of every part of the support, the innermost last.
        worst_overlap:    where a further level would be put.
        atoms:            [[q, weight], ...].
        continuous_parts: [{"overlap": [...], "breaking": [...]}, ...], x(q) along each.
        continuous_mass:  their probability.
        plateau:          q_EA, the largest overlap.
        metastable:       other maxima of the potential: [{"overlap", "complexity"}, ...]; for RS these are the 1RSB
                          states that exist below the dynamic temperature, complexity their log number per N_0 at x = 1.
    """
    certificate = certify(measure)
    support = support_of(measure)
    return {
        "phase": phase_name(measure),
        "optimality_gap": certificate.optimality_gap,
        "is_equilibrium": certificate.accepts(),
        "replicons": [float(r) for r in measure.replicons],
        "worst_overlap": certificate.worst_overlap,
        "atoms": [list(atom) for atom in support.atoms],
        "continuous_parts": [
            {"overlap": part.overlap.tolist(), "breaking": part.breaking.tolist()} for part in support.continuous
        ],
        "continuous_mass": support.continuous_mass,
        "plateau": float(measure.upper[-1]),
        "metastable": metastable_states(measure),
    }


def metastable_states(measure: ParisiMeasure) -> list[dict[str, float]]:
    """Local maxima of the potential above the top of the support, below its height.

    Above q_EA x = 1, so that a maximum of f at q_1 solves the 1RSB equations at x = 1, with q_EA in the place of q_0;
    its complexity is -d Phi/d x there, beta^2/2 [f(q_EA) - f(q_1)].
    """
    t = measure.problem.temperature
    top = float(measure.upper[-1])
    q = search_grid(measure)
    q = q[q > top + EDGE * (1 - top)]
    slope = potential_slope(measure, q)
    is_clear = np.abs(slope) > FLAT
    q, slope = q[is_clear], slope[is_clear]
    states = []
    for i in np.flatnonzero((slope[:-1] > 0) & (slope[1:] < 0)):
        overlap = float(brentq(lambda x: float(potential_slope(measure, np.array(x))), q[i], q[i + 1]))
        height = float(potential(measure, np.array(overlap))) - mean_potential(measure)
        states.append({"overlap": overlap, "complexity": -0.5 * height / t**2})
    return states


def ladder_evidence(ladder: Sequence[Stationary]) -> list[dict[str, Any]]:
    """Phi(k), replicons and levels of each number of steps that was solved."""
    rows = []
    for k, solution in enumerate(ladder):
        measure = solution.measure
        levels, points = levels_of(measure)
        rows.append(
            {
                "n_steps": k,
                "free_entropy_density": measure.free_entropy_density,
                "energy_density": measure.energy_density,
                "replicon": float(measure.replicons[-1]),
                "smallest_replicon": float(np.min(measure.replicons)),
                "optimality_gap": certify(measure).optimality_gap,
                "levels": levels.tolist(),
                "level_distances": np.diff(levels).tolist(),
                "breaking_points": points.tolist(),
                "residual": solution.residual,
                "converged": solution.converged,
            }
        )
    return rows
