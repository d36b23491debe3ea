"""Histograms P(q^l) of every network and temperature, with exact first four moments."""

import numpy as np
import torch

from mcmc.exchange.ops import overlap_accumulate_
from mcmc.io.schema import Key
from mcmc.observers.base import DrawObserver, Measurement, SumObserver


class OverlapHistogram(DrawObserver, SumObserver):
    """Counts and moment sums of q^l over pairs and draws.

    Attributes:
        ranges: (lower, upper) of the bins of each layer; what falls outside is counted in bins of its own.
        tensors: `counts` (L+1, D, K, n_bins + 2) int64, `moments` (L+1, D, K, 4) float64.
    """

    def __init__(
        self, n_networks: int, n_temperatures: int, ranges: list[tuple[float, float]], n_bins: int, device: torch.device
    ):
        self.ranges = ranges
        shape = (len(ranges), n_networks, n_temperatures)
        self.tensors = {
            "counts": torch.zeros((*shape, n_bins + 2), dtype=torch.int64, device=device),
            "moments": torch.zeros((*shape, 4), dtype=torch.float64, device=device),
        }

    def observe_all(self, draws: Measurement) -> None:
        assert draws.overlaps is not None
        # (L+1, D, K, pairs of all draws, one draw after the other)
        by_layer = draws.overlaps.between.permute(4, 1, 2, 0, 3).flatten(3)
        for layer, (lower, upper) in enumerate(self.ranges):
            overlap_accumulate_(
                by_layer[layer],
                lower,
                upper,
                self.tensors["counts"][layer],
                self.tensors["moments"][layer],
            )

    def result(self) -> dict[str, np.ndarray]:
        n_bins = self.tensors["counts"].shape[-1] - 2
        return {
            Key.HISTOGRAM: self.tensors["counts"].permute(1, 2, 0, 3).cpu().numpy(),
            Key.MOMENT_SUM: self.tensors["moments"].permute(1, 2, 0, 3).cpu().numpy(),
            Key.EDGES: np.stack([np.linspace(lower, upper, n_bins + 1) for lower, upper in self.ranges]),
        }
