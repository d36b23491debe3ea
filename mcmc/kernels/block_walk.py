"""Random-walk Metropolis in one factor of a product manifold at a time, on several scales."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mcmc.kernels.accept import metropolis, select
from mcmc.kernels.base import ChainState, StepInfo, StepParams, fresh_positions
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class BlockWalk:
    """Proposal: the geodesic in a random direction of one factor, chosen uniformly; the others stay where they are.

    The step size is multiplied by spread^(-v), v uniform in (0, 1): factors of different stiffness need no step sizes
    of their own. Neither depends on the position, so the proposal is as symmetric as that of `RandomWalk`.

    Attributes:
        n_blocks: equal factors of the manifold, one behind the other along the sites; a single sphere is one block.
        spread:   largest step over smallest.
    """

    n_blocks: int
    spread: float = 10.0
    target_acceptance: float = 0.4  # half of the steps are smaller than they need be
    n_gradients_per_step: int = 0
    name: str = "block_walk"

    def init(self, streams: Streams, system: System, x: Tensor) -> ChainState:
        return ChainState(x, system.energy(x))

    def step(
        self, streams: Streams, system: System, state: ChainState, beta: Tensor, params: StepParams, step: int | Tensor
    ) -> tuple[ChainState, StepInfo]:
        u, place, scale = streams.uniform(Purpose.ACCEPT, step, 3).unbind(-1)
        size = system.n_sites // self.n_blocks
        noise = streams.normal(Purpose.MOMENTUM, step, size, system.dtype)
        block = (place * self.n_blocks).long()
        sites = (block * size).unsqueeze(-1) + torch.arange(size, device=block.device)
        direction = torch.zeros_like(state.x).scatter_(-1, sites, noise)
        manifold = system.manifold
        time = params.step_size * torch.exp(-scale * math.log(self.spread)).to(system.dtype)
        moved, _ = manifold.reproject(
            *manifold.geodesic_flow(state.x, manifold.project_tangent(state.x, direction), time)
        )
        # the others exactly where they were: reprojecting them would let their rounding errors walk
        x = state.x.scatter(-1, sites, moved.gather(-1, sites))
        fresh = fresh_positions(streams, system, params, step)
        if fresh is not None:
            x = torch.where((beta == 0).unsqueeze(-1), fresh, x)
        energy = system.energy(x)
        info = metropolis(u.contiguous(), torch.where(beta == 0, beta * energy, beta * (energy - state.energy)))
        return select(info.is_accepted, ChainState(x, energy), state), info
