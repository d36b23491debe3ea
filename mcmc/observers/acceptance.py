"""How the kernel did: acceptance, energy errors, and <exp(-dH)> = 1, the work identity of every Metropolis kernel."""

import numpy as np
import torch

from mcmc.io.schema import Key
from mcmc.observers.base import StepStatistics, SumObserver

_SUMS = ("acceptance", "energy_error", "energy_error_square", "exp_minus_energy_error")


class StepDiagnostics(SumObserver):
    """Sums over all kernel steps of a segment (it sees every sweep, measured or not).

    Attributes:
        sums:    (4, D, K, R) float64, of `StepStatistics` in its order; written by the exchange (`exchange/ops.py`).
        tensors: the same by name, and `n_steps` (1,) int64.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device):
        self.sums = torch.zeros((4, *shape), dtype=torch.float64, device=device)
        self.tensors = dict(zip(_SUMS, self.sums.unbind(0), strict=True))
        self.tensors["n_steps"] = torch.zeros(1, dtype=torch.int64, device=device)

    def observe(self, statistics: StepStatistics) -> None:
        """Take in the steps of one sweep."""
        for name in _SUMS:
            self.tensors[name] += getattr(statistics, name)
        self.count(statistics.n_steps)

    def count(self, n_steps: int) -> None:
        """So many steps were added to `sums`."""
        self.tensors["n_steps"] += n_steps

    def result(self) -> dict[str, np.ndarray]:
        n = int(self.tensors["n_steps"])
        return {
            Key.ACCEPTANCE: self.tensors["acceptance"].cpu().numpy() / max(1, n),
            Key.ENERGY_ERROR_SUM: self.tensors["energy_error"].cpu().numpy(),
            Key.ENERGY_ERROR_SQUARE_SUM: self.tensors["energy_error_square"].cpu().numpy(),
            Key.METROPOLIS_SUM: self.tensors["exp_minus_energy_error"].cpu().numpy(),
            Key.N_STEPS: np.array(n),
        }
