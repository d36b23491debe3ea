"""The loop of a run: burn in, produce, checkpoint, leave politely on a signal, resume as if nothing had happened."""

import json
import signal
import socket
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from mcmc import native
from mcmc._version import __version__
from mcmc.config import RunConfig
from mcmc.errors import CheckpointError, ConfigError, MlpGibbsError, RunDirectoryError, SegmentError
from mcmc.interrupt import EXIT_INTERRUPTED, noted_signals
from mcmc.io.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mcmc.io.directory import BURN_IN_FILE, RUN_FILE, UNTIL_ERROR_FILE, RunDirectory
from mcmc.io.lock import Lock
from mcmc.io.segment import read_segment
from mcmc.run import snapshot
from mcmc.run.adaptation import learn_from_sweep
from mcmc.run.build import (
    available_memory_bytes,
    choose_blocks,
    resolve_device,
    why_no_cuda,
    with_blocks,
)
from mcmc.run.graph import choose_graphs
from mcmc.run.memory import memory_bytes
from mcmc.run.pace import Pace
from mcmc.run.precision import choose_forces
from mcmc.run.production import Production
from mcmc.run.progress import Progress
from mcmc.run.rounds import burn_in_rounds
from mcmc.run.simulation import Simulation
from mcmc.systems.mlp.batched import compile_failure


class Until(Protocol):
    """Asked at the end of each segment whether that is enough."""

    def __call__(self, path: Path, *, is_last: bool) -> dict[str, Any]:
        """A record with `is_reached` and `reason`, a function of the segments in the directory alone.

        Raises:
            MlpGibbsError: going on will never be enough; not if this was the last segment.
        """
        ...


@dataclass(frozen=True)
class RunOutcome:
    """How an attempt ended.

    Attributes:
        is_complete: False if a signal stopped it; the same command resumes.
        sweep, n_total: sweeps done and wanted, burn-in included.
        seconds:     of this attempt.
        signal_name: the signal that stopped it.
        reason:      why it stopped, where target errors were given.
    """

    directory: str
    is_complete: bool
    sweep: int
    n_total: int
    seconds: float
    signal_name: str | None = None
    reason: str | None = None

    @property
    def exit_code(self) -> int:
        """0 when complete, 75 when interrupted."""
        return 0 if self.is_complete else EXIT_INTERRUPTED


def run(config: RunConfig, directory: Path, *, is_quiet: bool = False, until: Until | None = None) -> RunOutcome:
    """Start the run in the directory, or resume it from its last checkpoint, until it is complete or a signal comes.

    A resumed run ends with the same bytes in its segments as an uninterrupted one on the same machine; one that `until`
    stops has the first segments of one that it does not.

    Raises:
        DeviceError, ConfigError: before anything is written.
        RunDirectoryError, CheckpointError, SegmentError: the directory is not what was left there.
        NonFiniteEnergyError, StorageError: the last checkpoint is intact.
    """
    device = resolve_device(config.run.device)
    blocks = choose_blocks(config, device)
    in_blocks = with_blocks(config, blocks.used)
    refuse_if_too_large(in_blocks, device)
    run_directory = RunDirectory(directory)
    choices = _choices(config, device) | {"block_networks": vars(blocks)}
    run_directory.make()
    with run_directory.locked() as lock, noted_signals() as caught:
        is_old = run_directory.exists()
        run_directory.open_for(config, choices | _facts(device))
        run_directory.log("start", **choices)
        try:
            outcome = _Driver(in_blocks, run_directory, lock, device, is_quiet, until, is_old=is_old).go(caught)
        except MlpGibbsError as error:
            run_directory.log(type(error).__name__, message=str(error))
            raise
        run_directory.log(
            "complete" if outcome.is_complete else f"stopped by {outcome.signal_name}", sweep=outcome.sweep
        )
        return outcome


def refuse_if_too_large(config: RunConfig, device: torch.device) -> None:
    """Raise a ConfigError, with a number of networks that would fit, if the run exceeds the free memory."""
    needed, free = sum(memory_bytes(config, device).values()), available_memory_bytes(device)
    if needed > free:
        fits = int(config.model.n_networks * free / needed)
        advice = f"About {fits} networks would fit at these sizes" if fits else "Not one network of this size would fit"
        raise ConfigError(
            f"this run needs about {needed / 2**30:.1f} GiB and {device} has {free / 2**30:.1f} GiB free. "
            f"{advice}; or set run.block_networks, a smaller output.segment_sweeps, or a larger run.measure_every.",
            needed_bytes=needed,
            free_bytes=free,
        )


