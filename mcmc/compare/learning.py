"""The Gibbs measure over weights beside the theory of independent perturbations.

The theory maximises L S(eps) - alpha L eps over perturbations that are independent from layer to layer. In the true
measure a layer can make up for the errors of the one before: what is measured at the same overlaps R_l is a smaller
error. `error_at_overlap`, the error that the recursion gives at the measured R_l, tells the two apart.
"""

import math
from dataclasses import dataclass

import numpy as np

from mcmc.analysis.estimate import Estimate, network_average
from mcmc.run.learning import LearningDraws
from mcmc.theory.function_space.max_entropy import perturbation_at_inverse_temperature
from mcmc.theory.function_space.max_entropy_binary import flips_at_inverse_temperature
from mcmc.theory.function_space.overlap import overlap_profile, weight_correlation


@dataclass(frozen=True)
class LearningPoint:
    """One temperature.

    Attributes:
        inverse_temperature: alpha.
        error:            <eps>, over teachers.
        overlap:          R_l, hidden units matched, one estimate a layer.
        drift:            second half of the draws minus the first, of eps: not zero where the chains still travel.
        theory_error:     eps* of independent perturbations; 1/2 where nothing is learnt.
        theory_overlap:   kappa_l of that perturbation, the R_l that it predicts.
        error_at_overlap: error that independent perturbations of the measured R_l would have.
    """

    inverse_temperature: float
    error: Estimate
    overlap: tuple[Estimate, ...]
    drift: Estimate
    theory_error: float
    theory_overlap: tuple[float, ...]
    error_at_overlap: Estimate

    @property
    def excess(self) -> float:
        """Measured error minus that of independent perturbations with the same overlaps, in units of its stderr."""
        return (self.error.value - self.error_at_overlap.value) / math.hypot(
            self.error.stderr, self.error_at_overlap.stderr
        )


def compare_learning(draws: LearningDraws) -> list[LearningPoint]:
    """Every temperature of the ladder; errors are over teachers.

    Raises:
        InsufficientDataError: fewer than two teachers.
    """
    system = draws.simulation.system
    depth = draws.overlap.shape[-1]
    is_binary = bool(getattr(system, "is_binary", False))
    half = len(draws.error) // 2
    points = []
    for k, alpha in enumerate(draws.simulation.ladder.betas):
        error, overlap = draws.error[:, :, k], draws.overlap[:, :, k]
        by_network = overlap.mean((0, 2))  # (D, L)
        at_overlap = [_error_at(is_binary, row) for row in by_network]
        theory = _theory(is_binary, alpha, depth)
        points.append(
            LearningPoint(
                inverse_temperature=alpha,
                error=network_average(error.mean((0, 2))),
                overlap=tuple(network_average(layer) for layer in by_network.T),
                drift=network_average(error[half:].mean((0, 2)) - error[:half].mean((0, 2))),
                theory_error=theory[0],
                theory_overlap=theory[1],
                error_at_overlap=network_average(np.array(at_overlap)),
            )
        )
    return points


def _error_at(is_binary: bool, overlap: np.ndarray) -> float:
    kept = np.clip(overlap, 0.0, 1.0)
    if is_binary:
        return overlap_profile("binary", tuple((1 - kept) / 2)).error
    return overlap_profile("continuous", tuple(np.sqrt((1 - kept) * (1 + kept)))).error


def _theory(is_binary: bool, alpha: float, depth: int) -> tuple[float, tuple[float, ...]]:
    if alpha == 0:
        return 0.5, (0.0,) * depth
    if is_binary:
        flips = flips_at_inverse_temperature(alpha, depth)
        if flips is None:
            return 0.0, (1.0,) * depth
        return flips.error, tuple(float(r) for r in weight_correlation("binary", flips.perturbation.tolist()))
    point = perturbation_at_inverse_temperature(alpha, depth)
    if point is None:
        return 0.5, (0.0,) * depth
    return point.error, tuple(float(r) for r in weight_correlation("continuous", point.perturbation.tolist()))
