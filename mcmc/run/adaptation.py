"""What burn-in learns: step sizes every sweep, the ladder at the end of every round but the last."""

from typing import Any

from mcmc.exchange.barrier import equalise, measure_barrier, recommended_n_temperatures, rejection_rates
from mcmc.exchange.state import reset_statistics
from mcmc.observers.base import StepStatistics
from mcmc.run.rounds import Round
from mcmc.run.simulation import Simulation


def learn_from_sweep(simulation: Simulation, statistics: StepStatistics, burn_in_round: Round, sweep: int) -> None:
    """Update step sizes after burn-in sweep number `sweep` (counted from 0), and the ladder when its round ends."""
    tuner = simulation.tuner
    if sweep < burn_in_round.tune_stop and simulation.config.sampler.step_size is None:
        acceptance = statistics.acceptance.mean((0, 2)) / statistics.n_steps
        tuner.update(acceptance, counts=burn_in_round.counts(sweep))
        if sweep + 1 == burn_in_round.tune_stop:
            tuner.finish_round()
    if sweep + 1 == burn_in_round.stop:
        _finish_round(simulation, burn_in_round)


def has_swap_attempts(simulation: Simulation) -> bool:
    """True once every pair of neighbours has been tried."""
    attempts = simulation.exchange.n_attempts
    return bool(attempts.size and attempts.min() > 0)


def _finish_round(simulation: Simulation, burn_in_round: Round) -> None:
    record: dict[str, Any] = {
        "sweeps": [burn_in_round.start, burn_in_round.stop],
        "beta": list(simulation.ladder.betas),
        "step_size": simulation.tuner.step_size.tolist(),
    }
    if has_swap_attempts(simulation):
        barrier = measure_barrier(simulation.ladder, rejection_rates(simulation.exchange))
        record |= {
            "rejection": barrier.rejection.tolist(),
            "barrier": barrier.global_barrier,
            "round_trip_rate_bound": barrier.round_trip_rate,
            "recommended_n_temperatures": recommended_n_temperatures(barrier.global_barrier),
            "report": barrier.report(),
        }
        if simulation.config.tempering.adapt and not burn_in_round.is_last and len(simulation.ladder.betas) > 2:
            old = simulation.ladder
            simulation.ladder = equalise(old, barrier.rejection)
            simulation.tuner.move_to_ladder(old.numpy(), simulation.ladder.numpy())
    simulation.ladder_history.append(record)
    reset_statistics(simulation.exchange)
