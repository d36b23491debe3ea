"""Exports read back as what was measured; nothing is written over by accident."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray

from mcmc.analysis import blocks
from mcmc.analysis.bootstrap import SEED
from mcmc.analysis.export import export, to_datatree
from mcmc.analysis.observables import observables
from mcmc.errors import UsageError
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from tests.support.runs import finished, small_config
from tests.support.synthetic import BETA, synthetic_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "results" / "mine"
    finished(small_config(model={"n_networks": 4, "first_network": 3}, run={"n_sweeps": 64}), path)
    return path


def test_netcdf_and_back(run, tmp_path):
    data = read_run(run)
    (file,) = export(data, tmp_path / "new folder" / "run.nc")
    with xarray.open_datatree(file) as tree:
        xarray.testing.assert_identical(tree.load(), to_datatree(data))
        energy = tree["posterior/energy_density"]
        assert energy.dims == ("network", "temperature", "replica", "draw")
        assert np.array_equal(energy.transpose("draw", "network", "temperature", "replica"), data.energy)
        assert np.array_equal(energy["temperature"], data.beta)
        assert energy["network"].values.tolist() == [3, 4, 5, 6]
        assert energy["draw"].values.tolist() == list(range(2, 65, 2))
        assert tree["posterior/overlap"].dims == ("network", "temperature", "pair", "draw", "layer")
        assert tree["weight_identity/excess_sum"].shape == (4, 4, 1)
        found = {one.name: one.resampled for one in observables(data)}
        estimates = tree["estimates"].to_dataset().sel(observable="binder_1")
        assert np.array_equal(estimates["resamples"], found["binder_1"].resamples)
        assert np.array_equal(estimates["stderr"], found["binder_1"].stderr)
        attributes = tree.attrs
    assert json.loads(attributes["config"])["model"]["n_networks"] == 4
    assert (attributes["seed"], attributes["bootstrap_seed"], attributes["n_sweeps"]) == (11, SEED, 64)
    assert attributes["equilibrated"] in ("yes", "no")
    assert attributes["physics_hash"] == data.facts["physics_hash"]


def test_csv_and_back(tmp_path):
    data = synthetic_run(n_networks=5)
    files = export(data, tmp_path / "csv")
    assert {file.name for file in files} == {file.name for file in (tmp_path / "csv").iterdir()}
    energy = pd.read_csv(tmp_path / "csv/energy_density.csv")
    assert list(energy) == ["network", "temperature", "replica", "draw", "energy_density"]
    cells = energy.set_index(["network", "temperature", "replica", "draw"])["energy_density"]
    for n, d, k, r in ((0, 0, 0, 0), (39, 4, 2, 1), (7, 2, 1, 0)):
        assert cells.loc[d, BETA[k], r, n + 1] == data.energy[n, d, k, r]
    counts = pd.read_csv(tmp_path / "csv/counts.csv")["counts"].to_numpy()
    assert np.array_equal(counts, data.arrays[Key.HISTOGRAM].ravel())
    (wanted,) = (one for one in observables(data) if one.name == "overlap_width_1")
    resamples = pd.read_csv(tmp_path / "csv/resamples.csv").query("observable == 'overlap_width_1'")
    table = resamples.pivot(index="resample", columns="temperature", values="resamples").to_numpy()
    assert np.array_equal(table, wanted.resampled.resamples)
    assert json.loads((tmp_path / "csv/run.json").read_text())["config"]["model"]["n_networks"] == 5


def test_files_do_not_depend_on_the_blocks(run, tmp_path, monkeypatch):
    """Pairs of temperatures, and all at once; the CSV of one is the table of the whole, as pandas writes it."""
    data = read_run(run)
    for name in ("one.nc", "one"):
        export(data, tmp_path / name)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    for name in ("many.nc", "many"):
        export(data, tmp_path / name)
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "many" / file.name).read_bytes(), file.name
    with xarray.open_datatree(tmp_path / "one.nc") as one, xarray.open_datatree(tmp_path / "many.nc") as many:
        xarray.testing.assert_identical(one.load(), many.load())
    tree = to_datatree(data)
    for name, array in tree["posterior"].data_vars.items():
        wanted = array.to_dataframe(name=name)[[name]].to_csv()
        assert (tmp_path / "many" / f"{name}.csv").read_text() == wanted


def test_axes_say_what_they_count(tmp_path):
    """Powers from 1, layers from the input, both temperatures of a pair: in netCDF and in CSV."""
    config = small_config(model={"n_networks": 4}, output={"cross_temperature": True})
    finished(config, tmp_path / "run")
    data = read_run(tmp_path / "run")
    tree = to_datatree(data)
    moments = tree["overlap_histogram/moment_sum"]
    assert moments["moment"].values.tolist() == [1, 2, 3, 4]
    assert moments["layer"].values.tolist() == [0, 1]
    second = moments.sel(moment=2, layer=0).values / data.n_overlaps
    assert np.allclose(second, (data.overlap[..., 0] ** 2).mean((0, 3)), rtol=1e-5)
    export(data, tmp_path / "csv")
    crossed = pd.read_csv(tmp_path / "csv/cross_temperature.csv").query("moment == 1 and network == 2")
    table = crossed.pivot(index="temperature", columns="other_temperature", values="moment_sum")
    assert table.index.tolist() == table.columns.tolist() == data.beta.tolist()
    assert np.array_equal(table.to_numpy(), data.arrays[Key.CROSS_MOMENT_SUM][2, :, :, 0])


@pytest.mark.parametrize("changes", [{"overlaps": False}, {"n_networks": 3}])
def test_without_estimates_the_reason_is_there(changes, tmp_path):
    export(synthetic_run(**changes), tmp_path / "run.nc")
    with xarray.open_datatree(tmp_path / "run.nc") as tree:
        assert "estimates" not in tree.children
        assert tree.attrs["estimates"].startswith("none: ")


@pytest.mark.parametrize("name", ["run.nc", "csv"])
def test_nothing_is_written_over_without_force(tmp_path, name):
    data = synthetic_run(n_networks=4)
    written = export(data, tmp_path / name)
    before = [file.read_bytes() for file in written]
    with pytest.raises(UsageError, match="exists: give another --to, or --force"):
        export(synthetic_run(n_networks=5), tmp_path / name)
    assert [file.read_bytes() for file in written] == before
    export(synthetic_run(n_networks=5), tmp_path / name, is_forced=True)
    assert [file.read_bytes() for file in written] != before


def test_an_empty_folder_is_free(tmp_path):
    export(synthetic_run(n_networks=4), tmp_path)


def test_bad_places(tmp_path):
    data = synthetic_run(n_networks=4)
    with pytest.raises(UsageError, match=r"FILE\.nc \(netCDF\) or a folder"):
        export(data, tmp_path / "run.h5")
    (tmp_path / "dir.nc").mkdir()
    (tmp_path / "file").write_text("mine")
    for name, kind in (("dir.nc", "folder"), ("file", "file")):
        with pytest.raises(UsageError, match=f"is a {kind}"):
            export(data, tmp_path / name, is_forced=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_without_xarray(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)  # to import it is an ImportError now
    with pytest.raises(UsageError, match=r"h5netcdf is not installed.*mlp-gibbs\[export\]"):
        export(synthetic_run(), tmp_path / "run.nc")
    assert not (tmp_path / "run.nc").exists()


def test_the_example_of_the_docs(run):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL)
    assert len(example.split("\n\n")) == 2
    assert len(example.replace("\n\n", "\n").splitlines()) == 5
    done = subprocess.run([sys.executable, "-c", example], cwd=run.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"0\.\d+", done.stdout)) == 4  # one a temperature
