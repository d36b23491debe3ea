"""What a run would cost, before it is started: shapes, memory, floating-point operations, time."""

import resource
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from mcmc.config import RunConfig
from mcmc.kernels.registry import leapfrog_steps
from mcmc.run.build import available_memory_bytes, choose_blocks, resolve_device, with_blocks
from mcmc.run.driver import refuse_if_too_large
from mcmc.run.memory import memory_bytes
from mcmc.run.simulation import Simulation

PILOT_S = 3.0
MIN_PILOT_SWEEPS = 2
MAX_PILOT_FORCES = 1000  # of a chain in a sweep of the pilot: 10^4 steps of 10^4 forces would take hours


@dataclass(frozen=True)
class Plan:
    """The cost of a run.

    Attributes:
        memory:          bytes by use.
        flops_per_sweep: of the forces alone, which are nearly everything.
        seconds_per_sweep: measured on this machine, just now; measuring of overlaps included.
        peak_bytes:      growth of the peak memory during that pilot, to hold `memory` (less the series) against.
    """

    config: RunConfig
    device: str
    memory: dict[str, int]
    free_bytes: int
    flops_per_sweep: float
    seconds_per_sweep: float
    peak_bytes: int

    @property
    def estimated_seconds(self) -> float:
        """Of the whole run."""
        return self.seconds_per_sweep * (self.config.run.n_burn_in + self.config.run.n_sweeps)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        model, tempering = self.config.model, self.config.tempering
        return {
            "device": self.device,
            "widths": list(model.widths),
            "n_networks": model.n_networks,
            "n_temperatures": tempering.n_temperatures,
            "n_replicas": tempering.n_replicas,
            "n_chains": model.n_networks * tempering.n_temperatures * tempering.n_replicas,
            "memory_bytes": {**self.memory, "total": sum(self.memory.values())},
            "pilot_peak_bytes": self.peak_bytes,
            "free_bytes": self.free_bytes,
            "flops_per_sweep": self.flops_per_sweep,
            "seconds_per_sweep": self.seconds_per_sweep,
            "estimated_seconds": self.estimated_seconds,
            "n_segments": self.config.n_segments,
        }

    def text(self) -> str:
        """The same for people."""
        facts = self.to_json()
        memory = ", ".join(f"{use.replace('_', ' ')} {size / 2**20:.1f} MiB" for use, size in self.memory.items())
        total = sum(self.memory.values()) / 2**20
        sweeps = f"{self.config.run.n_burn_in} + {self.config.run.n_sweeps} sweeps"
        return "\n".join(
            [
                f"device            {self.device}",
                f"widths            {' x '.join(map(str, facts['widths']))}, {self.config.model.activation}",
                f"chains            {facts['n_networks']} networks x {facts['n_temperatures']} temperatures x "
                f"{facts['n_replicas']} replicas = {facts['n_chains']}",
                f"memory            {total:.1f} MiB of {self.free_bytes / 2**30:.1f} GiB free ({memory})",
                f"measured          {self.peak_bytes / 2**20:.1f} MiB more at the peak of a pilot, before any series",
                f"FLOPs per sweep   {self.flops_per_sweep:.3g}",
                f"time per sweep    {1e3 * self.seconds_per_sweep:.2f} ms (measured)",
                f"whole run         {self.estimated_seconds:.0f} s for {sweeps}, {self.config.n_segments} files",
            ]
        )


def flops_per_sweep(config: RunConfig) -> float:
    """4 sum_l N_l N_{l-1} for each force of each chain (energies alone cost half of that)."""
    tempering, sampler = config.tempering, config.sampler
    per_gradient = 4 * sum(a * b for a, b in pairwise(config.model.widths))
    steps = leapfrog_steps(sampler, tempering.n_temperatures)
    share = 0.5 if sampler.kernel == "random_walk" else 1.0
    # chains with fewer leapfrog steps wait for the longest trajectory
    gradients = max(steps) * sampler.steps_per_sweep * tempering.n_temperatures * tempering.n_replicas
    return share * per_gradient * gradients * config.model.n_networks


def plan(config: RunConfig) -> Plan:
    """Cost of the run on the device it asks for, with a few sweeps timed; nothing is written.

    Raises:
        ConfigError: it does not fit in memory.   DeviceError: the device is not there.
    """
    device = resolve_device(config.run.device)
    config = with_blocks(config, choose_blocks(config, device).used)
    refuse_if_too_large(config, device)
    peak_before = _peak_bytes(device)
    pilot, n_times = _shortened(config)
    simulation = Simulation.start(pilot, device)
    simulation.advance()  # warm-up
    _wait(device)
    start, n_sweeps = time.monotonic(), 0
    while n_sweeps < MIN_PILOT_SWEEPS or time.monotonic() - start < PILOT_S / 2:
        simulation.advance()
        if n_sweeps % config.run.measure_every == 0:
            simulation.measure()
        n_sweeps += 1
        _wait(device)
        if time.monotonic() - start > PILOT_S:
            break
    return Plan(
        config,
        str(device),
        memory_bytes(config, device),
        available_memory_bytes(device),
        flops_per_sweep(config),
        n_times * (time.monotonic() - start) / n_sweeps,
        _peak_bytes(device) - peak_before,
    )


def _shortened(config: RunConfig) -> tuple[RunConfig, float]:
    """The run with sweeps that end, and how much longer its own take."""
    sampler = config.sampler
    longest = max(leapfrog_steps(sampler, config.tempering.n_temperatures))
    if longest * sampler.steps_per_sweep <= MAX_PILOT_FORCES:
        return config, 1.0
    n_leapfrog = min(longest, MAX_PILOT_FORCES)
    short = sampler.model_copy(update={"n_leapfrog": n_leapfrog, "steps_per_sweep": 1})
    return config.model_copy(update={"sampler": short}), longest * sampler.steps_per_sweep / n_leapfrog


def _peak_bytes(device: torch.device) -> int:
    """Most memory that was ever in use, of the device or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # in KiB on Linux


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
