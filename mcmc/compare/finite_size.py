"""What the delta functions of P(q) look like at finite N_0: Gaussians of predicted, or else fitted, width."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from mcmc.analysis.measured import OverlapLaw
from mcmc.compare.prediction import Prediction
from mcmc.errors import ConvergenceError, QuadratureError
from mcmc.theory.fluctuations import overlap_fluctuations
from mcmc.theory.model import TheoryModel

GINZBURG_MINIMUM = 20.0
# Gaussian fluctuations hold for N_0 lambda^3 >> 1, lambda the smallest pivot of the stability (the cubic vertex of the
# replicated action enters as 1/(N_0 lambda^3)); at 20 the width is right within about 5 % (sin, N_0 = 64 to 128)
MAX_OWN_WIDTHS = 4  # more levels than this share one fitted width: they stand for a continuous part
LEAST_PROBABILITY = 1e-12  # of a bin, in the likelihood of a width


@dataclass(frozen=True)
class OverlapKernel:
    """The law of q^l at finite N_0, for every layer: a Gaussian around each level.

    Attributes:
        centre: (L+1, k+1) levels q^l[i] of the prediction.
        weight: (k+1,) probability of each.
        width:  (L+1, k+1) standard deviation over replicas and networks.
        origin: "predicted" (Gaussian fluctuations around a stable replica-symmetric saddle point) or "fitted" (to what
            was measured), where there are several levels or N_0 is too small for Gaussian fluctuations around one.
    """

    centre: np.ndarray
    weight: np.ndarray
    width: np.ndarray
    origin: str

    def distribution(self, q: np.ndarray, layer: int) -> np.ndarray:
        """Probability of an overlap below each q, (B,) -> (B,)."""
        return norm.cdf(np.asarray(q)[:, None], self.centre[layer], self.width[layer]) @ self.weight

    def bin_probability(self, edges: np.ndarray, layer: int) -> np.ndarray:
        """Probability of each bin between the edges, (B+1,) -> (B,)."""
        return np.diff(self.distribution(edges, layer))

    @property
    def total_width(self) -> np.ndarray:
        """(L+1,) standard deviation of the whole law: that of the levels and their widths together."""
        mean = self.centre @ self.weight
        return np.sqrt(((self.centre - mean[:, None]) ** 2 + self.width**2) @ self.weight)


def overlap_kernel(
    model: TheoryModel,
    prediction: Prediction,
    n_inputs: int,
    *,
    measured_width: np.ndarray,
    laws: Sequence[OverlapLaw],
) -> OverlapKernel:
    """The kernel with its predicted width; fitted where symmetry is broken or `GINZBURG_MINIMUM` is not reached.

    Args:
        measured_width: (L+1,) standard deviations, for a single level of unknown width.
        laws:           (L+1,) measured laws, for the widths of several levels.
    """
    levels, weights = prediction.levels, prediction.weights
    if prediction.solution is not None:
        width = np.stack([fitted_widths(law, q, weights) for law, q in zip(laws, levels, strict=True)])
        return OverlapKernel(levels, weights, width, "fitted")
    fitted = OverlapKernel(levels, weights, np.asarray(measured_width, dtype=float)[:, None], "fitted")
    saddle = prediction.symmetric
    if min(saddle.pivots) <= 0 or n_inputs * min(saddle.pivots) ** 3 < GINZBURG_MINIMUM:
        return fitted
    try:
        variance = np.array(overlap_fluctuations(model, saddle).total) / n_inputs
    except (ConvergenceError, QuadratureError):
        return fitted
    return OverlapKernel(levels, weights, np.sqrt(variance)[:, None], "predicted")


def fitted_widths(law: OverlapLaw, levels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Widths of Gaussians of given centres and weights at the maximum likelihood of a measured law, (k+1,).

    Up to `MAX_OWN_WIDTHS` levels have a width each; more share one.
    """
    bins = np.diff(law.edges)
    mass = law.density * bins
    n_widths = len(levels) if len(levels) <= MAX_OWN_WIDTHS else 1

    def expand(log_width: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.exp(log_width), levels.shape)

    def cost(log_width: np.ndarray) -> float:
        below = norm.cdf(law.edges[:, None], levels, expand(log_width)) @ weights
        return -float(mass @ np.log(np.diff(below) + LEAST_PROBABILITY))

    total = max(mass.sum(), LEAST_PROBABILITY)
    mean, spread = float(mass @ law.centres) / total, float((levels - weights @ levels) ** 2 @ weights)
    variance = float(mass @ (law.centres - mean) ** 2) / total - spread
    narrowest, widest = np.log(0.5 * bins.min()), np.log(law.edges[-1] - law.edges[0])
    start = 0.5 * np.log(max(variance, np.exp(2 * narrowest)))
    best = minimize(
        cost, np.full(n_widths, start), method="L-BFGS-B", bounds=[(float(narrowest), float(widest))] * n_widths
    )
    return expand(best.x).copy()
