"""Invented results of every dataset of the schema, so that files can be tested without running a chain."""

from pathlib import Path

import numpy as np

from mcmc.config import RunConfig, parse_config
from mcmc.io.directory import RunDirectory
from mcmc.io.schema import DATASETS
from mcmc.io.segment import write_segment

LENGTHS = {
    "draw": 4,
    "network": 3,
    "temperature": 3,
    "other_temperature": 3,
    "neighbour": 2,
    "replica": 2,
    "slot": 3,
    "pair": 1,
    "layer": 2,
    "hidden_layer": 1,
    "bin": 12,
    "edge": 11,
    "moment": 4,
    "check": 2,
}
CONFIG = parse_config(
    {
        "model": {"activation": "tanh", "n_inputs": 8, "n_networks": 3},
        "tempering": {"betas": [0.0, 0.5, 1.0]},
        "run": {"n_burn_in": 0, "n_sweeps": 12},
        "output": {"n_bins": 10, "segment_sweeps": 4},
    }
)


def invented_arrays(seed: int = 0, **lengths: int) -> dict[str, np.ndarray]:
    """Random numbers for every dataset; counts where counts belong, the same constants for every seed."""
    rng, arrays = np.random.default_rng(seed), {}
    for name, spec in DATASETS.items():
        shape = tuple((LENGTHS | lengths)[axis] for axis in spec.axes)
        numbers = rng.integers(1, 50, shape) if spec.dtype == "int64" else rng.normal(size=shape)
        arrays[name] = np.asarray(numbers).astype(spec.dtype)
    arrays["parameters/beta"] = np.array([0.0, 0.5, 1.0])
    arrays["parameters/step_size"] = np.array([0.5, 0.4, 0.3])
    arrays["parameters/n_leapfrog"] = np.array([3, 3, 3])
    arrays["overlap_histogram/edges"] = np.tile(np.linspace(-1, 1, 11), (2, 1))
    return arrays


def invented_scales(index: int = 0) -> dict[str, np.ndarray]:
    """Coordinates of every axis; draws go on from segment to segment."""
    scales = {axis: np.arange(length) for axis, length in LENGTHS.items()}
    scales["draw"] = np.arange(1, 5) + 4 * index
    scales["temperature"] = np.array([0.0, 0.5, 1.0])
    return scales


def attributes_of(config: RunConfig = CONFIG, index: int = 0) -> dict:
    return {
        "index": index,
        "first_sweep": 4 * index + 1,
        "n_sweeps": 4,
        "config": config.physics(),
        "physics_hash": config.physics_hash(),
    }


def write_invented(path: Path, *, seed: int = 0, index: int = 0, config: RunConfig = CONFIG) -> dict[str, np.ndarray]:
    """Write a segment of invented numbers and return them."""
    arrays = invented_arrays(seed)
    write_segment(path, arrays, invented_scales(index), attributes_of(config, index))
    return arrays


def invented_run(path: Path, n_segments: int = 3) -> list[dict[str, np.ndarray]]:
    """A run directory with segments 0 ... n_segments - 1."""
    directory = RunDirectory(path)
    directory.open_for(CONFIG, {})
    return [write_invented(directory.segment(i), seed=i, index=i) for i in range(n_segments)]


def assert_same_content(found, wanted):
    """Arrays, scales and attributes, to the last bit and type."""
    for a, b in zip(found, wanted, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            x, y = np.asarray(a[name]), np.asarray(b[name])
            assert x.dtype == y.dtype
            assert x.tobytes() == y.tobytes()
