"""Both sides of the identities of equations.md, section 2, exact at every width once chains are in equilibrium."""

import numpy as np
import torch

from mcmc.io.schema import Key
from mcmc.observers.base import DrawObserver, Measurement, SumObserver, add_in_turn


class IdentityA(DrawObserver, SumObserver):
    """Sums over draws of the replica means of both sides, one a network and temperature:

        E <H>/N_0  =  -beta E[ <r^L> - <q^L> ]

    Attributes:
        tensors: `energy` and `overlap` (D, K) float64, sums; `n` (1,) int64, draws so far.
    """

    def __init__(self, n_networks: int, n_temperatures: int, device: torch.device):
        self.tensors = {
            "energy": torch.zeros((n_networks, n_temperatures), dtype=torch.float64, device=device),
            "overlap": torch.zeros((n_networks, n_temperatures), dtype=torch.float64, device=device),
            "n": torch.zeros(1, dtype=torch.int64, device=device),
        }

    def observe_all(self, draws: Measurement) -> None:
        assert draws.overlaps is not None
        between = draws.overlaps.between[..., -1].mean(-1)
        within = draws.overlaps.within[..., -1].mean(-1)
        add_in_turn(self.tensors["energy"], draws.energy.mean(-1) / draws.n_sites)
        add_in_turn(self.tensors["overlap"], -draws.beta * (within - between))
        self.tensors["n"] += len(draws.energy)

    def result(self) -> dict[str, np.ndarray]:
        n = int(self.tensors["n"])
        if n == 0:  # no mean of nothing: the last segment may end before its first draw
            return {}
        return {
            Key.IDENTITY_ENERGY: self.tensors["energy"].cpu().numpy() / n,
            Key.IDENTITY_OVERLAP: self.tensors["overlap"].cpu().numpy() / n,
        }


class WeightIdentities(DrawObserver, SumObserver):
    """Sums over draws of both sides of the identity of the weights of each layer: E[excess + beta response] = 0.

    Attributes:
        tensors: `excess` and `response` (D, K, L) float64.
    """

    def __init__(self, n_networks: int, n_temperatures: int, depth: int, device: torch.device):
        shape = (n_networks, n_temperatures, depth)
        self.tensors = {name: torch.zeros(shape, dtype=torch.float64, device=device) for name in ("excess", "response")}

    def observe_all(self, draws: Measurement) -> None:
        assert draws.overlaps is not None
        assert draws.overlaps.weight_identity is not None
        add_in_turn(self.tensors["excess"], draws.overlaps.weight_identity.excess)
        add_in_turn(self.tensors["response"], draws.overlaps.weight_identity.response)

    def result(self) -> dict[str, np.ndarray]:
        return {
            Key.WEIGHT_EXCESS_SUM: self.tensors["excess"].cpu().numpy(),
            Key.WEIGHT_RESPONSE_SUM: self.tensors["response"].cpu().numpy(),
        }
