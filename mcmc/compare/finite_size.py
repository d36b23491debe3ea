"""What a delta function of P(q) looks like at finite N_0: a Gaussian of predicted, or else fitted, width."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from mcmc.errors import ConvergenceError, QuadratureError
from mcmc.theory.fluctuations import overlap_fluctuations
from mcmc.theory.model import TheoryModel
from mcmc.theory.saddle import SaddlePoint

GINZBURG_MINIMUM = 20.0
# Gaussian fluctuations hold for N_0 lambda^3 >> 1, lambda the smallest pivot of the stability (the cubic vertex of the
# replicated action enters as 1/(N_0 lambda^3)); at 20 the width is right within about 5 % (sin, N_0 = 64 to 128)


@dataclass(frozen=True)
class OverlapKernel:
    """The law of q^l at finite N_0 around the RS value, for every layer.

    Attributes:
        centre: (L+1,) q_l of the saddle point.
        width:  (L+1,) standard deviation over replicas and networks.
        origin: "predicted" (Gaussian fluctuations around the saddle point) or "fitted" (to the measured width), where
            the saddle point is unstable or N_0 too small for Gaussian fluctuations around it.
    """

    centre: np.ndarray
    width: np.ndarray
    origin: str

    def bin_probability(self, edges: np.ndarray, layer: int) -> np.ndarray:
        """Probability of each bin between the edges, (B+1,) -> (B,)."""
        return np.diff(norm.cdf(edges, self.centre[layer], self.width[layer]))


def overlap_kernel(model: TheoryModel, saddle: SaddlePoint, n_inputs: int, measured_width: np.ndarray) -> OverlapKernel:
    """The kernel with its predicted width, or a fitted one where `GINZBURG_MINIMUM` is not reached.

    Args:
        measured_width: (L+1,) standard deviations to fall back on.
    """
    centre = np.array(saddle.overlap)
    if min(saddle.pivots) <= 0 or n_inputs * min(saddle.pivots) ** 3 < GINZBURG_MINIMUM:
        return OverlapKernel(centre, np.asarray(measured_width), "fitted")
    try:
        variance = np.array(overlap_fluctuations(model, saddle).total) / n_inputs
    except (ConvergenceError, QuadratureError):
        return OverlapKernel(centre, np.asarray(measured_width), "fitted")
    return OverlapKernel(centre, np.sqrt(variance), "predicted")
