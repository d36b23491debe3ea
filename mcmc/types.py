"""The one axis order, and the letters that shape annotations use for it.

    (network, temperature, replica, site)

Arrays drop trailing axes, they never reorder. The flat chain batch of the samplers is (network, chain, site) with
chain = slot * n_replicas + replica, where a slot is a place in memory and *not* a temperature: replica exchange
moves inverse temperatures between slots, and positions stay where they are.

    D   networks (quenched draws of the weights)         K   temperatures, as many as slots in a ladder
    R   real replicas (independent copies in one network) C = K * R chains of one network
    P = R (R - 1) / 2 pairs of real replicas              n0 = N_0 sites, the inputs of the network
    L   hidden layers; layer index 0 is the input itself
"""

from collections.abc import Sequence
from typing import TypeAlias

import torch

Array: TypeAlias = torch.Tensor
Widths: TypeAlias = tuple[int, ...]


def replica_pairs(n_replicas: int) -> list[tuple[int, int]]:
    """Pairs (r, r') with r < r' of the real replicas, in the order of the pair axis P."""
    return [(r, s) for r in range(n_replicas) for s in range(r + 1, n_replicas)]


def as_per_layer(value: float | Sequence[float], n_layers: int) -> tuple[float, ...]:
    """A number for every layer, or the numbers given, as a tuple of length n_layers."""
    if isinstance(value, (int, float)):
        return (float(value),) * n_layers
    if len(value) != n_layers:
        raise ValueError(f"expected one number or {n_layers} (one a layer), found {len(value)}: {tuple(value)}")
    return tuple(float(v) for v in value)
