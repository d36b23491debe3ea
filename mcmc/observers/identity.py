"""Both sides of identity A (equations.md, section 2), exact at every finite width once chains are in equilibrium:

E <H>/N_0  =  -beta E[ <r^L> - <q^L> ].
"""

import numpy as np
import torch

from mcmc.io.schema import Key
from mcmc.observers.base import Measurement, SumObserver


class IdentityA(SumObserver):
    """Sums over draws of the replica means of both sides, one a network and temperature.

    Attributes:
        tensors: `energy` and `overlap` (D, K) float64, sums; `n` (1,) int64, draws so far.
    """

    def __init__(self, n_networks: int, n_temperatures: int, device: torch.device):
        self.tensors = {
            "energy": torch.zeros((n_networks, n_temperatures), dtype=torch.float64, device=device),
            "overlap": torch.zeros((n_networks, n_temperatures), dtype=torch.float64, device=device),
            "n": torch.zeros(1, dtype=torch.int64, device=device),
        }

    def observe(self, measurement: Measurement) -> None:
        assert measurement.overlaps is not None
        between = measurement.overlaps.between[..., -1].mean(-1)
        within = measurement.overlaps.within[..., -1].mean(-1)
        self.tensors["energy"] += measurement.energy.mean(-1) / measurement.n_sites
        self.tensors["overlap"] += -measurement.beta * (within - between)
        self.tensors["n"] += 1

    def result(self) -> dict[str, np.ndarray]:
        n = int(self.tensors["n"])
        if n == 0:  # no mean of nothing: the last segment may end before its first draw
            return {}
        return {
            Key.IDENTITY_ENERGY: self.tensors["energy"].cpu().numpy() / n,
            Key.IDENTITY_OVERLAP: self.tensors["overlap"].cpu().numpy() / n,
        }
