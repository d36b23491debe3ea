"""From a short pilot to a configuration that gives more effective draws of energy and overlap for its gradients."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mcmc.config import RunConfig, SamplerConfig
from mcmc.exchange.barrier import dense_barrier, fewest_temperatures
from mcmc.pilot.trajectories import Cost, equilibrate, measure_cost, restarted
from mcmc.run.adaptation import has_swap_attempts
from mcmc.run.simulation import Simulation

PILOT_NETWORKS = 16
LEAPFROG_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
PERSISTENCES = (0.8, 0.95)
TARGETS = (0.65, 0.9)  # tried beside the kernel's own
NEARLY_BEST = 1.05  # the shortest trajectory within this factor of the cheapest: more exchanges for the same gradients
EXCHANGE_SHARE = 0.02  # of the time of a sweep that exchange may take
MOST_STEPS_PER_SWEEP = 8


@dataclass(frozen=True)
class Advice:
    """What the pilot found.

    Attributes:
        config:  the configuration given, with the sampler and the number of temperatures that the pilot prefers.
        betas:   (K,) ladder of the pilot.
        before, after: cost of the sampler given and of the one preferred, on that ladder.
        tried:   every candidate.
        barrier: Lambda of a dense ladder (`dense_barrier`), measured; None without exchange.
    """

    config: RunConfig
    betas: tuple[float, ...]
    before: Cost
    after: Cost
    tried: list[Cost]
    barrier: float | None

    @property
    def gain(self) -> np.ndarray:
        """(K,) effective draws per second, after / before."""
        return self.before.seconds / self.after.seconds

    def to_json(self) -> dict[str, Any]:
        """What `mlp-gibbs tune --json` prints."""
        sampler = self.config.sampler.model_dump(mode="json")
        return {
            "sampler": sampler,
            "n_temperatures": self.config.tempering.n_temperatures,
            "barrier": self.barrier,
            "candidates": [
                {
                    "kernel": cost.sampler.kernel,
                    "n_leapfrog": cost.sampler.n_leapfrog,
                    "persistence": cost.sampler.persistence,
                    "target_acceptance": cost.sampler.target_acceptance,
                    "microseconds_per_effective_draw": (1e6 * cost.seconds).tolist(),
                }
                for cost in self.tried
            ],
            "temperatures": [
                {
                    "beta": beta,
                    "gradients_per_draw": int(n_gradients),
                    "step_size": float(self.after.step_size[k]),
                    "gradients_per_energy": float(n_gradients * self.after.energy[k]),
                    "gradients_per_overlap": _number(n_gradients * self.after.overlap[k]),
                    "gain": float(self.gain[k]),
                }
                for k, (beta, n_gradients) in enumerate(zip(self.betas, self.after.gradients_per_draw, strict=True))
            ],
        }


def advise(config: RunConfig, *, n_gradients: int) -> Advice:
    """Try trajectories of several lengths, underdamped Langevin, and acceptance targets; keep what costs least.

    Args:
        n_gradients: of each chain and candidate. The pilot has at most PILOT_NETWORKS of the run's networks.
    """
    base, barrier = _on_its_ladder(_pilot(config))
    sampler = base.config.sampler
    before = measure_cost(base, sampler, n_gradients=n_gradients)
    hmc = [
        measure_cost(base, _changed(sampler, kernel="hmc", n_leapfrog=n), n_gradients=n_gradients)
        for n in LEAPFROG_STEPS
    ]
    langevin = [
        measure_cost(base, _changed(sampler, kernel="langevin", persistence=rho), n_gradients=n_gradients)
        for rho in PERSISTENCES
    ]
    lengths = [LEAPFROG_STEPS[i] for i in _shortest_nearly_best(np.array([cost.seconds for cost in hmc]))]
    best = _changed(sampler, kernel="hmc", n_leapfrog=lengths if len(set(lengths)) > 1 else lengths[0])
    finalists = [
        measure_cost(base, _changed(best, target_acceptance=target), n_gradients=n_gradients)
        for target in (None, *TARGETS)
    ]
    tried = [before, *hmc, *langevin, *finalists]
    after = min(tried, key=lambda cost: float(cost.seconds.sum()))
    chosen = _changed(after.sampler, steps_per_sweep=_steps_per_sweep(base, after.sampler))
    tempering = config.tempering
    if tempering.betas is None:
        tempering = tempering.model_copy(update={"n_temperatures": len(base.ladder.betas)})
    tuned = config.model_copy(update={"sampler": chosen, "tempering": tempering})
    return Advice(tuned, base.ladder.betas, before, after, tried, barrier)


def _pilot(config: RunConfig) -> RunConfig:
    """The same run with fewer networks; step sizes adapt even if the run fixes them."""
    n_networks = min(config.model.n_networks, PILOT_NETWORKS)
    model = config.model.model_copy(update={"n_networks": n_networks})
    return config.model_copy(update={"model": model, "sampler": _changed(config.sampler, step_size=None)})


def _on_its_ladder(config: RunConfig) -> tuple[Simulation, float | None]:
    """Equilibrated chains, on as few temperatures as round trips allow where the ladder is free to change."""
    base = equilibrate(config)
    if not base.ladder_history or "rejection" not in base.ladder_history[-1]:
        return base, None
    barrier = dense_barrier(np.array(base.ladder_history[-1]["rejection"]))
    wanted = fewest_temperatures(barrier)
    if config.tempering.betas is not None or wanted == len(base.ladder.betas):
        return base, barrier
    n_leapfrog = config.sampler.n_leapfrog
    sampler = config.sampler
    if isinstance(n_leapfrog, list):
        sampler = _changed(sampler, n_leapfrog=round(sum(n_leapfrog) / len(n_leapfrog)))
    tempering = config.tempering.model_copy(update={"n_temperatures": wanted})
    return equilibrate(config.model_copy(update={"sampler": sampler, "tempering": tempering})), barrier


def _shortest_nearly_best(costs: np.ndarray) -> np.ndarray:
    """(candidates, K) -> (K,) the first candidate within NEARLY_BEST of the cheapest."""
    return np.argmax(costs <= NEARLY_BEST * costs.min(axis=0), axis=0)


def _steps_per_sweep(base: Simulation, sampler: SamplerConfig) -> int:
    """Kernel steps between exchanges such that exchange takes at most EXCHANGE_SHARE of the time."""
    if not has_swap_attempts(base):
        return sampler.steps_per_sweep
    one_step = restarted(base, _changed(sampler, steps_per_sweep=1), exchange=True)
    explore = partial(one_step.explore, 0)
    swap = partial(one_step.count_and_swap, explore(), 0, 0)
    share = _median_seconds(swap) / _median_seconds(explore)
    return min(math.ceil(share / EXCHANGE_SHARE), MOST_STEPS_PER_SWEEP)


def _median_seconds(call: Callable[[], Any]) -> float:
    """Of one call, after a first that warms up."""
    call()
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _changed(sampler: SamplerConfig, **changes: Any) -> SamplerConfig:
    return sampler.model_copy(update=changes)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
