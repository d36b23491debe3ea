"""The whole state of a run in memory, and one sweep of it."""

import warnings
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from mcmc.config import RunConfig
from mcmc.exchange import ops
from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import (
    ExchangeState,
    beta_of_slot,
    count_attempts,
    initial_exchange_state,
    to_temperature_order,
)
from mcmc.kernels.base import ChainState, Kernel, StepParams, initial_positions
from mcmc.kernels.registry import leapfrog_steps, make_kernel, max_step_size
from mcmc.kernels.tuning import StepSizeTuner
from mcmc.observers.acceptance import StepDiagnostics
from mcmc.observers.base import Measurement, StepStatistics
from mcmc.observers.cross import cross_moments
from mcmc.rng import Streams
from mcmc.run.build import Block, build_blocks, build_system, choose_blocks, initial_ladder, with_blocks
from mcmc.run.checks import CHECK_EVERY, CheckRecord, check_one_of_each_temperature, defect_of
from mcmc.run.graph import CudaRecorder, Recorded, RecordedSweep, Recorder, Work, choose_graphs
from mcmc.run.nonfinite import NonFiniteRecord
from mcmc.run.precision import choose_forces
from mcmc.run.stretch import NO_DRAWS, DrawSchedule, Stretch, in_one_call, step_statistics, sweep_arrays
from mcmc.systems.base import System, joined

CUDA_CHECK_EVERY = 32  # sweeps between looks at the non-finite flag: each look waits for the device


