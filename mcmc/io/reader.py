"""All results of a run directory as one set of arrays; works while the run goes on and after it was killed.

Every segment is read and checked once, one at a time. Sums are added as they come; time series stay on the disk, from
where they are read by slices, and their means are taken on the way: what needs no series needs the memory of a segment.
"""

import json
from collections import UserDict
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from mcmc.config import RunConfig, parse_config
from mcmc.errors import InsufficientDataError, SegmentError
from mcmc.io.directory import RUN_FILE, RunDirectory
from mcmc.io.schema import CHECKS, TIME_SERIES, Key
from mcmc.io.segment import read_segment
from mcmc.io.series import Part, Series, StoredSeries

# sums over draws or steps: several segments add up
_SUMS = (
    Key.HISTOGRAM,
    Key.MOMENT_SUM,
    Key.CROSS_MOMENT_SUM,
    Key.WEIGHT_EXCESS_SUM,
    Key.WEIGHT_RESPONSE_SUM,
    Key.ENERGY_ERROR_SUM,
    Key.ENERGY_ERROR_SQUARE_SUM,
    Key.METROPOLIS_SUM,
    Key.N_STEPS,
    Key.SWAP_ACCEPTANCE_SUM,
    Key.SWAP_COUNT,
    Key.SWAP_ATTEMPTS,
    Key.ROUND_TRIPS,
)
_CONSTANTS = (Key.BETA, Key.STEP_SIZE, Key.N_LEAPFROG, Key.EDGES)


class RunArrays(UserDict[str, Any]):
    """Arrays by path of `io.schema`; of a time series the whole is read when it is first asked for, and kept.

    Attributes:
        means: (D, K, ...) of the series over draws and the axis behind the temperatures, taken when they were checked.
    """

    def __init__(self, arrays: dict[str, np.ndarray], series: Mapping[str, Series], means: dict[str, np.ndarray]):
        super().__init__({**arrays, **series})
        self.means = means

    def __getitem__(self, name: str) -> np.ndarray:
        if isinstance(self.data[name], StoredSeries):
            self.data[name] = self.data[name][:]
        return self.data[name]

    def series(self, name: str) -> Series:
        """A time series, which stays where it is."""
        return self.data[name]


@dataclass(frozen=True)
class RunData:
    """Production results of the complete segments of a run.

    Attributes:
        config:     of the run.
        facts:      `run.json`: versions, machine, device.
        arrays:     by path of `io.schema`: time series joined along draws, sums added, rates averaged; those of
            `read_run` are a `RunArrays`.
        n_segments, n_sweeps: how much is there, of config.n_segments and config.run.n_sweeps.
        forces:     of the last segment: precision used, and the fallback that led to it if there was one.
    """

    config: RunConfig
    facts: dict[str, Any]
    arrays: MutableMapping[str, np.ndarray]
    n_segments: int
    n_sweeps: int
    forces: dict[str, Any] = field(default_factory=dict)

    @property
    def beta(self) -> np.ndarray:
        """(K,) inverse temperatures."""
        return self.arrays[Key.BETA]

    @property
    def energy(self) -> np.ndarray:
        """(n, D, K, R) energy densities H/N_0."""
        return self.arrays[Key.ENERGY]

    @property
    def overlap(self) -> np.ndarray:
        """(n, D, K, P, L+1) overlaps q^l of pairs of real replicas.

        Raises:
            InsufficientDataError: the run measured none.
        """
        self._refuse_without_overlaps()
        return self.arrays[Key.OVERLAP]

    @property
    def self_overlap(self) -> np.ndarray:
        """(n, D, K, R, L+1) self-overlaps r^l."""
        return self.arrays[Key.SELF_OVERLAP]

    @property
    def n_draws(self) -> int:
        """n, of each time series."""
        return self.series(Key.ENERGY).shape[0]

    @property
    def n_networks(self) -> int:
        """D."""
        return self.series(Key.ENERGY).shape[1]

    @property
    def n_overlaps(self) -> int:
        """Overlaps of one network, temperature and layer: draws times pairs.

        Raises:
            InsufficientDataError: the run measured none.
        """
        shape = self.series(Key.OVERLAP).shape
        return shape[0] * shape[3]

    def series(self, key: str) -> Series:
        """A time series (n, D, K, ...) to be indexed by slices, which reads no more than those.

        Raises:
            InsufficientDataError: the run measured none.
        """
        if key != Key.ENERGY:
            self._refuse_without_overlaps()
        return self.arrays.series(key) if isinstance(self.arrays, RunArrays) else self.arrays[key]

    def _refuse_without_overlaps(self) -> None:
        if Key.OVERLAP not in self.arrays:
            raise InsufficientDataError("this run measured no overlaps (output.overlaps = false).")

    def mean(self, key: str) -> np.ndarray:
        """(D, K, ...) float64, a time series averaged over its draws and over replicas or pairs."""
        if isinstance(self.arrays, RunArrays):
            return self.arrays.means[key]
        return self.arrays[key].mean((0, 3), dtype=np.float64)

    @property
    def is_complete(self) -> bool:
        """True if every segment of the run is there."""
        return self.n_segments == self.config.n_segments


