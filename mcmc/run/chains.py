"""Chains of any `System`: the loop of a run, explore and exchange, for systems that no configuration describes.

The kernels, the step-size tuner and the exchange are those of `Simulation`; nothing here knows what is sampled. Draws
stay in memory: this is for checks against exact answers and for measurements that end within minutes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mcmc.errors import NonFiniteEnergyError
from mcmc.exchange import ops
from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import (
    beta_of_slot,
    initial_exchange_state,
    reset_statistics,
    to_temperature_order,
)
from mcmc.kernels.base import Kernel, StepInfo, StepParams
from mcmc.kernels.tuning import StepSizeTuner
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class ChainPlan:
    """How a system is sampled.

    Attributes:
        betas:          increasing inverse temperatures.
        n_replicas:     independent copies of the ladder in each system.
        n_burn_in:      sweeps before the first draw; step sizes adapt in the first three quarters of them.
        n_draws:        sweeps that are drawn.
        steps_per_sweep: kernel steps of a sweep.
        n_leapfrog:     leapfrog steps of a trajectory.
        step_size:      fixed, for every temperature; None adapts it to the target acceptance of the kernel.
        exchange:       replica exchange after each sweep.
    """

    betas: Sequence[float] = (1.0,)
    n_replicas: int = 64
    n_burn_in: int = 100
    n_draws: int = 100
    steps_per_sweep: int = 1
    n_leapfrog: int = 8
    step_size: float | None = None
    exchange: bool = True


@dataclass(frozen=True)
class ChainDraws:
    """What the chains did after burn-in, in temperature order.

    Attributes:
        energy:     (n, D, K, R) float64, extensive.
        observed:   (n, D, K, R, ...) float64, what `observe` made of the positions.
        acceptance: (K,) mean Metropolis acceptance.
        exp_minus_energy_error: (D, K, R) mean of exp(-dH), 1 in equilibrium.
        swap_rejection: (K - 1,) of neighbouring temperatures.
        step_size:  (K,) in use.
    """

    energy: np.ndarray
    observed: np.ndarray
    acceptance: np.ndarray
    exp_minus_energy_error: np.ndarray
    swap_rejection: np.ndarray
    step_size: np.ndarray


def draw_chains(
    system: System, kernel: Kernel, start: Tensor, plan: ChainPlan, observe: Callable[[Tensor], Tensor], *, seed: int
) -> ChainDraws:
    """Sample exp(-beta H) at every temperature of the plan.

    Args:
        start:   (D, K R, n_sites), a position for every chain; chain = slot * n_replicas + replica.
        observe: positions (D, K, R, n_sites) in temperature order -> (D, K, R, ...).
    Raises:
        NonFiniteEnergyError: a proposal had an energy that is NaN or infinite.
    """
    chains = _Chains(system, kernel, plan, start, seed)
    n_tuned = 0 if plan.step_size is not None else 3 * plan.n_burn_in // 4
    for sweep in range(plan.n_burn_in):
        statistics = chains.advance(sweep)
        if sweep < n_tuned:
            chains.tuner.update(statistics[..., 0].mean((0, 2)), counts=sweep >= n_tuned // 2)
            if sweep == n_tuned - 1:
                chains.tuner.finish_round()
    reset_statistics(chains.exchange)
    total = torch.zeros(*chains.shape, 4, dtype=torch.float64, device=system.device)
    energy, observed = [], []
    for sweep in range(plan.n_burn_in, plan.n_burn_in + plan.n_draws):
        total += chains.advance(sweep)
        energy.append(chains.in_order(chains.state.energy))
        observed.append(observe(chains.in_order(chains.state.x)))
    total /= plan.n_draws
    attempts = np.maximum(chains.exchange.n_attempts, 1) * chains.shape[0] * chains.shape[2]
    return ChainDraws(
        torch.stack(energy).cpu().numpy(),
        torch.stack(observed).cpu().numpy(),
        total[..., 0].mean((0, 2)).cpu().numpy(),
        total[..., 3].cpu().numpy(),
        1 - chains.exchange.accept_sum.sum((0, 2)).cpu().numpy() / attempts,
        chains.tuner.step_size.cpu().numpy(),
    )


class _Chains:
    """The state of all chains, and one sweep of it."""

    def __init__(self, system: System, kernel: Kernel, plan: ChainPlan, start: Tensor, seed: int):
        self.system, self.kernel, self.plan, device = system, kernel, plan, system.device
        self.shape = (len(system.network_ids), len(plan.betas), plan.n_replicas)
        self.beta = BetaLadder(tuple(plan.betas)).tensor(device)
        chain_ids = torch.arange(self.shape[1] * self.shape[2], device=device)
        self.streams = Streams(seed, system.network_ids, chain_ids)
        self.swap_streams = self.streams.for_chains(slice(self.shape[2]))
        self.state = kernel.init(self.streams, system, start)
        self.exchange = initial_exchange_state(*self.shape, device=device)
        self.tuner = _tuner(plan, kernel, device)

    def in_order(self, values: Tensor) -> Tensor:
        """(D, K R, ...) by chain -> (D, K, R, ...) by temperature."""
        return to_temperature_order(values.view(*self.shape, *values.shape[2:]), self.exchange)

    def advance(self, sweep: int) -> Tensor:
        """Explore, exchange: (D, K, R, 4) statistics of the steps, averaged, in temperature order."""
        plan, n_networks = self.plan, self.shape[0]
        step_size = self.tuner.step_size[self.exchange.temp_of_slot.view(n_networks, -1)].to(self.system.dtype)
        params = StepParams(step_size, plan.n_leapfrog, plan.n_leapfrog, redraw_at_zero=plan.betas[0] == 0)
        beta = beta_of_slot(self.beta, self.exchange).view(n_networks, -1)
        statistics = torch.zeros(*beta.shape, 4, dtype=torch.float64, device=self.system.device)
        for step in range(sweep * plan.steps_per_sweep, (sweep + 1) * plan.steps_per_sweep):
            self.state, info = self.kernel.step(self.streams, self.system, self.state, beta, params, step)
            _raise_if_nonfinite(info, beta, step)
            statistics += info.statistics / plan.steps_per_sweep
        in_order = self.in_order(statistics)
        if plan.exchange and self.shape[1] > 1:
            parity = sweep % 2
            u = self.swap_streams.uniform(Purpose.SWAP, sweep, (self.shape[1] - parity) // 2).transpose(1, 2)
            ops.exchange(u.contiguous(), self.state.energy.view(self.shape), self.beta, self.exchange, parity)
        return in_order


def _tuner(plan: ChainPlan, kernel: Kernel, device: torch.device) -> StepSizeTuner:
    """Unbounded: a flat space has no quarter turn to stop at."""
    guess = math.log(plan.step_size or 0.1)
    log_step = torch.full((len(plan.betas),), guess, dtype=torch.float64, device=device)
    return StepSizeTuner(log_step, torch.full_like(log_step, math.inf), kernel.target_acceptance)


def _raise_if_nonfinite(info: StepInfo, beta: Tensor, step: int) -> None:
    if not bool(info.is_nonfinite.any()):
        return
    place, chain = (int(i) for i in torch.nonzero(info.is_nonfinite)[0])
    value = float(beta[place, chain])
    raise NonFiniteEnergyError(
        f"energy is NaN or infinite: network {place}, chain {chain}, kernel step {step}, beta = {value:.6g}. "
        "Use a smaller step size, or scales for which the energy stays finite.",
        network=place,
        chain=chain,
        step=step,
        beta=value,
    )
