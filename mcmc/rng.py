"""Random numbers by address: what a chain draws does not depend on the batch, the device or a restart.

Every number is a pure function of (seed, purpose, network, chain, step, position); see `mcmc.philox` for the function.
Nothing is ever advanced, so nothing about randomness has to be saved in a checkpoint but the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor

from mcmc import native, philox


class Purpose(IntEnum):
    """What a number is drawn for: part of the key, so that two uses at one address never meet.

    A value once given is never given again, not even after its use is gone: old runs must stay reproducible.
    """

    WEIGHTS = 1
    BIASES = 2
    INITIAL = 3
    MOMENTUM = 4
    ACCEPT = 5
    SWAP = 6
    REDRAW = 7
    REDRAW_MOMENTUM = 8
    BOOTSTRAP = 9
    CHECK = 10
    ANCESTRAL = 20
    PERTURBATION = 30
    EXAMPLES = 31
    THERMAL = 32
    GATES = 33
    SPIN_FLIP = 34
    TEST = 255


@dataclass(frozen=True, eq=False)
class Streams:
    """The random numbers of a batch of chains.

    Fields:
        seed:    0 <= seed < 2^56, the run's.
        network: (D,) int64, ids of the networks in this batch (ids, not positions).
        chain:   (C,) int64, ids of the chains of each network; chain = slot * n_replicas + replica.
    """

    seed: int
    network: Tensor
    chain: Tensor

    def __post_init__(self) -> None:
        philox.stream_key(self.seed, 0)
        for name, t in (("network", self.network), ("chain", self.chain)):
            if t.dim() != 1:
                raise ValueError(f"{name} must be one-dimensional, found shape {list(t.shape)}")
        if self.network.device != self.chain.device:
            raise ValueError(f"network and chain must share a device, found {self.network.device}, {self.chain.device}")

    @classmethod
    def of(
        cls, seed: int, networks: Sequence[int], chains: Sequence[int], *, device: torch.device | str = "cpu"
    ) -> "Streams":
        """Streams of the given ids (ranges, lists), checked to be below 2^32 and put on `device`."""
        ids = []
        for name, values in (("network", networks), ("chain", chains)):
            t = torch.tensor(list(values), dtype=torch.int64)
            philox._check_words(name, t)
            ids.append(t.to(device))
        return cls(seed, *ids)

    @property
    def device(self) -> torch.device:
        return self.network.device

    def for_networks(self, which: slice | Tensor) -> "Streams":
        """The same streams for some of the networks, by position: the numbers are those of the whole batch."""
        return replace(self, network=self.network[which])

    def for_chains(self, which: slice | Tensor) -> "Streams":
        """The same streams for some of the chains, by position."""
        return replace(self, chain=self.chain[which])

    def to(self, device: torch.device | str) -> "Streams":
        return replace(self, network=self.network.to(device), chain=self.chain.to(device))

    def uniform(self, purpose: Purpose, step: int | Tensor, n: int) -> Tensor:
        """(D, C, n) float64 uniforms strictly inside (0, 1); a step on the device (1,) int64 is read there."""
        if native.backend_for(self.device) == "extension":
            if isinstance(step, Tensor):
                return torch.ops.mlp_gibbs.philox_uniform_at(self.seed, int(purpose), self.network, self.chain, step, n)
            return torch.ops.mlp_gibbs.philox_uniform(self.seed, int(purpose), self.network, self.chain, step, n)
        return philox.philox_uniform(self.seed, int(purpose), self.network, self.chain, step, n)

    def normal(self, purpose: Purpose, step: int | Tensor, n: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """(D, C, n) standard normals, computed in float64 and rounded to `dtype` (float64 or float32)."""
        if native.backend_for(self.device) == "extension":
            ops = torch.ops.mlp_gibbs
            draw = ops.philox_normal_at if isinstance(step, Tensor) else ops.philox_normal
            return draw(self.seed, int(purpose), self.network, self.chain, step, n, dtype)
        return philox.philox_normal(self.seed, int(purpose), self.network, self.chain, step, n, dtype)
