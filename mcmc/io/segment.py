"""Write-once results files: one HDF5 segment for a fixed range of production sweeps.

A segment holds no times, host names or process numbers, so the same run writes the same bytes whenever and however
often it is interrupted; those facts are in `run.json` and `log.jsonl` beside it.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import h5py
import numpy as np

from mcmc._version import __version__
from mcmc.errors import SegmentError
from mcmc.io.atomic import write_bytes_atomically
from mcmc.io.datasets import check_heaps, read_dataset
from mcmc.io.schema import DATASETS, H5MD_VERSION, SCALES, SCHEMA, SCHEMA_VERSION, TIME_SERIES, Key

# libver: the default marks files in a way that HDF5 1.10 cannot promise to read; 'latest' refuses to open after a kill
LIBVER = ("v108", "v114")
# what h5py raises on damaged files; a size that was altered may ask for any memory
DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError)
_KINDS = {"index": int, "n_sweeps": int, "physics_hash": str, "config": str}
_NEEDED = (
    *(Key.BETA, Key.STEP_SIZE, Key.N_LEAPFROG, Key.ROUND_TRIPS),
    *(Key.N_STEPS, Key.ACCEPTANCE, Key.ENERGY_ERROR_SUM, Key.ENERGY_ERROR_SQUARE_SUM, Key.METROPOLIS_SUM),
)
_TOGETHER = (  # all of a line or none of it, in every version
    (Key.HISTOGRAM, Key.EDGES, Key.MOMENT_SUM),
    (Key.WEIGHT_EXCESS_SUM, Key.WEIGHT_RESPONSE_SUM),
    (Key.SWAP_ACCEPTANCE_SUM, Key.SWAP_COUNT, Key.SWAP_ATTEMPTS),
    (Key.REVERSAL, Key.CHECKED_ENERGY_ERROR, Key.IS_REPEATABLE, Key.CHECKED_NETWORK),
)


def segment_name(index: int) -> str:
    """File name of segment number `index`."""
    return f"segment-{index:06d}.h5"


def write_segment(
    path: FilePath, arrays: Mapping[str, np.ndarray], scales: Mapping[str, np.ndarray], attributes: Mapping[str, Any]
) -> None:
    """Write a complete segment under its final name, or nothing.

    Args:
        arrays:     the datasets, by their path in `schema.DATASETS`; those of size zero are left out.
        scales:     the coordinate of every axis that occurs.
        attributes: of the root group: `index`, `first_sweep`, `n_sweeps`, `config` (a dictionary), `physics_hash`.
    """

    head = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **{k: json.dumps(v, sort_keys=True) if isinstance(v, dict) else v for k, v in attributes.items()},
    }
    stored = {name: a.astype(DATASETS[name].dtype, copy=False) for name, a in arrays.items() if a.size}

    # in memory: HDF5 does not survive a refused write (it crashed on a full disk when the file was closed)
    with h5py.File(segment_name(0), "w", driver="core", backing_store=False, libver=LIBVER) as file:
        _write_head(file, head)
        for axis, values in scales.items():
            scale = file.create_dataset(axis, data=values)
            scale.make_scale(axis)
            scale.attrs["meaning"] = SCALES[axis]
        for name, array in stored.items():
            _write_dataset(file, name, array)
        file.attrs["sha256"] = content_digest(stored, scales, head)
        file.attrs["complete"] = 1
        file.flush()
        image = file.id.get_file_image()
    write_bytes_atomically(path, image)


def read_segment(path: FilePath) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, scales, attributes) of a segment, every number checked against the checksum of the whole.

    Raises:
        SegmentError: the file is missing, truncated, altered, of another program or of a newer schema.
    """
    try:
        check_heaps(path)
        with h5py.File(path, "r", locking="best-effort") as file:
            attributes = dict(file.attrs)
            _check_head(path, attributes)
            arrays = {name: read_dataset(file[name], path) for name in DATASETS if name in file}
            scales = {axis: read_dataset(file[axis], path) for axis in SCALES if axis in file}
        if "sha256" not in attributes:
            warnings.warn(f"{path} is of an early version: chunks have checksums, the whole has none.", stacklevel=2)
        elif content_digest(arrays, scales, attributes) != attributes["sha256"]:
            raise ValueError("its content does not match its checksum")
        _check_layout(arrays, scales, attributes)
    except DAMAGE as error:
        reason = "it is missing" if not path.exists() else str(error).split("\n")[0]
        raise SegmentError(
            f"cannot read the results file {path} ({path.stat().st_size if path.exists() else 0} bytes): {reason}. "
            "Segments are written once and never changed, so this one was truncated or altered afterwards. Restore it "
            "from a copy, or move it away and run the same command again in a new directory.",
            path=str(path),
        ) from error
    return arrays, scales, attributes