@dataclass
class Simulation:
    """Everything that a sweep reads or writes; observers of the production are the driver's.

    Attributes:
        sweep:       sweeps done, burn-in included; it numbers the noise, so it never goes back.
        nonfinite:   energies that are NaN or infinite.
        checks:      of trajectories, since the last segment.
        forces:      precision of the forces in use (`mcmc.run.precision`).
        fallback:    sweep, earlier precision and reason of the change to forces as fine as the positions; or None.
        recorder:    makes graphs of sweeps; None where each operation is launched on its own.
    """

    config: RunConfig
    system: System
    blocks: list[Block]
    kernel: Kernel
    ladder: BetaLadder
    tuner: StepSizeTuner
    n_leapfrog: list[int]
    chains: list[ChainState]
    exchange: ExchangeState
    sweep: int = 0
    ladder_history: list[dict[str, Any]] = field(default_factory=list)
    diagnostics: StepDiagnostics = field(init=False)
    checks: CheckRecord = field(init=False)
    forces: str = field(init=False)
    fallback: dict[str, Any] | None = None
    recorder: Recorder | None = None
    nonfinite: NonFiniteRecord = field(init=False)

    def __post_init__(self) -> None:
        self.diagnostics = StepDiagnostics(self.shape, self.system.device)
        self.checks = CheckRecord(self.shape[1])
        self.forces = choose_forces(self.config, self.system.device).used
        self.nonfinite = NonFiniteRecord(self.shape, self.system.device)
        replicas = torch.arange(self.shape[2], device=self.system.device)
        self._swap_streams = Streams(self.config.run.seed, self.system.network_ids, replicas)
        self._recorded_sweep = None
        if self.recorder is not None:
            sums = torch.zeros((4, *self.shape), dtype=torch.float64, device=self.system.device)
            statistics = StepStatistics(sums[0], sums[1], sums[2], sums[3], self.config.sampler.steps_per_sweep)
            self._recorded_sweep = RecordedSweep(
                self._sweep, lambda: self.chains, statistics, self.recorder, self._fixed
            )

    @classmethod
    def start(cls, config: RunConfig, device: torch.device, *, recorder: Recorder | None = None) -> "Simulation":
        """A run at sweep 0: networks drawn, every chain at an independent uniform point.

        Args:
            recorder: of sweeps; if not given, the one that `run.cuda_graphs` and the device call for.
        """
        config = with_blocks(config, choose_blocks(config, device).used)
        if recorder is None and choose_graphs(config, device).is_used:
            recorder = CudaRecorder(device)
        system = build_system(config, device)
        blocks = build_blocks(config, system)
        kernel, ladder = make_kernel(config.sampler), initial_ladder(config)
        tempering = config.tempering
        n_leapfrog = leapfrog_steps(config.sampler, tempering.n_temperatures)
        log_max = torch.log(torch.tensor([max_step_size(n) for n in n_leapfrog], dtype=torch.float64, device=device))
        given = config.sampler.step_size
        log_step = log_max - 1 if given is None else torch.full_like(log_max, given).log()
        chains = [kernel.init(b.streams, b.system, initial_positions(b.streams, b.system)) for b in blocks]
        shape = (config.model.n_networks, tempering.n_temperatures, tempering.n_replicas)
        return cls(
            config,
            system,
            blocks,
            kernel,
            ladder,
            StepSizeTuner(log_step, torch.maximum(log_max, log_step), kernel.target_acceptance),
            n_leapfrog,
            chains,
            initial_exchange_state(*shape, device=device),
            recorder=recorder,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, K, R)."""
        tempering = self.config.tempering
        return self.config.model.n_networks, tempering.n_temperatures, tempering.n_replicas

    @property
    def beta(self) -> Tensor:
        """(K,) float64, the ladder on the device."""
        return _on_device(self.ladder.betas, torch.float64, self.system.device)

    def energy_by_slot(self) -> Tensor:
        """(D, K, R) float64, by slot."""
        energy = [chains.energy for chains in self.chains]
        return (energy[0] if len(energy) == 1 else torch.cat(energy)).view(self.shape)

    def advance(self) -> StepStatistics:
        """One sweep: explore, exchange; the step diagnostics take it in."""
        return self.advance_by(1).statistics

    def advance_by(self, n_sweeps: int, draws: DrawSchedule = NO_DRAWS) -> Stretch:
        """So many sweeps, or fewer: never past the next check, and one where the system takes no more in a call."""
        n_sweeps = min(n_sweeps, CHECK_EVERY - self.sweep % CHECK_EVERY)
        stretch = self._in_one_call(n_sweeps, draws)
        if stretch is not None:
            self.diagnostics.count(stretch.n_sweeps * stretch.statistics.n_steps)
        else:
            run = self._recorded_sweep or self._sweep_of
            stretch = Stretch(1, run(self.sweep), None)
        for first in range(min(stretch.n_sweeps, 2) if self._exchanges else 0):
            count_attempts(self.exchange, (self.sweep + first) % 2, (stretch.n_sweeps - first + 1) // 2)
        self.sweep += stretch.n_sweeps
        if self.sweep % CHECK_EVERY == 0:
            self.check()
        if self.system.device.type != "cuda" or self.sweep % CUDA_CHECK_EVERY == 0:
            self.raise_if_nonfinite()
        return stretch

    def recorded(self, work: Work) -> Work:
        """Work on the state of this simulation, recorded where sweeps are."""
        return work if self.recorder is None else Recorded(work, self.recorder, self._fixed)

    def check(self) -> None:
        """Check trajectories of the present state; fall back to finer forces, with a warning, if they fail."""
        if self.kernel.n_gradients_per_step == 0:
            return
        network = self.sweep // CHECK_EVERY % self.shape[0]
        i = next(i for i, block in enumerate(self.blocks) if block.start <= network < block.stop)
        check = check_one_of_each_temperature(
            self.blocks[i],
            self.chains[i],
            self.exchange,
            network=network,
            sweep=self.sweep,
            beta=self.beta,
            step_size=self.tuner.step_size,
            n_leapfrog=self.n_leapfrog,
        )
        self.checks.append(check, network_id=int(self.system.network_ids[network]), sweep=self.sweep)
        defect = defect_of(check)
        if defect is not None and self.fallback is None:
            self._fall_back(defect)

    def measure(self) -> Measurement:
        """The present state in temperature order, with overlaps if the run measures them."""
        energy = to_temperature_order(self.energy_by_slot(), self.exchange)
        overlaps = cross = None
        if self.config.output.overlaps:
            parts, crossed = [], []
            for block, chains in zip(self.blocks, self.chains, strict=True):
                x = chains.x.view(block.stop - block.start, *self.shape[1:], -1)
                in_order = to_temperature_order(x, self.exchange, slice(block.start, block.stop))
                parts.append(block.system.overlaps(in_order))
                if self.config.output.cross_temperature:
                    crossed.append(cross_moments(in_order))
            overlaps = joined(parts)
            cross = torch.cat(crossed) if crossed else None
        return Measurement(self.beta, energy, self.system.n_sites, overlaps, cross)

    def raise_if_nonfinite(self) -> None:
        """Stop on a NaN or infinite energy, with its network, chain, step and beta."""
        self.nonfinite.raise_if_any(self.system.network_ids)

    def _fall_back(self, defect: str) -> None:
        self.fallback = {"sweep": self.sweep, "from": self.forces, "reason": defect}
        self.use_finest_forces()
        if self.forces == self.fallback["from"]:
            advice = f'{self.forces} is all there is: use shorter trajectories, or run.dtype = "float64"'
        else:
            advice = f"forces are {self.forces} from here on"
        warnings.warn(
            f"sweep {self.sweep}, {self.fallback['from']} forces: {defect}; {advice}", RuntimeWarning, stacklevel=3
        )

    def use_finest_forces(self) -> None:
        """Forces as fine as the positions from here on, where the system has them."""
        finer = self.system.with_finest_forces()
        if finer is None:
            return
        self.system, self.forces = finer, "float32"
        self.blocks = build_blocks(self.config, finer)
        for i, (block, chains) in enumerate(zip(self.blocks, self.chains, strict=True)):
            if chains.grad is not None:
                self.chains[i] = replace(chains, grad=block.system.energy_and_grad(chains.x)[1])

    @property
    def _exchanges(self) -> bool:
        return self.config.tempering.exchange and self.shape[1] > 1

    def _in_one_call(self, n_sweeps: int, draws: DrawSchedule) -> Stretch | None:
        """The sweeps by one operator, in place; None where there is none."""
        if len(self.blocks) > 1 or self.recorder is not None:
            return None
        arrays = sweep_arrays(
            self.chains[0],
            self.exchange,
            beta=self.beta,
            step_size=self.tuner.step_size,
            n_leapfrog=_on_device(tuple(self.n_leapfrog), torch.int64, self.system.device),
            diagnostics=self.diagnostics,
            nonfinite=self.nonfinite,
        )
        return in_one_call(
            self.config, self.kernel, self.blocks[0], self._swap_streams, arrays, self.sweep, n_sweeps, draws
        )

    def _sweep_of(self, number: int) -> StepStatistics:
        return self._sweep(number, number % 2)

    def _sweep(self, number: int | Tensor, parity: int) -> StepStatistics:
        """Everything of a sweep that happens on the device."""
        sums = self.explore(number)
        return self.count_and_swap(sums, number, parity if self._exchanges else None)

    def _fixed(self) -> tuple[object, ...]:
        """What a recorded sweep or measurement takes for granted; all else it reads where it lies."""
        return (self.system, self.ladder, self.exchange, self.beta, self._leapfrog_steps)

    @property
    def _leapfrog_steps(self) -> int | Tensor:
        """Of every temperature: one number, or (K,) int64 on the device."""
        if len(set(self.n_leapfrog)) == 1:
            return self.n_leapfrog[0]
        return _on_device(tuple(self.n_leapfrog), torch.int64, self.system.device)

    def explore(self, number: int | Tensor) -> Tensor:
        """`steps_per_sweep` kernel steps of every chain.

        Args:
            number: of the sweep, which numbers the noise; or (1,) int64 that holds it.
        Returns:
            (D, C, 4) float64, the statistics of `StepInfo` summed over the steps, by slot.
        """
        n_networks = self.shape[0]
        steps = self.config.sampler.steps_per_sweep
        beta = beta_of_slot(self.beta, self.exchange).view(n_networks, -1)
        temperature = self.exchange.temp_of_slot.view(n_networks, -1)
        step_size = self.tuner.step_size[temperature].to(self.system.dtype)
        n_leapfrog = self._leapfrog_steps
        if isinstance(n_leapfrog, Tensor):
            n_leapfrog = n_leapfrog[temperature]
        statistics = []
        for i, block in enumerate(self.blocks):
            part = slice(block.start, block.stop)
            params = StepParams(
                step_size[part],
                n_leapfrog[part] if isinstance(n_leapfrog, Tensor) else n_leapfrog,
                max(self.n_leapfrog),
                redraw_at_zero=self.ladder.betas[0] == 0,
            )
            total: Tensor | None = None
            for i_step in range(steps):
                step = number * steps + i_step
                self.chains[i], info = self.kernel.step(
                    block.streams, block.system, self.chains[i], beta[part], params, step
                )
                self.nonfinite.note(info.is_nonfinite, beta, part, step)
                total = info.statistics if total is None else total + info.statistics
            assert total is not None
            statistics.append(total)
        return torch.cat(statistics) if len(statistics) > 1 else statistics[0]

    def count_and_swap(self, sums: Tensor, number: int | Tensor, parity: int | None) -> StepStatistics:
        """Diagnostics of what `explore` returned, then replica exchange; `advance` counts attempts."""
        steps = self.config.sampler.steps_per_sweep
        in_order = ops.count_and_swap(
            sums,
            self.energy_by_slot(),
            self.beta,
            self.exchange,
            self._swap_streams,
            number,
            parity,
            self.diagnostics.sums,
        )
        self.diagnostics.count(steps)
        return step_statistics(in_order, steps)


@lru_cache(maxsize=16)
def _on_device(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers as a tensor, copied to the device once and not every sweep: each copy would make the device wait."""
    return torch.tensor(values, dtype=dtype, device=device)
