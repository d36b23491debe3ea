"""Metropolis with one flip of a sign: for states on a hypercube."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mcmc.kernels.accept import metropolis, select
from mcmc.kernels.base import ChainState, StepInfo, StepParams, fresh_positions
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class SpinFlip:
    """Proposal: one site, chosen uniformly, changes its sign [Metropolis et al. 1953]. There is no step size."""

    target_acceptance: float = 0.5
    n_gradients_per_step: int = 0
    name: str = "spin_flip"

    def init(self, streams: Streams, system: System, x: Tensor) -> ChainState:
        return ChainState(x, system.energy(x))

    def step(
        self, streams: Streams, system: System, state: ChainState, beta: Tensor, params: StepParams, step: int | Tensor
    ) -> tuple[ChainState, StepInfo]:
        u = streams.uniform(Purpose.ACCEPT, step, 1)[..., 0]
        site = (streams.uniform(Purpose.SPIN_FLIP, step, 1) * system.n_sites).long()
        x = state.x.scatter(-1, site, -state.x.gather(-1, site))
        fresh = fresh_positions(streams, system, params, step)
        if fresh is not None:
            x = torch.where((beta == 0).unsqueeze(-1), fresh, x)
        energy = system.energy(x)
        info = metropolis(u, torch.where(beta == 0, beta * energy, beta * (energy - state.energy)))
        return select(info.is_accepted, ChainState(x, energy), state), info
