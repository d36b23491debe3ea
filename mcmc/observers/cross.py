"""Overlaps between different temperatures: does the same network look alike when it is hot and when it is cold?"""

import numpy as np
import torch
from torch import Tensor

from mcmc.io.schema import Key
from mcmc.observers.base import DrawObserver, Measurement, SumObserver, add_in_turn

N_MOMENTS = 4


class CrossTemperature(DrawObserver, SumObserver):
    """Moment sums of q_{kk'} = x.x'/N_0, x at beta_k and x' at beta_k' in different real replicas.

    Attributes:
        tensors: `moments` (D, K, K, 4) float64, symmetric.
    """

    def __init__(self, n_networks: int, n_temperatures: int, device: torch.device):
        shape = (n_networks, n_temperatures, n_temperatures, N_MOMENTS)
        self.tensors = {"moments": torch.zeros(shape, dtype=torch.float64, device=device)}

    def observe_all(self, draws: Measurement) -> None:
        assert draws.cross is not None
        add_in_turn(self.tensors["moments"], draws.cross)

    def result(self) -> dict[str, np.ndarray]:
        return {Key.CROSS_MOMENT_SUM: self.tensors["moments"].cpu().numpy()}


def cross_moments(x: Tensor) -> Tensor:
    """Sum over pairs r < s of real replicas of (q_{kk'}^m + q_{k'k}^m)/2, where q_{kk'} = x_{kr}.x_{k's}/N_0.

    Replicas of one ladder exchange temperatures and are not independent of each other: they are never compared.

    Args:
        x: (D, K, R, N_0), in temperature order.
    Returns:
        (D, K, K, 4) float64, m = 1 to 4; on the diagonal, the sums that the histogram of q^0 keeps.
    """
    n_replicas, n_sites = x.shape[2:]
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for r in range(n_replicas):
        for s in range(r + 1, n_replicas):
            q = torch.matmul(x[:, :, r], x[:, :, s].mT).double() / n_sites
            powers = torch.stack([q**m for m in range(1, N_MOMENTS + 1)], dim=-1)
            total = total + 0.5 * (powers + powers.transpose(1, 2))
    return total
