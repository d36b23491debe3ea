"""A run as one xarray DataTree, for ArviZ and for files that other programs read: netCDF and CSV.

Files are written in pieces: no more than a block of networks of a series is in memory.

posterior           series of energies and overlaps
sample_stats        acceptance, energy errors, swaps and round trips
overlap_histogram   P(q^l) of every network
cross_temperature   moments of q^0 between two temperatures, where they were measured
weight_identity     sums of the identities of the layers
estimates           averages over networks with errors and the raw bootstrap resamples
"""

import json
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcmc._version import __version__
from mcmc.analysis.blocks import Block, blocks_of
from mcmc.analysis.bootstrap import SEED
from mcmc.analysis.equilibration import equilibration
from mcmc.analysis.observables import observables
from mcmc.errors import InsufficientDataError, UsageError
from mcmc.io.atomic import storage_error, write_atomically, write_bytes_atomically
from mcmc.io.reader import RunData
from mcmc.io.schema import CHECKS, DATASETS, TIME_SERIES

if TYPE_CHECKING:
    import xarray

SERIES_AXES = ("network", "temperature", "replica", "pair", "draw", "layer")  # chains first, draws after them, as ArviZ
ARRAY_COPIES, ROW_COPIES = 2, 16  # of a number: as it is read and written; in a row with its coordinates, and as text
FACTS = ("version", "commit", "created", "torch", "device_name", "physics_hash")


def to_datatree(data: RunData) -> "xarray.DataTree":
    """The run as named arrays: dimensions and names of `docs/run_file.md`, draws behind the chains as ArviZ has them.

    Attributes of the root: config (JSON), seed, bootstrap_seed, equilibrated, n_sweeps, versions. The group `estimates`
    is missing, and the attribute of that name says why, where networks or overlaps are too few.

    Raises:
        UsageError: xarray is not installed.
    """
    xr, tree = _xarray(), _without_series(data)
    series = {_name(key): _variable(key, data.arrays[key]) for key in _series_keys(data)}
    return xr.DataTree.from_dict({**tree, "/posterior": _dataset(data, series)})


def _without_series(data: RunData) -> dict[str, Any]:
    """The datasets of all groups but `posterior`, by path."""
    xr = _xarray()
    attributes = {
        "config": json.dumps(data.config.model_dump(mode="json"), sort_keys=True),
        "seed": data.config.run.seed,
        "bootstrap_seed": SEED,
        "n_sweeps": data.n_sweeps,
        "equilibrated": equilibration(data).verdict,
        "exported_by": f"mlp-gibbs {__version__}",
        **{name: str(data.facts[name]) for name in FACTS if name in data.facts},
    }
    groups: dict[str, Any] = {}
    for key in data.arrays.keys() - set(CHECKS) - set(TIME_SERIES):  # checks are of single trajectories, on their axis
        group, name = key.split("/")
        groups.setdefault(group, {})[name] = _variable(key, data.arrays[key])
    try:
        groups["estimates"] = _estimates(data)
    except InsufficientDataError as error:
        attributes["estimates"] = f"none: {error}"
    tree = {f"/{group}": _dataset(data, variables) for group, variables in sorted(groups.items())}
    return {"/": xr.Dataset(attrs=attributes), **tree}


def export(data: RunData, path: Path, *, is_forced: bool = False) -> list[Path]:
    """Write the tree as one netCDF file (a name that ends with .nc), or as CSV files in a folder; the files written.

    Raises:
        UsageError: another ending; something is there and `is_forced` is false; the packages are not installed.
        StorageError: the file system refused.
    """
    if path.suffix not in ("", ".nc"):
        raise UsageError(f"--to takes FILE.nc (netCDF) or a folder (CSV), found {path}.")
    is_taken = path.exists() and not (path.is_dir() and path.suffix == "" and not any(path.iterdir()))
    if is_taken and not is_forced:
        raise UsageError(f"{path} exists: give another --to, or --force to write over it.")
    if path.is_dir() != (path.suffix == "") and path.exists():
        raise UsageError(f"{path} is a {'folder' if path.is_dir() else 'file'}: give another --to.")
    tree = _without_series(data)
    folder = path if path.suffix == "" else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    if path.suffix == ".nc":
        write_atomically(path, partial(_write_netcdf, data, tree))
        return [path]
    return _write_csv(data, tree, path)


def _write_netcdf(data: RunData, tree: dict[str, Any], path: Path) -> None:
    """The tree by xarray, then the group of the series, block by block."""
    import h5netcdf

    _xarray().DataTree.from_dict(tree).to_netcdf(path, engine="h5netcdf", format="NETCDF4")
    with h5netcdf.File(path, "a") as file:
        group = file.create_group("posterior")
        for key in _series_keys(data):
            series, axes, places = data.series(key), _chains_first(key), _order(key)
            for axis, place in zip(axes, places, strict=True):
                if axis not in group.dimensions:
                    group.dimensions[axis] = series.shape[place]
            variable = group.create_variable(_name(key), axes, series.dtype, fillvalue=np.nan)
            variable.attrs["long_name"] = DATASETS[key].meaning
            for block, values in _blocks(data, key, ARRAY_COPIES):
                variable[block] = values
        for axis, values in _coordinates(data).items():
            if axis in group.dimensions:
                fill = np.nan if values.dtype.kind == "f" else None  # as xarray does
                group.create_variable(axis, (axis,), values.dtype, data=values, fillvalue=fill)


