"""The inverse temperatures of a ladder: frozen, increasing, checked once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mcmc.errors import UsageError


@dataclass(frozen=True)
class BetaLadder:
    """Strictly increasing inverse temperatures, index 0 the hottest.

    Fields:
        betas: K >= 1 finite numbers >= 0; beta = 0 is the uniform measure.
    Raises:
        UsageError: anything else, with the first offending place as `index`.
    """

    betas: tuple[float, ...]

    def __post_init__(self) -> None:
        betas = tuple(float(beta) for beta in self.betas)
        object.__setattr__(self, "betas", betas)
        if not betas:
            raise UsageError("a ladder needs at least one beta, found none")
        for k, beta in enumerate(betas):
            if not (np.isfinite(beta) and beta >= 0):
                raise UsageError(f"betas must be finite and >= 0, found betas[{k}] = {beta}", index=k, beta=beta)
            if k and beta <= betas[k - 1]:
                raise UsageError(
                    f"betas must increase, found betas[{k - 1}] = {betas[k - 1]} and betas[{k}] = {beta}; sort them "
                    "and remove repetitions",
                    index=k,
                    beta=beta,
                )

    @classmethod
    def linear(cls, beta_min: float, beta_max: float, n_temperatures: int) -> "BetaLadder":
        """Equal steps in beta; beta_min = 0 is welcome. One temperature is beta_max."""
        _check_range(beta_min, beta_max, n_temperatures)
        if n_temperatures == 1:
            return cls((beta_max,))
        return cls(_with_ends(np.linspace(beta_min, beta_max, n_temperatures), beta_min, beta_max))

    @classmethod
    def geometric(
        cls, beta_min: float, beta_max: float, n_temperatures: int, *, beta_first: float | None = None
    ) -> "BetaLadder":
        """Equal ratios of beta. One temperature is beta_max.

        With beta_min = 0 the ladder is 0 followed by equal ratios from `beta_first` (wanted then, and only then).
        """
        _check_range(beta_min, beta_max, n_temperatures)
        if n_temperatures == 1:
            return cls((beta_max,))
        if beta_min > 0:
            if beta_first is not None:
                raise UsageError(f"beta_first is for beta_min = 0 only, found beta_min = {beta_min}", beta_min=beta_min)
            return cls(_with_ends(np.geomspace(beta_min, beta_max, n_temperatures), beta_min, beta_max))
        if n_temperatures == 2:
            return cls((0.0, beta_max))
        if beta_first is None or not 0 < beta_first < beta_max:
            raise UsageError(
                f"a geometric ladder from beta_min = 0 needs 0 < beta_first < beta_max = {beta_max}, found "
                f"beta_first = {beta_first}; give beta_first, or use equal steps",
                beta_first=beta_first,
            )
        return cls((0.0, *_with_ends(np.geomspace(beta_first, beta_max, n_temperatures - 1), beta_first, beta_max)))

    @property
    def n_temperatures(self) -> int:
        return len(self.betas)

    def numpy(self) -> np.ndarray:
        """(K,) float64."""
        return np.array(self.betas, dtype=np.float64)

    def tensor(self, device: torch.device | str = "cpu") -> Tensor:
        """(K,) float64 on `device`."""
        return torch.tensor(self.betas, dtype=torch.float64, device=device)


def _check_range(beta_min: float, beta_max: float, n_temperatures: int) -> None:
    if n_temperatures < 1:
        raise UsageError(f"n_temperatures must be at least 1, found {n_temperatures}", n_temperatures=n_temperatures)
    if n_temperatures > 1 and not 0 <= beta_min < beta_max:
        raise UsageError(f"expected 0 <= beta_min < beta_max, found beta_min = {beta_min} and beta_max = {beta_max}")


def _with_ends(betas: np.ndarray, first: float, last: float) -> tuple[float, ...]:
    """The same numbers with the two ends exactly as asked for: rounding must not move beta_max."""
    return (float(first), *(float(beta) for beta in betas[1:-1]), float(last))
