"""All results of a run directory as one set of arrays; works while the run goes on and after it was killed."""

import json
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from mcmc.config import RunConfig, parse_config
from mcmc.errors import InsufficientDataError, SegmentError
from mcmc.io.directory import RUN_FILE, RunDirectory
from mcmc.io.schema import CHECKS, TIME_SERIES, Key
from mcmc.io.segment import read_segment

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


@dataclass(frozen=True)
class RunData:
    """Production results of the complete segments of a run.

    Attributes:
        config:     of the run.
        facts:      `run.json`: versions, machine, device.
        arrays:     by path of `io.schema`: time series joined along draws, sums added, rates averaged.
        n_segments, n_sweeps: how much is there, of config.n_segments and config.run.n_sweeps.
        forces:     of the last segment: precision used, and the fallback that led to it if there was one.
    """

    config: RunConfig
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]
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
        if Key.OVERLAP not in self.arrays:
            raise InsufficientDataError("this run measured no overlaps (output.overlaps = false).")
        return self.arrays[Key.OVERLAP]

    @property
    def self_overlap(self) -> np.ndarray:
        """(n, D, K, R, L+1) self-overlaps r^l."""
        return self.arrays[Key.SELF_OVERLAP]

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
    parts, n_sweeps, forces = [], 0, "{}"
    for index, file in enumerate(directory.segment_paths()):
        arrays, _, attributes = read_segment(file)
        if attributes["index"] != index:
            raise SegmentError(
                f"{directory.segments} lacks segment {index}: found number {attributes['index']} in its place. "
                "Restore the missing file from a copy."
            )
        if attributes["physics_hash"] != facts["physics_hash"]:
            raise SegmentError(f"{file} is of another configuration than {RUN_FILE}: move it out of {directory.path}.")
        parts.append(arrays)
        forces = attributes.get("forces", forces)
        n_sweeps += int(attributes["n_sweeps"])
    if not any(Key.ENERGY in part for part in parts):
        raise InsufficientDataError(
            f"{directory.path} has no complete results file yet: the run is in burn-in or in its first segment. "
            "See `mlp-gibbs status`, and run the same command again if it was stopped."
        )
    try:
        return RunData(config, facts, _join(parts), len(parts), n_sweeps, dict(json.loads(forces)))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise SegmentError(f"the results files of {directory.segments} do not fit together: {error}.") from error


def _join(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    joined = {name: parts[0][name] for name in _CONSTANTS if name in parts[0]}
    for name in (*TIME_SERIES, *CHECKS):
        found = [part[name] for part in parts if name in part]
        if found:
            joined[name] = np.concatenate(found)
    for name in _SUMS:
        if all(name in part for part in parts):
            joined[name] = np.sum([part[name] for part in parts], axis=0)
    weights = [int(part[Key.N_STEPS]) for part in parts]
    joined[Key.ACCEPTANCE] = np.average([part[Key.ACCEPTANCE] for part in parts], axis=0, weights=weights)
    return joined