def _write_csv(data: RunData, tree: dict[str, Any], folder: Path) -> list[Path]:
    """One long table for each array of the series, of the histograms and of the estimates, and the attributes."""
    written = []
    for key in _series_keys(data):
        written.append(folder / f"{_name(key)}.csv")
        write_atomically(written[-1], partial(_write_rows, data, key))
    frames = {}
    if "/overlap_histogram" in tree:
        for name, variable in tree["/overlap_histogram"].data_vars.items():
            frames[str(name)] = variable.to_dataframe(name=str(name))[[str(name)]]
    if "/cross_temperature" in tree:  # another moment_sum
        frames["cross_temperature"] = tree["/cross_temperature"].to_dataframe()
    if "/estimates" in tree:
        frames["resamples"] = tree["/estimates"][["resamples"]].to_dataframe()
        frames["estimates"] = tree["/estimates"].drop_vars("resamples").to_dataframe()
    for name, frame in frames.items():
        written.append(folder / f"{name}.csv")
        write_atomically(written[-1], frame.to_csv)
    attributes = tree["/"].attrs
    attributes = {**attributes, "config": json.loads(attributes["config"])}
    write_bytes_atomically(folder / "run.json", (json.dumps(attributes, indent=1) + "\n").encode())
    return [*written, folder / "run.json"]


def _write_rows(data: RunData, key: str, path: Path) -> None:
    xr, name, coordinates = _xarray(), _name(key), _coordinates(data)
    with open(path, "w", encoding="utf-8", newline="") as file:
        for (networks, temperatures), values in _blocks(data, key, ROW_COPIES):
            axes = _chains_first(key)
            places = {axis: coordinates[axis] for axis in axes if axis in coordinates}
            places["network"] = places["network"][networks]
            places["temperature"] = places["temperature"][temperatures]
            frame = xr.DataArray(values, places, axes).to_dataframe(name)
            frame[[name]].to_csv(file, header=file.tell() == 0)


def _blocks(data: RunData, key: str, copies: int) -> Iterator[tuple[Block, np.ndarray]]:
    """(d, k, ..., n, ...) numbers of a series with the draws behind the chains, and where they belong."""
    series = data.series(key)
    draw_bytes = copies * series.dtype.itemsize * np.prod(series.shape[3:], dtype=float)
    for block in blocks_of(series.shape, draw_bytes):
        yield block, np.ascontiguousarray(series[:, *block].transpose(_order(key)))


def _series_keys(data: RunData) -> list[str]:
    return sorted(set(TIME_SERIES) & data.arrays.keys())


def _name(key: str) -> str:
    """observables/NAME/value"""
    return key.split("/")[1]


def _chains_first(key: str) -> tuple[str, ...]:
    return tuple(axis for axis in SERIES_AXES if axis in DATASETS[key].axes)


def _order(key: str) -> list[int]:
    return [DATASETS[key].axes.index(axis) for axis in _chains_first(key)]


def _variable(key: str, values: np.ndarray) -> Any:
    """In the order of the file, or, of a series, with the draws behind the chains."""
    variable = _xarray().Variable(DATASETS[key].axes, values, {"long_name": DATASETS[key].meaning})
    return variable.transpose(*_chains_first(key)) if key in TIME_SERIES else variable


def _dataset(data: RunData, variables: dict[str, Any]) -> Any:
    axes = {axis for variable in variables.values() for axis in variable.dims}
    coordinates = {axis: values for axis, values in _coordinates(data).items() if axis in axes}
    return _xarray().Dataset(dict(sorted(variables.items()))).assign_coords(coordinates)


def _coordinates(data: RunData) -> dict[str, Any]:
    every = data.config.run.measure_every
    return {
        "draw": every * np.arange(1, data.n_draws + 1),
        "network": data.config.model.first_network + np.arange(data.n_networks),
        "temperature": data.beta,
        "other_temperature": data.beta,
        "layer": np.arange(data.config.model.depth + 1),
        "hidden_layer": np.arange(1, data.config.model.depth + 1),
        "moment": np.arange(1, 5),  # powers, as `io/schema.py` has them
    }


def _estimates(data: RunData) -> dict[str, Any]:
    xr, found = _xarray(), observables(data)
    axes = ("observable", "temperature")
    return {
        "observable": xr.Variable("observable", [one.name for one in found]),
        "value": xr.Variable(axes, np.stack([one.resampled.value for one in found])),
        "stderr": xr.Variable(axes, np.stack([one.resampled.stderr for one in found])),
        "gain": xr.Variable(axes, np.stack([one.gain for one in found])),
        "resamples": xr.Variable(
            ("observable", "resample", "temperature"), np.stack([one.resampled.resamples for one in found])
        ),
    }


def _xarray() -> Any:
    try:
        import_module("h5netcdf")  # xarray looks it up by name when it writes
        import xarray
    except ImportError as error:
        raise UsageError(
            f"exports need the packages xarray and h5netcdf ({error.name} is not installed): "
            "pip install 'mlp-gibbs[export]'."
        ) from error
    return xarray
