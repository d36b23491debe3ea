"""Step sizes that adapt per temperature during burn-in, towards a stated acceptance, and are frozen afterwards.

    log eps_k <- log eps_k + gain_n (acceptance_k - target),   gain_n = (n + 3)^{-0.6}        [Robbins and Monro 1951]

Acceptance is pooled over networks and replicas. What is frozen is the average of log eps_k over the last half of a
round [Polyak and Juditsky 1992], which has less noise than its last value.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor


@dataclass
class StepSizeTuner:
    """Adapts one step size a temperature; lives on the device of the chains, so that no sweep waits for the host.

    `log_step` is written in place: recorded sweeps read it at its address.

    Attributes:
        log_step: (K,) float64, the values in use.
        log_max:  (K,) float64, upper bounds.
        target:   acceptance aimed at.
        n:        updates in this round.
        log_sum, n_sum: sum of log_step over the updates that count for the average.
    """

    log_step: Tensor
    log_max: Tensor
    target: float
    n: int = 0
    log_sum: Tensor | None = None
    n_sum: int = 0

    @property
    def step_size(self) -> Tensor:
        """(K,) float64."""
        return torch.exp(self.log_step)

    def update(self, acceptance: Tensor, *, counts: bool) -> None:
        """Learn from the mean acceptance (K,) of one step; `counts` if it belongs to the averaged part."""
        gain = (self.n + 3) ** -0.6
        self.n += 1
        self.log_step.copy_(torch.minimum(self.log_step + gain * (acceptance - self.target), self.log_max))
        if counts:
            self.log_sum = self.log_step.clone() if self.log_sum is None else self.log_sum + self.log_step
            self.n_sum += 1

    def finish_round(self) -> None:
        """Take the average as the value in use and start counting again."""
        if self.log_sum is not None:
            self.log_step.copy_(self.log_sum / self.n_sum)
        self.n, self.log_sum, self.n_sum = 0, None, 0

    def move_to_ladder(self, old_beta: np.ndarray, new_beta: np.ndarray) -> None:
        """Carry the step sizes to other temperatures by monotone interpolation in beta."""
        if len(old_beta) > 1:
            old = self.log_step.cpu().numpy()
            new = PchipInterpolator(old_beta, old)(np.clip(new_beta, old_beta[0], old_beta[-1]))
            self.log_step.copy_(torch.minimum(torch.from_numpy(new).to(self.log_step), self.log_max))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything that adapts, for a checkpoint."""
        arrays = {"log_step": self.log_step.cpu().numpy().copy(), "counts": np.array([self.n, self.n_sum])}
        if self.log_sum is not None:
            arrays["log_sum"] = self.log_sum.cpu().numpy()
        return arrays

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what `to_arrays` gave."""
        self.log_step.copy_(torch.from_numpy(arrays["log_step"]))
        self.n, self.n_sum = (int(count) for count in arrays["counts"])
        self.log_sum = torch.from_numpy(arrays["log_sum"]).to(self.log_max) if "log_sum" in arrays else None
