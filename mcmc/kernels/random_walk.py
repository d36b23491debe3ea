"""Random-walk Metropolis on the manifold: no force, the independent cross-check of the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mcmc.kernels.accept import metropolis, select
from mcmc.kernels.base import ChainState, StepInfo, StepParams, fresh_positions
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class RandomWalk:
    """Proposal: the geodesic in a random direction, x' = flow(x, xi, eps), xi ~ N(0, 1) in the tangent space.

    The proposal density depends on the distance of x and x' only, so it is symmetric and the test sees beta dH alone.
    """

    target_acceptance: float = 0.234  # optimal as N_0 -> inf, Roberts, Gelman and Gilks 1997
    n_gradients_per_step: int = 0
    name: str = "random_walk"

    def init(self, streams: Streams, system: System, x: Tensor) -> ChainState:
        return ChainState(x, system.energy(x))

    def step(
        self, streams: Streams, system: System, state: ChainState, beta: Tensor, params: StepParams, step: int | Tensor
    ) -> tuple[ChainState, StepInfo]:
        u = streams.uniform(Purpose.ACCEPT, step, 1)[..., 0]
        manifold = system.manifold
        noise = streams.normal(Purpose.MOMENTUM, step, system.n_sites, system.dtype)
        direction = manifold.project_tangent(state.x, noise)
        x, _ = manifold.reproject(*manifold.geodesic_flow(state.x, direction, params.step_size))
        fresh = fresh_positions(streams, system, params, step)
        if fresh is not None:
            x = torch.where((beta == 0).unsqueeze(-1), fresh, x)
        energy = system.energy(x)
        info = metropolis(u, torch.where(beta == 0, beta * energy, beta * (energy - state.energy)))
        return select(info.is_accepted, ChainState(x, energy), state), info
