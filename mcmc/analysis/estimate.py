"""Numbers with their errors: averages over networks of averages within networks."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from mcmc.errors import InsufficientDataError


@dataclass(frozen=True)
class Estimate:
    """A disorder average.

    Attributes:
        value:      mean over networks.
        stderr:     its standard error, from the scatter of the networks: it holds the quenched fluctuations and the
                    sampling noise of every network at once, and needs no autocorrelation time.
        n_networks: how many.
    """

    value: float
    stderr: float
    n_networks: int

    def n_sigma(self, expected: float) -> float | None:
        """(value - expected) / stderr; None if there is no scatter to judge by."""
        return (self.value - expected) / self.stderr if self.stderr > 0 else None

    def bound(self, n_sigma: float) -> float:
        """How many stderr have the tail of n_sigma: Student's t, because few networks know their own error badly."""
        return float(t.isf(norm.sf(n_sigma), self.n_networks - 1))

    def agrees(self, expected: float, *, n_sigma: float = 3.0) -> bool:
        """True within `bound(n_sigma)` errors; without scatter, if equal up to rounding."""
        distance = self.n_sigma(expected)
        if distance is None:
            return math.isclose(self.value, expected, rel_tol=1e-9, abs_tol=1e-12)
        return abs(distance) <= self.bound(n_sigma)


def network_average(per_network: np.ndarray) -> Estimate:
    """Mean and standard error of independent networks: (D,) -> Estimate.

    Raises:
        InsufficientDataError: fewer than two networks, so that there is no error to give.
    """
    per_network = np.asarray(per_network, dtype=np.float64)
    if len(per_network) < 2:
        raise InsufficientDataError(
            f"an error needs at least 2 networks, found {len(per_network)}: set model.n_networks higher.",
            n_networks=len(per_network),
        )
    stderr = float(per_network.std(ddof=1) / np.sqrt(len(per_network)))
    return Estimate(float(per_network.mean()), stderr, len(per_network))


def controlled_average(per_network: np.ndarray, control: np.ndarray) -> Estimate:
    """Network average with a control variate of mean zero: y - c z, with c the regression of y on z.

    The control of this project is the difference of the two sides of identity A (equations.md, section 2). One fitted
    number costs one degree of freedom; with fewer than 8 networks the plain average is returned.
    """
    y, z = np.asarray(per_network, dtype=np.float64), np.asarray(control, dtype=np.float64)
    spread = float(((z - z.mean()) ** 2).sum())
    if len(y) < 8 or spread <= 1e-24 * float((z**2).sum()):  # a constant, up to rounding, controls nothing
        return network_average(y)
    slope = float(((y - y.mean()) * (z - z.mean())).sum()) / spread
    residual = y - slope * z
    n = len(y)
    # the intercept of a regression on z at z = 0: its variance grows with the distance of mean(z) from 0
    variance = float(((residual - residual.mean()) ** 2).sum()) / (n - 2)
    stderr = float(np.sqrt(variance * (1 / n + z.mean() ** 2 / spread)))
    return Estimate(float(residual.mean()), stderr, n)