def read_run(path: FilePath) -> RunData:
    """Read every complete segment of a run directory.

    Raises:
        RunDirectoryError: not a run directory.
        InsufficientDataError: no segment has been completed yet.
        SegmentError: a segment is damaged, missing between others, or of another configuration.
    """
    directory = RunDirectory(path)
    facts = directory.read_json(RUN_FILE)
    config = parse_config(facts["config"], source=str(directory.path / RUN_FILE))
    joined, n_sweeps, forces = _Joined(), 0, "{}"
    for index, file in enumerate(directory.segment_paths()):
        arrays, _, attributes = read_segment(file)
        if attributes["index"] != index:
            raise SegmentError(
                f"{directory.segments} lacks segment {index}: found number {attributes['index']} in its place. "
                "Restore the missing file from a copy."
            )
        if attributes["physics_hash"] != facts["physics_hash"]:
            raise SegmentError(f"{file} is of another configuration than {RUN_FILE}: move it out of {directory.path}.")
        try:
            joined.add(file, arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise _apart(directory, error) from error
        forces = attributes.get("forces", forces)
        n_sweeps += int(attributes["n_sweeps"])
    if Key.ENERGY not in joined.series:
        raise InsufficientDataError(
            f"{directory.path} has no complete results file yet: the run is in burn-in or in its first segment. "
            "See `mlp-gibbs status`, and run the same command again if it was stopped."
        )
    try:
        return RunData(config, facts, joined.arrays(), joined.n_segments, n_sweeps, dict(json.loads(forces)))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise _apart(directory, error) from error


def _apart(directory: RunDirectory, error: Exception) -> SegmentError:
    return SegmentError(f"the results files of {directory.segments} do not fit together: {error}.")


class _Joined:
    """What is kept of the segments read so far."""

    def __init__(self) -> None:
        self.n_segments = 0
        self.series: dict[str, list[Part]] = {}
        self._kept: dict[str, np.ndarray] = {}
        self._checks: dict[str, list[np.ndarray]] = {}
        self._totals: dict[str, np.ndarray] = {}

    def add(self, file: FilePath, arrays: dict[str, np.ndarray]) -> None:
        """Take in one segment."""
        weight = int(arrays[Key.N_STEPS])
        if weight <= 0:
            raise ValueError(f"it counts {weight} steps")
        arrays = {**arrays, Key.ACCEPTANCE: weight * arrays[Key.ACCEPTANCE]}
        if self.n_segments == 0:
            self._kept = {name: arrays[name] for name in _CONSTANTS if name in arrays}
        for name in TIME_SERIES:
            if name in arrays:
                values = arrays[name]
                parts = self.series.setdefault(name, [])
                first_draw = parts[-1].first_draw + parts[-1].shape[0] if parts else 0
                parts.append(Part(file, values.shape, values.dtype, first_draw))
                if parts[0].shape[1:] != values.shape[1:]:
                    raise ValueError(f"{name} has shape {values.shape}, before it was {parts[0].shape}")
                self._add(name, values.mean(3, dtype=np.float64).sum(0))
        for name in CHECKS:
            if name in arrays:
                self._checks.setdefault(name, []).append(arrays[name])
        for name in (*_SUMS, Key.ACCEPTANCE):
            if name in arrays and (self.n_segments == 0 or name in self._totals):
                self._add(name, arrays[name])
        for name in self._totals.keys() - arrays.keys() - set(TIME_SERIES):
            del self._totals[name]  # a sum of some of the segments only is none
        self.n_segments += 1

    def arrays(self) -> RunArrays:
        """The whole."""
        totals = dict(self._totals)
        totals[Key.ACCEPTANCE] = totals[Key.ACCEPTANCE] / int(totals[Key.N_STEPS])
        series = {name: StoredSeries(name, parts) for name, parts in self.series.items()}
        means = {name: totals.pop(name) / len(stored) for name, stored in series.items()}
        checks = {name: np.concatenate(parts) for name, parts in self._checks.items()}
        return RunArrays({**self._kept, **checks, **totals}, series, means)

    def _add(self, name: str, values: np.ndarray) -> None:
        before = self._totals.get(name)
        if before is not None and before.shape != values.shape:
            raise ValueError(f"{name} has shape {values.shape}, before it was {before.shape}")
        self._totals[name] = values if before is None else before + values