class _Driver:
    def __init__(
        self,
        config: RunConfig,
        directory: RunDirectory,
        lock: Lock,
        device: torch.device,
        is_quiet: bool,
        until: Until | None,
        *,
        is_old: bool,
    ):
        self.config, self.directory, self.lock = config, directory, lock
        self.until, self.is_old = until, is_old
        self.rounds = burn_in_rounds(config.run.n_burn_in)
        self.total = config.run.n_burn_in + config.run.n_sweeps
        checkpoint = load_checkpoint(directory.checkpoints)
        self._check_segments(checkpoint)
        self.simulation = Simulation.start(config, device)
        self.production = Production(config, self.simulation)
        self.pace = Pace(self.production.bytes_per_draw())
        self.is_fallback_told = self.is_capture_failure_told = self.is_compile_failure_told = False
        if checkpoint is not None:
            self._take_up(checkpoint)
        self.progress = Progress(self.total, self.simulation.sweep, is_quiet=is_quiet)
        self.is_resumed = checkpoint is not None

    def _take_up(self, checkpoint: Checkpoint) -> None:
        try:
            snapshot.load_arrays(self.simulation, checkpoint.arrays, checkpoint.meta)
            self.production.load_arrays(checkpoint.arrays, checkpoint.meta)
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            writer = self.directory.read_json(RUN_FILE).get("version")
            raise CheckpointError(
                f"the checkpoint in {self.directory.checkpoints} is whole, but not laid out as mlp-gibbs {__version__} "
                f"does it ({error!r}); the run was started by {writer}. Finish it with that version, or start again "
                "with another --out. Its results files can be read.",
                writer=writer,
            ) from error
        if self.simulation.sweep >= self.config.run.n_burn_in > 0:
            self._restore_burn_in()

    def _restore_burn_in(self) -> None:
        """The checkpoint holds all of burn_in.json too."""
        content = {"rounds": self.simulation.ladder_history}
        try:
            is_intact = self.directory.read_json(BURN_IN_FILE) == json.loads(json.dumps(content))
        except RunDirectoryError:
            is_intact = False
        if not is_intact:
            warnings.warn(f"{BURN_IN_FILE} is damaged or missing: written again from the checkpoint.", stacklevel=2)
            self.directory.write_json(BURN_IN_FILE, content)

    def go(self, caught: list[int]) -> RunOutcome:
        started = saved = time.monotonic()
        if self.is_resumed:
            self.progress.note(f"resuming {self.directory.path} at sweep {self.simulation.sweep} of {self.total}")
        try:
            if self.simulation.sweep == self.config.run.n_burn_in == 0:
                self._save()  # results without any checkpoint could not be continued after a kill
            stop = self._why_stop()
            while self.simulation.sweep < self.total and not caught and stop is None:
                is_milestone = self._advance()
                if is_milestone or time.monotonic() - saved > self.config.run.checkpoint_every_s:
                    self._save()
                    saved = time.monotonic()
                if is_milestone:
                    stop = self._why_stop()
            if caught:
                self._save()
            self.progress.update(self.simulation, self._phase(), force=True)
        finally:
            self.progress.close()
        return RunOutcome(
            str(self.directory.path),
            self.simulation.sweep >= self.total or stop is not None,
            self.simulation.sweep,
            self.total,
            time.monotonic() - started,
            signal.Signals(caught[0]).name if caught else None,
            stop,
        )

    def _why_stop(self) -> str | None:
        """The reason if the targets are met by the complete segments, or if these are all; None to go on."""
        n_done = self.production.n_done
        is_last = n_done == self.config.run.n_sweeps
        if self.until is None or n_done == 0 or (n_done % self.config.segment_sweeps and not is_last):
            return None
        record = self.until(self.directory.path, is_last=is_last)
        self.progress.note(record["reason"])
        if not (record["is_reached"] or is_last):
            return None
        self.directory.write_json(UNTIL_ERROR_FILE, {"sweep": n_done, **record})
        return str(record["reason"])

    def _advance(self) -> bool:
        """Some sweeps; True when a checkpoint belongs here: burn-in or a segment has ended."""
        is_burn_in = self.simulation.sweep < self.config.run.n_burn_in
        is_milestone = self._burn_in_sweep() if is_burn_in else self._production_sweeps()
        self._tell_fallback()
        self.progress.update(self.simulation, self._phase())
        return is_milestone

    def _burn_in_sweep(self) -> bool:
        sweep, n_burn_in = self.simulation.sweep, self.config.run.n_burn_in
        statistics = self.simulation.advance()
        self._tell_fallback()
        burn_in_round = next(r for r in self.rounds if sweep < r.stop)
        learn_from_sweep(self.simulation, statistics, burn_in_round, sweep)
        if sweep + 1 < n_burn_in:
            return False
        self.progress.note(self.simulation.ladder_history[-1].get("report", "burn-in is over"))
        self.lock.verify()
        self.directory.write_json(BURN_IN_FILE, {"rounds": self.simulation.ladder_history})
        self.production.begin()
        return True

    def _production_sweeps(self) -> bool:
        self.pace.stop(self.production.advance_by(self.pace.start()))
        self._tell_fallback()
        if not self.production.has_completed_segment():
            return False
        self.simulation.raise_if_nonfinite()
        self.lock.verify()
        self.production.write_segment(self.directory)
        return True

    def _tell_fallback(self) -> None:
        fallback = self.simulation.fallback
        if fallback is not None and not self.is_fallback_told:
            self.is_fallback_told = True
            self.directory.log("fallback", to=self.simulation.forces, **fallback)
        recorder = self.simulation.recorder
        if recorder is not None and recorder.failure is not None and not self.is_capture_failure_told:
            self.is_capture_failure_told = True
            self.directory.log("no CUDA graphs", reason=recorder.failure)
            self.progress.note(f"sweeps are not captured as CUDA graphs: {recorder.failure}")
        reason = compile_failure()
        if reason is not None and not self.is_compile_failure_told:
            self.is_compile_failure_told = True
            self.directory.log("stages in plain torch", reason=reason)

    def _phase(self) -> str:
        return "burn-in" if self.simulation.sweep < self.config.run.n_burn_in else "production"

    def _save(self) -> None:
        self.simulation.raise_if_nonfinite()
        arrays, facts = snapshot.to_arrays(self.simulation)
        more_arrays, more_facts = self.production.to_arrays()
        self.lock.verify()
        save_checkpoint(self.directory.checkpoints, Checkpoint(arrays | more_arrays, facts | more_facts))

    def _check_segments(self, checkpoint: Checkpoint | None) -> None:
        """The segments that the checkpoint counts on must be there and whole; without one there must be none."""
        if checkpoint is None:
            if self.directory.segment_paths():
                raise RunDirectoryError(
                    f"{self.directory.path} has results but no checkpoint, so it cannot be continued without "
                    "overwriting them. Restore its checkpoint folder, or give another --out."
                )
            if self.is_old:
                warnings.warn(
                    f"{self.directory.path} has no checkpoint: starting again from the first sweep. An attempt that "
                    "ended before its first checkpoint leaves none.",
                    stacklevel=2,
                )
            return
        n_done = checkpoint.meta["n_done"]
        n_complete = (
            self.config.n_segments if n_done == self.config.run.n_sweeps else n_done // self.config.segment_sweeps
        )
        for index in range(n_complete):
            _, _, attributes = read_segment(self.directory.segment(index))
            is_ours = attributes["physics_hash"] == self.config.physics_hash()
            if not is_ours or attributes["index"] != index:
                what = f"is number {attributes['index']}" if is_ours else "is of another configuration than run.json"
                raise SegmentError(
                    f"{self.directory.segment(index)} {what}. Move it away and restore the right file from a copy."
                )


def _choices(config: RunConfig, device: torch.device) -> dict[str, Any]:
    """What was asked for, what is used, and why where the two differ."""
    is_second_choice = config.run.device == "auto" and device.type == "cpu"
    return {
        "device": str(device),
        "why_no_cuda": why_no_cuda() if is_second_choice else None,
        "forces": vars(choose_forces(config, device)),
        "cuda_graphs": vars(choose_graphs(config, device)),
    }


def _facts(device: torch.device) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "torch": torch.__version__,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "n_threads": torch.get_num_threads(),
        "exchange_backend": native.BACKEND,
        "extension": native.description(),
    }
