"""The frozen part of a run: what is observed, and how it is cut into segments."""

from typing import Any

import numpy as np
import torch

from mcmc.config import RunConfig
from mcmc.errors import CheckpointError
from mcmc.exchange.state import reset_statistics
from mcmc.io.directory import RunDirectory
from mcmc.io.schema import Key
from mcmc.io.segment import write_segment
from mcmc.observers.base import Measurement, Observer
from mcmc.observers.cross import CrossTemperature
from mcmc.observers.histogram import OverlapHistogram
from mcmc.observers.identity import IdentityA, WeightIdentities
from mcmc.observers.series import Series
from mcmc.run.simulation import Simulation
from mcmc.run.stretch import DrawSchedule


class Production:
    """The observers of a run, and the segment that they are filling.

    Attributes:
        n_done: production sweeps done.
    """

    def __init__(self, config: RunConfig, simulation: Simulation):
        self.config, self.simulation = config, simulation
        self.n_done = 0
        self._observe = simulation.recorded(self._measure)
        device, ranges = simulation.system.device, simulation.system.overlap_ranges()
        n_networks, n_temperatures, _ = simulation.shape
        capacity = config.segment_sweeps // config.run.measure_every
        n_layers = len(ranges) if config.output.overlaps else None
        self.observers: dict[str, Observer] = {"series": Series(capacity, simulation.shape, n_layers, device)}
        if config.output.overlaps:
            self.observers["histogram"] = OverlapHistogram(
                n_networks, n_temperatures, ranges, config.output.n_bins, device
            )
            self.observers["identity_a"] = IdentityA(n_networks, n_temperatures, device)
            self.observers["weight_identity"] = WeightIdentities(n_networks, n_temperatures, config.model.depth, device)
        if config.output.cross_temperature:
            self.observers["cross_temperature"] = CrossTemperature(n_networks, n_temperatures, device)

    def begin(self) -> None:
        """Forget what burn-in counted; permutations and walkers' directions stay."""
        reset_statistics(self.simulation.exchange)
        self.simulation.diagnostics.reset()
        self.simulation.checks.reset()

    def advance_by(self, n_sweeps: int) -> int:
        """Do and observe so many sweeps, or fewer: never past the end of a segment. Returns how many."""
        every = self.config.run.measure_every
        left = min(self._segment_end() - self.n_done, n_sweeps)
        stretch = self.simulation.advance_by(left, DrawSchedule(every - self.n_done % every, every))
        self.n_done += stretch.n_sweeps
        if stretch.drawn is not None:
            if len(stretch.drawn.energy):
                self._take(stretch.drawn)
        elif self.n_done % every == 0:
            self._observe()
        return stretch.n_sweeps

    def bytes_per_draw(self) -> int:
        """Of the float64 numbers that are measured after a sweep."""
        n_networks, n_temperatures, n_replicas = self.simulation.shape
        n_layers = len(self.simulation.system.overlap_ranges()) if self.config.output.overlaps else 0
        numbers = n_replicas + n_layers * n_replicas * (n_replicas + 1) // 2 + 2 * n_layers
        return 8 * n_networks * n_temperatures * numbers

    def has_completed_segment(self) -> bool:
        """True if the last sweep was the last of a segment."""
        return self.n_done % self.config.segment_sweeps == 0 or self.n_done == self.config.run.n_sweeps

    def _segment_end(self) -> int:
        size = self.config.segment_sweeps
        return min((self.n_done // size + 1) * size, self.config.run.n_sweeps)

    def write_segment(self, directory: RunDirectory) -> None:
        """Write the segment that the last sweep completed, and begin the next."""
        if len(self.simulation.checks) == 0:
            self.simulation.check()
        index = (self.n_done - 1) // self.config.segment_sweeps
        first = index * self.config.segment_sweeps
        write_segment(
            directory.segment(index),
            self._arrays(),
            self._scales(first),
            {
                "index": index,
                "first_sweep": first + 1,
                "n_sweeps": self.n_done - first,
                "config": self.config.physics(),
                "physics_hash": self.config.physics_hash(),
                "forces": {"used": self.simulation.forces, "fallback": self.simulation.fallback},
            },
        )
        for observer in self.observers.values():
            observer.reset()
        self.begin()

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The unfinished segment, for a checkpoint."""
        arrays: dict[str, np.ndarray] = {}
        for name, observer in self.observers.items():
            arrays |= {f"observers/{name}/{key}": tensor.cpu().numpy() for key, tensor in observer.tensors.items()}
        return arrays, {"n_done": self.n_done}

    def load_arrays(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Take over what `to_arrays` gave.

        Raises:
            CheckpointError: it was written by a version that observed other things.
        """
        wanted = {f"observers/{name}/{key}" for name, observer in self.observers.items() for key in observer.tensors}
        missing = sorted(wanted - arrays.keys())
        if missing:
            raise CheckpointError(
                f'the checkpoint lacks {", ".join(missing)}: another version of mlp-gibbs wrote it (see "version" in '
                "run.json). Finish the run with that version, or start again with another --out.",
                missing=missing,
            )
        self.n_done = facts["n_done"]
        for name, observer in self.observers.items():
            for key, tensor in observer.tensors.items():
                tensor.copy_(torch.from_numpy(arrays[f"observers/{name}/{key}"]))

    def _measure(self) -> None:
        self._take(self.simulation.measure().as_draws())

    def _take(self, draws: Measurement) -> None:
        for observer in self.observers.values():
            observer.observe_all(draws)

    def _arrays(self) -> dict[str, np.ndarray]:
        simulation, exchange = self.simulation, self.simulation.exchange
        arrays: dict[str, np.ndarray] = {
            Key.BETA: np.asarray(simulation.ladder.betas),
            Key.STEP_SIZE: simulation.tuner.step_size.cpu().numpy(),
            Key.N_LEAPFROG: np.array(simulation.n_leapfrog),
            Key.SWAP_ACCEPTANCE_SUM: exchange.accept_sum.cpu().numpy(),
            Key.SWAP_COUNT: exchange.swap_count.cpu().numpy(),
            Key.SWAP_ATTEMPTS: np.asarray(exchange.n_attempts),
            Key.ROUND_TRIPS: exchange.round_trips.cpu().numpy(),
        }
        for observer in self.observers.values():
            arrays |= observer.result()
        return arrays | simulation.diagnostics.result() | simulation.checks.result()

    def _scales(self, first: int) -> dict[str, np.ndarray]:
        _, n_temperatures, n_replicas = self.simulation.shape
        every = self.config.run.measure_every
        n_layers = len(self.simulation.system.overlap_ranges())
        n_bins = self.config.output.n_bins
        lengths = {
            "neighbour": n_temperatures - 1,
            "replica": n_replicas,
            "slot": n_temperatures,
            "pair": n_replicas * (n_replicas - 1) // 2,
            "layer": n_layers,
            "bin": n_bins + 2,
            "edge": n_bins + 1,
        }
        scales = {
            "draw": np.arange(first - first % every + every, self.n_done + 1, every),
            "network": self.simulation.system.network_ids.cpu().numpy(),
            "temperature": np.asarray(self.simulation.ladder.betas),
            "other_temperature": np.asarray(
                self.simulation.ladder.betas if self.config.output.cross_temperature else []
            ),
            "moment": np.arange(1, 5),
            "hidden_layer": np.arange(1, n_layers),
            "check": self.simulation.checks.arrays["sweep"] - self.config.run.n_burn_in,
            **{name: np.arange(length) for name, length in lengths.items()},
        }
        return {name: values for name, values in scales.items() if len(values)}
