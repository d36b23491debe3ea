"""Durations of the kicks and drifts of a leapfrog trajectory, for all its steps at once."""

import torch
from torch import Tensor


def leapfrog_schedule(step_size: Tensor, beta: Tensor, n_leapfrog: int | Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """(-beta times the duration of each kick (S + 1, D, C, 1), duration of each drift (S, D, C)), S = longest.

    Chains that are done stand still. A closing half kick and the next opening one happen at the same place.

    Args:
        step_size:  (D, C), in the dtype of both results.
        beta:       (D, C) float64.
        n_leapfrog: steps of all trajectories, or (D, C) of each.
    """
    place = torch.arange(longest, device=beta.device).view(-1, 1, 1)
    eps = torch.where(place < n_leapfrog, step_size, 0)
    none = torch.zeros_like(eps[:1])
    duration = 0.5 * (torch.cat([none, eps]) + torch.cat([eps, none]))
    return (-duration * beta).to(step_size.dtype).unsqueeze(-1), eps
