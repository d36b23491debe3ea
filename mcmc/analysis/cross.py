"""Overlaps between temperatures, of a run that measured them (`output.cross_temperature`)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.analysis.bootstrap import NetworkBootstrap, Resampled
from mcmc.io.reader import RunData
from mcmc.io.schema import Key


@dataclass(frozen=True)
class CrossTemperature:
    """q^0 of one replica at beta_k and another at beta_k', of shape (K, K) each, with the same resamples of networks.

    Attributes:
        beta:        (K,)
        mean:        <q_kk'>.
        width:       sqrt(<q_kk'^2> - <q_kk'>^2).
        correlation: <q_kk'>/sqrt(<q_kk> <q_k'k'>): 1 where cold states are those of the hot ones, only sharper; it
                     goes to zero where temperature reshuffles them (chaos in temperature). NaN where a mean overlap
                     is not positive, as it is about zero at beta = 0.
    """

    beta: np.ndarray
    mean: Resampled
    width: Resampled
    correlation: Resampled

    def to_json(self) -> dict[str, Any]:
        """Of `mlp-gibbs overlap --json`: every (K, K) as rows."""
        found: dict[str, Any] = {"beta": self.beta.tolist()}
        for name in ("mean", "width", "correlation"):
            values: Resampled = getattr(self, name)
            is_known = np.isfinite(values.value) & np.isfinite(values.stderr)
            for key, array in ((name, values.value), (f"{name}_stderr", values.stderr)):
                known = zip(array, is_known, strict=True)
                found[key] = [[float(x) if ok else None for x, ok in zip(*row, strict=True)] for row in known]
        return found


def cross_temperature(data: RunData, bootstrap: NetworkBootstrap | None = None) -> CrossTemperature | None:
    """Of a run; None if it did not measure them.

    Raises:
        InsufficientDataError: fewer than 4 networks.
    """
    if Key.CROSS_MOMENT_SUM not in data.arrays:
        return None
    bootstrap = bootstrap or NetworkBootstrap(data.energy.shape[1])
    moments = data.arrays[Key.CROSS_MOMENT_SUM] / (data.overlap.shape[0] * data.overlap.shape[3])
    first, second = moments[..., 0], moments[..., 1]
    return CrossTemperature(
        data.beta,
        bootstrap.mean(first),
        bootstrap.estimate(_width, first, second),
        bootstrap.estimate(_correlation, first),
    )


def _width(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(second - first**2, 0.0))


def _correlation(mean: np.ndarray) -> np.ndarray:
    own = np.diagonal(mean, axis1=-2, axis2=-1)
    square = own[..., :, None] * own[..., None, :]
    is_positive = (own[..., :, None] > 0) & (own[..., None, :] > 0)
    return np.divide(mean, np.sqrt(np.abs(square)), out=np.full_like(mean, np.nan), where=is_positive)
