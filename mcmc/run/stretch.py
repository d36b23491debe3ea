"""Several sweeps in one call of a compiled operator: HMC on a system that has one."""

from typing import NamedTuple

from torch import Tensor

from mcmc.config import RunConfig
from mcmc.exchange.state import ExchangeState
from mcmc.kernels.base import ChainState, Kernel
from mcmc.kernels.hmc import Hmc
from mcmc.kernels.leapfrog import REPROJECT_EVERY
from mcmc.observers.acceptance import StepDiagnostics
from mcmc.observers.base import Measurement, StepStatistics
from mcmc.rng import Streams
from mcmc.run.build import Block
from mcmc.run.nonfinite import NonFiniteRecord
from mcmc.systems.base import SweepArrays, SweepPlan


class DrawSchedule(NamedTuple):
    """After which sweeps the state is measured.

    Attributes:
        until: after so many sweeps for the first time; 0 for never.
        every: sweeps from one to the next.
    """

    until: int
    every: int


NO_DRAWS = DrawSchedule(0, 1)


class Stretch(NamedTuple):
    """Sweeps that were done at a time.

    Attributes:
        statistics: of the last.
        drawn:      after those sweeps after which it was asked for, on a first axis; None if the caller has to measure.
    """

    n_sweeps: int
    statistics: StepStatistics
    drawn: Measurement | None


def step_statistics(in_order: Tensor, n_steps: int) -> StepStatistics:
    """Of (4, D, K, R) sums over the steps."""
    acceptance, error, square, exp = in_order.unbind(0)
    return StepStatistics(acceptance, error, square, exp, n_steps)


def sweep_arrays(
    state: ChainState,
    exchange: ExchangeState,
    *,
    beta: Tensor,
    step_size: Tensor,
    n_leapfrog: Tensor,
    diagnostics: StepDiagnostics,
    nonfinite: NonFiniteRecord,
) -> SweepArrays | None:
    """What the sweeps write, and what is fixed while they run, (K,) each; None for kernels without forces."""
    if state.grad is None:
        return None
    of_exchange = (
        exchange.slot_of_temp,
        exchange.temp_of_slot,
        exchange.accept_sum,
        exchange.swap_count,
        exchange.direction,
        exchange.round_trips,
    )
    return SweepArrays(
        state.x,
        state.energy,
        state.grad,
        beta,
        step_size.to(state.x.dtype),
        n_leapfrog,
        of_exchange,
        diagnostics.sums,
        nonfinite.first_step,
        nonfinite.first_beta,
    )


def in_one_call(
    config: RunConfig,
    kernel: Kernel,
    block: Block,
    swap_streams: Streams,
    arrays: SweepArrays | None,
    first: int,
    n_sweeps: int,
    draws: DrawSchedule,
) -> Stretch | None:
    """Sweeps first to first + n_sweeps - 1 of all networks, one block; None where no operator does them.

    Overlaps between temperatures need the positions after each draw, which no operator hands out.
    """
    if arrays is None or not isinstance(kernel, Hmc) or config.output.cross_temperature:
        return None
    plan = SweepPlan(
        first=first,
        n_sweeps=n_sweeps,
        steps_per_sweep=config.sampler.steps_per_sweep,
        is_exchanging=config.tempering.exchange and len(arrays.beta) > 1,
        jitter=kernel.jitter,
        reproject_every=REPROJECT_EVERY,
        until_draw=draws.until,
        draw_every=draws.every,
        with_overlaps=config.output.overlaps,
    )
    end = block.system.fused_sweeps(block.streams, swap_streams, arrays, plan)
    if end is None:
        return None
    drawn = Measurement(arrays.beta, end.energies, block.system.n_sites, end.overlaps)
    return Stretch(n_sweeps, step_statistics(end.statistics, plan.steps_per_sweep), drawn)
