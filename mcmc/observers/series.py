"""Time series of the energy density, the overlaps and the self-overlaps: every draw of every chain is kept."""

import numpy as np
import torch
from torch import Tensor

from mcmc.io.schema import Key
from mcmc.observers.base import DrawObserver, Measurement, Observer


class Series(DrawObserver):
    """Collects the draws of a segment.

    Attributes:
        tensors: `energy` (capacity, D, K, R) float64; `overlap` (capacity, D, K, P, L+1) and `self_overlap`
            (capacity, D, K, R, L+1) float32, if overlaps are measured; `n` (1,) int64, draws so far.
    """

    def __init__(self, capacity: int, shape: tuple[int, int, int], n_layers: int | None, device: torch.device):
        """Room for `capacity` draws of shape (D, K, R); n_layers is L+1, or None without overlaps."""
        n_replicas = shape[2]
        n_pairs = n_replicas * (n_replicas - 1) // 2
        self.tensors: dict[str, Tensor] = {
            "n": torch.zeros(1, dtype=torch.int64, device=device),
            "energy": torch.zeros((capacity, *shape), dtype=torch.float64, device=device),
        }
        if n_layers is not None:
            between, within = (capacity, *shape[:2], n_pairs, n_layers), (capacity, *shape, n_layers)
            self.tensors["overlap"] = torch.zeros(between, dtype=torch.float32, device=device)
            self.tensors["self_overlap"] = torch.zeros(within, dtype=torch.float32, device=device)

    def observe_all(self, draws: Measurement) -> None:
        # the places are read on the device, so that a recorded measurement finds the next one
        places = self.tensors["n"] + torch.arange(len(draws.energy), device=self.tensors["n"].device)
        self._append("energy", places, draws.energy / draws.n_sites)
        if draws.overlaps is not None:
            self._append("overlap", places, draws.overlaps.between)
            self._append("self_overlap", places, draws.overlaps.within)
        self.tensors["n"] += len(draws.energy)

    def merge(self, other: Observer) -> None:
        n, more = int(self.tensors["n"]), int(other.tensors["n"])
        for name, tensor in self.tensors.items():
            if name != "n":
                self.tensors[name] = torch.cat([tensor[:n], other.tensors[name][:more]])
        self.tensors["n"] += more

    def reset(self) -> None:
        self.tensors["n"].zero_()

    def result(self) -> dict[str, np.ndarray]:
        n = int(self.tensors["n"])
        paths = {"energy": Key.ENERGY, "overlap": Key.OVERLAP, "self_overlap": Key.SELF_OVERLAP}
        return {path: self.tensors[name][:n].cpu().numpy() for name, path in paths.items() if name in self.tensors}

    def _append(self, name: str, places: Tensor, values: Tensor) -> None:
        kept = self.tensors[name]
        kept.index_copy_(0, places, values.to(kept.dtype))
