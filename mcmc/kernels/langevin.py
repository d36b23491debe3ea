"""Metropolised Langevin dynamics on the manifold: overdamped (MALA) and underdamped, one force a step."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mcmc.kernels.accept import metropolis, select
from mcmc.kernels.base import ChainState, StepInfo, StepParams, fresh_positions
from mcmc.kernels.hmc import Hmc
from mcmc.kernels.leapfrog import energy_error, leapfrog
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class Mala(Hmc):
    """MALA: HMC with a single geodesic leapfrog step, which is the Metropolised Euler step of Langevin dynamics.

    The drift term (eps^2/2) beta grad H and the noise eps xi arrive together through the momentum; the kinetic
    energies in the Metropolis test are the Hastings term of the proposal.
    """

    jitter: float = 0.0
    target_acceptance: float = 0.574  # optimal as N_0 -> inf, Roberts and Rosenthal 1998
    name: str = "mala"


@dataclass(frozen=True)
class Langevin:
    """Underdamped Langevin: partial refreshment, one leapfrog step, Metropolis test, flip on rejection.

        p <- rho p + sqrt(1 - rho^2) xi,   one step,   on rejection p <- -p        [Horowitz 1991]

    The kept momentum gives a persistent direction; it stays with its position when temperatures are exchanged, which
    is exact because its law does not depend on beta.

    Attributes:
        persistence: rho in [0, 1); 0 is MALA.
    """

    persistence: float = 0.9
    target_acceptance: float = 0.9  # a rejection reverses the walk, so they must be rare
    n_gradients_per_step: int = 1
    name: str = "langevin"

    def init(self, streams: Streams, system: System, x: Tensor) -> ChainState:
        energy, grad = system.energy_and_grad(x)
        noise = streams.normal(Purpose.INITIAL, 1, system.n_sites, system.dtype)
        return ChainState(x, energy, grad, system.manifold.project_tangent(x, noise))

    def step(
        self, streams: Streams, system: System, state: ChainState, beta: Tensor, params: StepParams, step: int | Tensor
    ) -> tuple[ChainState, StepInfo]:
        assert state.momentum is not None
        u = streams.uniform(Purpose.ACCEPT, step, 1)[..., 0]
        noise = streams.normal(Purpose.MOMENTUM, step, system.n_sites, system.dtype)
        project = system.manifold.project_tangent
        rho = self.persistence
        momentum = rho * state.momentum + math.sqrt(1 - rho * rho) * project(state.x, noise)
        start = replace(state, momentum=momentum)
        end = leapfrog(system, start, beta, params.step_size, 1, fresh_positions(streams, system, params, step))
        info = metropolis(u, energy_error(start, end, beta))
        if params.redraw_at_zero:  # the end point is new there, so its momentum must be new and tangent too
            fresh = project(end.x, streams.normal(Purpose.REDRAW_MOMENTUM, step, system.n_sites, system.dtype))
            assert end.momentum is not None
            end = replace(end, momentum=torch.where((beta == 0).unsqueeze(-1), fresh, end.momentum))
        return select(info.is_accepted, end, replace(start, momentum=-momentum)), info
