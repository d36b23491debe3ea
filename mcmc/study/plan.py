"""Cost and precision of a study, from a pilot of every cell; and how many networks an error needs."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mcmc.config import RunConfig
from mcmc.errors import UsageError
from mcmc.names import nearest
from mcmc.run.adaptation import learn_from_sweep
from mcmc.run.build import resolve_device
from mcmc.run.memory import memory_bytes, position_bytes
from mcmc.run.rounds import burn_in_rounds
from mcmc.run.simulation import Simulation
from mcmc.study.config import Study
from mcmc.study.items import Cell, cut_into_items

PILOT_NETWORKS = 16  # the variance over networks is known to sqrt(2/15) = 37 %, its root to 18 %
FEWEST_SWEEPS = 30
BURN_IN_SHARE = 1 / 3
PROCESS_BYTES = 450 * 2**20  # of a worker before its first network: Python, torch, this package
START_S = 2.5  # of processor time, to start a run
OBSERVABLES = ("e", "q")


@dataclass(frozen=True)
class CellPlan:
    """Cost and precision of a cell.

    Attributes:
        seconds: of one core or one GPU, for all its items.
        memory_bytes, disk_bytes: of one item at work; of all items when done.
        variance: for each observable (K,): of the mean of a network over the planned sweeps, over networks.
        stderr:  for each observable, the largest over temperatures: sqrt(variance / n_networks).
        n_sweeps: of the pilot, its own burn-in left out.
    """

    cell: Cell
    n_items: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    variance: dict[str, np.ndarray]
    n_sweeps: int

    @property
    def stderr(self) -> dict[str, float]:
        n_networks = self.cell.config.model.n_networks
        return {name: math.sqrt(float(v.max()) / n_networks) for name, v in self.variance.items()}

    def networks_for(self, name: str, target: float) -> int:
        """Networks at which the error of an observable meets the target at every temperature, in whole items."""
        needed = float(self.variance[name].max()) / target**2
        return math.ceil(needed / self.cell.item_networks) * self.cell.item_networks


def plan_study(study: Study, *, pilot_s: float, device: str) -> list[CellPlan]:
    """Cost and precision of every cell, from a pilot that takes about `pilot_s` seconds for all of them together.

    Raises:
        DeviceError: the device is not there.   NonFiniteEnergyError: as a run would.
    """
    if not pilot_s > 0:
        raise UsageError(f"--pilot-seconds: expected more than 0, found {pilot_s:g}.")
    cells = list(study.cells())
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_plan_cell(cell, pilot_s / len(cells), resolve_device(device)) for cell in cells]
    finally:
        torch.set_num_threads(n_threads)


def allot_networks(study: Study, plans: list[CellPlan], target: str) -> list[int]:
    """Networks of each size, at least those of the study, with which every cell meets the target, as in e=0.002.

    Raises:
        UsageError: not NAME=NUMBER, or another observable.
    """
    name, _, text = target.partition("=")
    name = name.strip()
    if name not in OBSERVABLES:
        raise UsageError(f"--target-error {target}: unknown observable '{name}'.{nearest(name, OBSERVABLES)}")
    try:
        error = float(text)
    except ValueError:
        error = math.nan
    if not (error > 0 and math.isfinite(error)):
        raise UsageError(f"--target-error: expected a positive number, as in {name}=0.002, found '{target}'.")
    if any(name not in plan.variance for plan in plans):
        raise UsageError(f"--target-error {target}: the study measures no overlaps (output.overlaps = false).")
    return [
        max(given, *(plan.networks_for(name, error) for plan in plans if plan.cell.n_inputs == n_inputs))
        for n_inputs, given in zip(study.n_inputs, study.n_networks, strict=True)
    ]


def plan_json(plans: list[CellPlan], n_workers: int) -> dict[str, Any]:
    """Plain values."""
    seconds = sum(plan.seconds for plan in plans)
    return {
        "cells": [
            {
                "cell": plan.cell.name,
                "settings": plan.cell.settings,
                "n_inputs": plan.cell.n_inputs,
                "n_networks": plan.cell.config.model.n_networks,
                "n_items": plan.n_items,
                "hours": plan.seconds / 3600,
                "memory_bytes": plan.memory_bytes,
                "disk_bytes": plan.disk_bytes,
                "stderr": plan.stderr,
                "pilot_sweeps": plan.n_sweeps,
            }
            for plan in plans
        ],
        "worker_hours": seconds / 3600,
        "n_workers": n_workers,
        "wall_hours": seconds / 3600 / n_workers,
        "memory_bytes": n_workers * max(plan.memory_bytes for plan in plans),
        "disk_bytes": sum(plan.disk_bytes for plan in plans),
    }


def _plan_cell(cell: Cell, budget_s: float, device: torch.device) -> CellPlan:
    items = cut_into_items(cell)
    pilot = _pilot(cell.config, budget_s, device)
    run = cell.config.run
    n_sweeps = run.n_burn_in + run.n_sweeps
    seconds = pilot.seconds_per_network_sweep * cell.config.model.n_networks * n_sweeps + START_S * len(items)
    variance = {
        name: between + within * min(1.0, pilot.n_sweeps / run.n_sweeps)
        for name, (between, within) in pilot.variances.items()
    }
    of_item = memory_bytes(items[0].config, device)
    segments = of_item["series_of_a_segment"] + of_item["histograms"]
    networks = cell.config.model.n_networks / items[0].config.model.n_networks
    checkpoints = 2 * (segments + position_bytes(items[0].config))
    disk = int(networks * (cell.config.n_segments * segments + checkpoints))
    memory = PROCESS_BYTES + sum(of_item.values())
    return CellPlan(cell, len(items), seconds, memory, disk, variance, pilot.n_sweeps)


@dataclass(frozen=True)
class _Pilot:
    """variances: observable -> ((K,) between networks, (K,) of a network's mean over the pilot's n_sweeps)."""

    seconds_per_network_sweep: float
    n_sweeps: int
    variances: dict[str, tuple[np.ndarray, np.ndarray]]


def _pilot(config: RunConfig, budget_s: float, device: torch.device) -> _Pilot:
    model = config.model.model_copy(update={"n_networks": max(2, min(config.model.n_networks, PILOT_NETWORKS))})
    run = config.run.model_copy(update={"device": str(device), "block_networks": None})
    simulation = Simulation.start(config.model_copy(update={"model": model, "run": run}), device)
    simulation.advance()  # warm-up
    start, n_timed = _clock(device), 3
    for _ in range(n_timed):
        simulation.advance()
    n_affordable = int(budget_s / max((_clock(device) - start) / n_timed, 1e-9))
    n_sweeps = max(FEWEST_SWEEPS, min(n_affordable, config.run.n_burn_in + config.run.n_sweeps))
    n_burn_in = int(BURN_IN_SHARE * n_sweeps)
    for burn_in_round in burn_in_rounds(n_burn_in):
        for sweep in range(burn_in_round.start, burn_in_round.stop):
            learn_from_sweep(simulation, simulation.advance(), burn_in_round, sweep)
    sums: dict[str, torch.Tensor] = {}
    start = _clock(device)
    for _ in range(n_sweeps - n_burn_in):
        simulation.advance()
        for name, value in _observe(simulation).items():
            sums[name] = sums.get(name, 0.0) + value
    n_production = n_sweeps - n_burn_in
    seconds = (_clock(device) - start) / n_production / model.n_networks
    variances = {name: _variances((value / n_production).cpu().numpy()) for name, value in sums.items()}
    return _Pilot(seconds, n_production, variances)


def _observe(simulation: Simulation) -> dict[str, torch.Tensor]:
    """e of each replica and q^0 of each pair, (D, K, R) and (D, K, P)."""
    measurement = simulation.measure()
    found = {"e": measurement.energy.double() / measurement.n_sites}
    if measurement.overlaps is not None:
        found["q"] = measurement.overlaps.between[..., 0].double()
    return found


def _variances(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, K, R) means of chains -> (K,) variance between networks, (K,) variance of the mean over the R chains."""
    total = means.mean(axis=2).var(axis=0, ddof=1)
    if means.shape[2] < 2:
        return total, np.zeros_like(total)  # one chain cannot tell the two apart: more sweeps are not counted on
    within = means.var(axis=2, ddof=1).mean(axis=0) / means.shape[2]
    return np.maximum(total - within, 0.0), within


def _clock(device: torch.device) -> float:
    """Seconds: of this process on a CPU, where others take their share; of the wall on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()