def content_digest(
    arrays: Mapping[str, np.ndarray], scales: Mapping[str, np.ndarray], attributes: Mapping[str, Any]
) -> str:
    """SHA-256 of names, types, shapes and bytes: HDF5's own checksums cover neither its chunk index nor attributes."""
    digest = hashlib.sha256()
    for name, value in sorted([*arrays.items(), *scales.items()]):
        value = np.asarray(value)
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(np.ascontiguousarray(value).data)
    for key in sorted(attributes.keys() - {"sha256", "complete"}):
        digest.update(f"{key} {attributes[key]}\n".encode())
    return digest.hexdigest()


def _write_head(file: h5py.File, attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        file.attrs[key] = value
    h5md = file.create_group("h5md")
    h5md.attrs["version"] = np.array(H5MD_VERSION, dtype=np.int32)
    h5md.create_group("author").attrs["name"] = "unknown"
    creator = h5md.create_group("creator")
    creator.attrs["name"], creator.attrs["version"] = "mlp-gibbs", __version__


def _write_dataset(file: h5py.File, name: str, array: np.ndarray) -> None:
    spec = DATASETS[name]
    assert array.ndim == len(spec.axes), f"{name} has shape {array.shape} for axes {spec.axes}"
    options = {"chunks": True, "fletcher32": True} if array.ndim else {}
    dataset = file.create_dataset(name, data=array, **options)
    dataset.attrs["meaning"] = spec.meaning
    for axis, label in enumerate(spec.axes):
        if label in file:
            dataset.dims[axis].attach_scale(file[label])
        dataset.dims[axis].label = label
    if name in TIME_SERIES:  # H5MD: a time series is a group {step, value}; the steps are the draw axis
        # a dataset of its own: under a second name, xarray would call the draw axis "step"
        step = dataset.parent.create_dataset("step", data=file["draw"][()], chunks=True, fletcher32=True)
        step.dims[0].attach_scale(file["draw"])


def _check_layout(
    arrays: Mapping[str, np.ndarray], scales: Mapping[str, np.ndarray], attributes: Mapping[str, Any]
) -> None:
    """Raises ValueError for a file whose checksum is right and which no version of this program wrote."""
    for key, kind in _KINDS.items():
        if not isinstance(attributes[key], (kind, np.integer) if kind is int else kind):
            raise ValueError(f"its attribute {key} is {type(attributes[key]).__name__}, expected {kind.__name__}")
    for key in ("config", "forces"):
        if not isinstance(json.loads(attributes.get(key, "{}")), dict):
            raise ValueError(f"its attribute {key} is no table")
    lacking = _wanted(arrays, scales) - arrays.keys()
    if lacking:
        raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
    sizes = {axis: values.shape for axis, values in scales.items()}
    for name, array in arrays.items():
        axes = DATASETS[name].axes
        if array.ndim != len(axes) or array.dtype.kind not in "biuf":
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected numbers over {axes}")
        for axis, n in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, (n,)) != (n,):
                raise ValueError(f"{name} has {n} numbers along {axis}, expected {sizes[axis]}")
    for name in TIME_SERIES:
        if name in arrays and arrays[name].dtype.kind != "f":
            raise ValueError(f"{name} holds {arrays[name].dtype}, expected floating-point numbers")
    if not arrays[Key.N_STEPS] > 0:
        raise ValueError(f"it counts {arrays[Key.N_STEPS]} steps")


def _wanted(arrays: Mapping[str, np.ndarray], scales: Mapping[str, np.ndarray]) -> set[str]:
    """Names of the datasets that a file with these arrays and axes has."""
    together, wanted = list(_TOGETHER), set(_NEEDED)
    if "draw" in scales:  # else the part had no draw, and its series are left out
        wanted.add(Key.ENERGY)
        together += [(Key.OVERLAP, Key.SELF_OVERLAP, Key.HISTOGRAM)] if "pair" in scales else []
    for names in together:
        wanted |= set(names) if arrays.keys() & set(names) else set()
    return wanted


def _check_head(path: FilePath, attributes: Mapping[str, Any]) -> None:
    schema, version = attributes.get("schema"), attributes.get("schema_version", 0)
    if schema != SCHEMA:
        raise SegmentError(f"{path} is not a results file of mlp-gibbs: schema {schema!r}, expected {SCHEMA!r}.")
    if version > SCHEMA_VERSION:
        raise SegmentError(
            f"{path} has schema version {version}, this mlp-gibbs ({__version__}) reads up to {SCHEMA_VERSION}. "
            "Use the newer version that wrote it."
        )
    if attributes.get("complete") != 1:
        raise SegmentError(f"{path} was never finished; move it away and run the same command again.")
