"""Chains over the weights of students, started at their teachers, with replica exchange in the inverse temperature."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mcmc.config import RunConfig, parse_config
from mcmc.errors import UsageError
from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import initial_exchange_state, to_temperature_order
from mcmc.kernels.base import Kernel, initial_positions
from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.registry import max_step_size
from mcmc.kernels.spin_flip import SpinFlip
from mcmc.kernels.tuning import StepSizeTuner
from mcmc.run.adaptation import learn_from_sweep
from mcmc.run.build import build_blocks
from mcmc.run.rounds import burn_in_rounds
from mcmc.run.simulation import Simulation
from mcmc.systems.function_space.learning import LearningSystem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LearningPlan:
    """How long and how cold.

    Attributes:
        inverse_temperatures: increasing alpha, one chain each; replica exchange between them.
        n_burn_in, n_sweeps:  sweeps before and during measurement; step sizes adapt before.
        steps_per_sweep:      kernel steps between exchanges; for binary weights, flips.
        measure_every:        sweeps between measurements.
        n_replicas:           independent ladders for each teacher.
        seed:                 of the chains.
        is_planted:           start at the teacher, not at random weights.
    """

    inverse_temperatures: tuple[float, ...]
    n_burn_in: int = 500
    n_sweeps: int = 1000
    steps_per_sweep: int = 10
    measure_every: int = 10
    n_replicas: int = 2
    seed: int = 0
    is_planted: bool = True


@dataclass(frozen=True)
class LearningDraws:
    """Measurements in temperature order.

    Attributes:
        error:      (n, D, K, R) eps.
        overlap:    (n, D, K, R, L) R_l with the teacher, hidden units matched.
        simulation: at its end.
    """

    error: Array
    overlap: Array
    simulation: Simulation


def learn(system: LearningSystem, plan: LearningPlan) -> LearningDraws:
    """Sample exp(-alpha L N^2 eps) at all temperatures.

    Raises:
        UsageError: no sweeps, or temperatures that are not increasing.
    """
    if plan.n_sweeps < 2 * plan.measure_every or plan.measure_every < 1 or plan.n_burn_in < 0:
        raise UsageError(
            f"expected at least two measurements, found {plan.n_sweeps} sweeps measured every {plan.measure_every}."
        )
    simulation = start_learning(system, plan)
    for burn_in_round in burn_in_rounds(plan.n_burn_in):
        for sweep in range(burn_in_round.start, burn_in_round.stop):
            learn_from_sweep(simulation, simulation.advance(), burn_in_round, sweep)
    simulation.diagnostics.reset()
    errors, overlaps = [], []
    for sweep in range(1, plan.n_sweeps + 1):
        simulation.advance()
        if sweep % plan.measure_every == 0:
            errors.append(to_temperature_order(simulation.energy_by_slot(), simulation.exchange) / system.n_sites)
            matched = system.matched_overlap(simulation.chains[0].x).view(*simulation.shape, system.depth)
            overlaps.append(to_temperature_order(matched.to(system.device), simulation.exchange))
    return LearningDraws(torch.stack(errors).cpu().numpy(), torch.stack(overlaps).cpu().numpy(), simulation)


def start_learning(system: LearningSystem, plan: LearningPlan, kernel: Kernel | None = None) -> Simulation:
    """The simulation at sweep 0: the loop of every other run, over weights."""
    ladder = BetaLadder(plan.inverse_temperatures)
    kernel = kernel or learning_kernel(system)
    config = _config(system, plan)
    shape = (len(system.network_ids), ladder.n_temperatures, plan.n_replicas)
    (block,) = build_blocks(config, system)
    x = system.planted(shape[1] * shape[2]) if plan.is_planted else initial_positions(block.streams, block.system)
    log_max = torch.full((shape[1],), max_step_size(1), dtype=torch.float64, device=system.device).log()
    return Simulation(
        config,
        system,
        [block],
        kernel,
        ladder,
        StepSizeTuner(log_max - 2, log_max, kernel.target_acceptance),
        [1] * shape[1],
        [kernel.init(block.streams, block.system, x)],
        initial_exchange_state(*shape, device=system.device),
    )


def learning_kernel(system: LearningSystem) -> Kernel:
    """Flips of single weights, or rotations of single rows."""
    if system.is_binary:
        return SpinFlip()
    return BlockWalk(system.depth * system.width)


def _config(system: LearningSystem, plan: LearningPlan) -> RunConfig:
    """What the loop reads of a configuration; its model is only counted."""
    return parse_config(
        {
            "model": {"activation": "linear", "n_inputs": system.n_sites, "n_networks": len(system.network_ids)},
            "sampler": {"kernel": "random_walk", "steps_per_sweep": plan.steps_per_sweep},
            "tempering": {
                "betas": list(plan.inverse_temperatures),
                "n_replicas": plan.n_replicas,
                "adapt": False,
            },
            "run": {"seed": plan.seed, "n_burn_in": plan.n_burn_in, "n_sweeps": plan.n_sweeps},
            "output": {"overlaps": False},
        }
    )
