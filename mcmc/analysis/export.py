"""A run as one xarray DataTree, for ArviZ and for files that other programs read: netCDF and CSV.

posterior           series of energies and overlaps
sample_stats        acceptance, energy errors, swaps and round trips
overlap_histogram   P(q^l) of every network
cross_temperature   moments of q^0 between two temperatures, where they were measured
weight_identity     sums of the identities of the layers
estimates           averages over networks with errors and the raw bootstrap resamples
"""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcmc._version import __version__
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
FACTS = ("version", "commit", "created", "torch", "device_name", "physics_hash")


def to_datatree(data: RunData) -> "xarray.DataTree":
    """The run as named arrays: dimensions and names of `docs/run_file.md`, draws behind the chains as ArviZ has them.

    Attributes of the root: config (JSON), seed, bootstrap_seed, equilibrated, n_sweeps, versions. The group `estimates`
    is missing, and the attribute of that name says why, where networks or overlaps are too few.

    Raises:
        UsageError: xarray is not installed.
    """
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
    for key in data.arrays.keys() - set(CHECKS):  # those are of single trajectories, on an axis of their own
        group, name = ("posterior", key.split("/")[1]) if key in TIME_SERIES else key.split("/")
        variable = _variable(xr, data, key)
        groups.setdefault(group, {})[name] = variable
    try:
        groups["estimates"] = _estimates(xr, data)
    except InsufficientDataError as error:
        attributes["estimates"] = f"none: {error}"
    coordinates = _coordinates(data)
    tree = {
        f"/{group}": xr.Dataset(dict(sorted(variables.items()))).assign_coords(
            {axis: values for axis, values in coordinates.items() if _has_axis(variables, axis)}
        )
        for group, variables in sorted(groups.items())
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), **tree})


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
    tree = to_datatree(data)
    folder = path if path.suffix == "" else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    if path.suffix == ".nc":
        write_atomically(path, lambda part: tree.to_netcdf(part, engine="h5netcdf", format="NETCDF4"))
        return [path]
    return _write_csv(tree, path)


def _write_csv(tree: "xarray.DataTree", folder: Path) -> list[Path]:
    """One long table for each array of the series, of the histograms and of the estimates, and the attributes."""
    frames = {}
    for group in ("posterior", "overlap_histogram"):
        if group in tree.children:
            for name, variable in tree[group].data_vars.items():
                frames[str(name)] = variable.to_dataframe(name=str(name))[[str(name)]]
    if "cross_temperature" in tree.children:  # another moment_sum
        frames["cross_temperature"] = tree["cross_temperature"].to_dataset().to_dataframe()
    if "estimates" in tree.children:
        estimates = tree["estimates"].to_dataset()
        frames["resamples"] = estimates[["resamples"]].to_dataframe()
        frames["estimates"] = estimates.drop_vars("resamples").to_dataframe()
    written = []
    for name, frame in frames.items():
        buffer = io.StringIO()
        frame.to_csv(buffer)
        write_bytes_atomically(folder / f"{name}.csv", buffer.getvalue().encode())
        written.append(folder / f"{name}.csv")
    attributes = {**tree.attrs, "config": json.loads(tree.attrs["config"])}
    write_bytes_atomically(folder / "run.json", (json.dumps(attributes, indent=1) + "\n").encode())
    return [*written, folder / "run.json"]


def _variable(xr: Any, data: RunData, key: str) -> Any:
    axes = DATASETS[key].axes
    variable = xr.Variable(axes, data.arrays[key], {"long_name": DATASETS[key].meaning})
    return variable.transpose(*(axis for axis in SERIES_AXES if axis in axes)) if key in TIME_SERIES else variable


def _coordinates(data: RunData) -> dict[str, Any]:
    n_draws, n_networks = data.energy.shape[:2]
    every = data.config.run.measure_every
    return {
        "draw": every * np.arange(1, n_draws + 1),
        "network": data.config.model.first_network + np.arange(n_networks),
        "temperature": data.beta,
        "other_temperature": data.beta,
        "layer": np.arange(data.config.model.depth + 1),
        "hidden_layer": np.arange(1, data.config.model.depth + 1),
        "moment": np.arange(1, 5),  # powers, as `io/schema.py` has them
    }


def _has_axis(variables: Any, axis: str) -> bool:
    return any(axis in variable.dims for variable in variables.values())


def _estimates(xr: Any, data: RunData) -> dict[str, Any]:
    found = observables(data)
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
        import h5netcdf  # noqa: F401, xarray looks it up by name when it writes
        import xarray
    except ImportError as error:
        raise UsageError(
            f"exports need the packages xarray and h5netcdf ({error.name} is not installed): "
            "pip install 'mlp-gibbs[export]'."
        ) from error
    return xarray
