"""Errors of functions of network averages, by drawing the networks again (equations.md, section 8)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcmc.analysis.estimate import Estimate
from mcmc.errors import InsufficientDataError

N_RESAMPLES = 1000  # the error of an error: 1/sqrt(2 N) = 2 %
SEED = 20250331  # of every bootstrap here: the same file gives the same digits
MIN_NETWORKS = 4
MIN_NETWORKS_CONTROL = 8  # as `estimate.controlled_average`


@dataclass(frozen=True)
class Resampled:
    """A statistic of all networks, and of every resample of them.

    Attributes:
        value:      (...) from the networks as they are.
        resamples:  (B, ...) raw, one a resample; resample b holds the same networks in every statistic of one
                    `NetworkBootstrap`, so that functions of several statistics are taken row by row.
        n_networks: D.
    """

    value: np.ndarray
    resamples: np.ndarray
    n_networks: int

    @property
    def deviations(self) -> np.ndarray:
        """(B, ...) resamples minus value times sqrt(D/(D-1)), which makes their variance unbiased for a mean."""
        return (self.resamples - self.value) * np.sqrt(self.n_networks / (self.n_networks - 1))

    @property
    def stderr(self) -> np.ndarray:
        """(...) standard deviation of `deviations`."""
        return self.deviations.std(0, ddof=1)

    def band(self, probability: float = 0.683) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper percentiles of the raw resamples, pointwise."""
        tail = 0.5 * (1 - probability)
        lower, upper = np.quantile(self.resamples, [tail, 1 - tail], axis=0)
        return lower, upper

    def estimate(self) -> Estimate:
        """The scalar with its standard error."""
        return Estimate(float(self.value), float(self.stderr), self.n_networks)


class NetworkBootstrap:
    """Resamples of the networks, drawn once and used for every statistic.

    The unit that is drawn is the network: chains and draws of one network share its weights and are no independent
    evidence about the ensemble.

    Attributes:
        weights: (B, D) share of each network in each resample; rows sum to 1.
    """

    def __init__(self, n_networks: int, *, n_resamples: int = N_RESAMPLES, seed: int = SEED):
        """Raises InsufficientDataError with fewer than MIN_NETWORKS networks."""
        if n_networks < MIN_NETWORKS:
            raise InsufficientDataError(
                f"a bootstrap over networks needs at least {MIN_NETWORKS} of them, found {n_networks}: "
                "set model.n_networks higher.",
                n_networks=n_networks,
            )
        counts = np.random.default_rng(seed).multinomial(
            n_networks, np.full(n_networks, 1 / n_networks), size=n_resamples
        )
        self.weights = counts / n_networks

    @property
    def n_networks(self) -> int:
        return self.weights.shape[1]

    def estimate(self, statistic: Callable[..., np.ndarray], *per_network: np.ndarray) -> Resampled:
        """statistic(mean over networks of each argument), for the networks as they are and for every resample.

        Args:
            statistic:   acts on arrays (..., shape of one network) whatever stands in front.
            per_network: (D, ...) each.
        """
        values = [np.asarray(array, dtype=np.float64) for array in per_network]
        value = statistic(*(array.mean(0) for array in values))
        resamples = statistic(*(np.tensordot(self.weights, array, 1) for array in values))
        return Resampled(np.asarray(value), np.asarray(resamples), self.n_networks)

    def mean(self, per_network: np.ndarray) -> Resampled:
        """Plain network average of (D, ...)."""
        return self.estimate(lambda mean: mean, per_network)

    def controlled(self, per_network: np.ndarray, control: np.ndarray) -> Resampled:
        """Network average y - c z of (D,), with the slope c fitted anew in every resample.

        Args:
            control: (D,) whose expectation is zero: the difference of identity A. With fewer than 8 networks, or a
                constant control, the plain average is returned.
        """
        y, z = np.asarray(per_network, dtype=np.float64), np.asarray(control, dtype=np.float64)
        scale = float(z.std())
        if len(y) < MIN_NETWORKS_CONTROL or scale <= 1e-12 * float(np.abs(z).max(initial=0.0)):
            return self.mean(y)
        # centred and scaled, so that the variances below keep their digits
        origin, z = float(y.mean()), z / scale
        y = y - origin

        def intercept(y: np.ndarray, z: np.ndarray, yz: np.ndarray, zz: np.ndarray) -> np.ndarray:
            return origin + y - (yz - y * z) / (zz - z**2) * z

        return self.estimate(intercept, y, z, y * z, z**2)
