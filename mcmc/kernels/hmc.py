"""Hamiltonian Monte Carlo with great-circle drift."""

from dataclasses import dataclass, replace

from torch import Tensor

from mcmc.kernels.accept import metropolis, select
from mcmc.kernels.base import ChainState, StepInfo, StepParams, fresh_positions
from mcmc.kernels.leapfrog import REPROJECT_EVERY, energy_error, leapfrog
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class Hmc:
    """HMC: full refreshment of the momentum, one trajectory, one Metropolis test.

    The total energy beta H(x) + |p|^2/2 lives on the tangent bundle; the momentum is N(0, 1) in the tangent space.

    Attributes:
        jitter: the step size of each chain and trajectory is eps (1 + jitter u), u uniform in (-1, 1). Without it a
            trajectory can hit a full period of the great circle and return to where it began at acceptance 1.
        target_acceptance: of step-size adaptation.
    """

    jitter: float = 0.3
    target_acceptance: float = 0.8  # between 0.65 (optimal as N_0 -> inf, Beskos et al. 2013) and safety at kinks
    n_gradients_per_step: int = 1  # per leapfrog step
    name: str = "hmc"

    def init(self, streams: Streams, system: System, x: Tensor) -> ChainState:
        energy, grad = system.energy_and_grad(x)
        return ChainState(x, energy, grad)

    def step(
        self, streams: Streams, system: System, state: ChainState, beta: Tensor, params: StepParams, step: int | Tensor
    ) -> tuple[ChainState, StepInfo]:
        fresh = fresh_positions(streams, system, params, step)
        assert state.grad is not None
        fused = system.fused_hmc(
            streams,
            step,
            state.x,
            state.energy,
            state.grad,
            fresh,
            beta,
            params.step_size,
            params.n_leapfrog,
            jitter=self.jitter,
            reproject_every=REPROJECT_EVERY,
        )
        if fused is not None:
            return ChainState(fused.x, fused.energy, fused.grad), StepInfo(*fused[3:])
        u_accept, u_jitter = streams.uniform(Purpose.ACCEPT, step, 2).unbind(-1)
        noise = streams.normal(Purpose.MOMENTUM, step, system.n_sites, system.dtype)
        momentum = system.manifold.project_tangent(state.x, noise)
        step_size = params.step_size * (1 + self.jitter * (2 * u_jitter - 1)).to(system.dtype)
        start = replace(state, momentum=momentum)
        end = leapfrog(system, start, beta, step_size, params.n_leapfrog, fresh, longest=params.longest)
        info = metropolis(u_accept, energy_error(start, end, beta))
        return select(info.is_accepted, end, state), info
