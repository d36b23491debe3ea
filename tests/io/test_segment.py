"""Results files: the same bytes every time, readable by others, never half there."""

import errno
import os
import resource
import signal

import h5py
import numpy as np
import pytest
import xarray

from mcmc.errors import StorageError
from mcmc.io.schema import DATASETS, SCALES, SCHEMA_VERSION, Key
from mcmc.io.segment import read_segment, segment_name, write_segment
from tests.support.segments import (
    LENGTHS,
    assert_same_content,
    attributes_of,
    invented_arrays,
    invented_scales,
    write_invented,
)


def test_name():
    assert segment_name(12) == "segment-000012.h5"


def test_round_trip(path):
    written = write_invented(path, index=2)
    arrays, scales, attributes = read_segment(path)
    assert_same_content((arrays, scales), (written, invented_scales(2)))
    assert attributes["index"] == 2
    assert attributes["schema_version"] == SCHEMA_VERSION
    assert arrays.keys() == DATASETS.keys()


def test_written_twice_gives_the_same_bytes(tmp_path):
    """No times, no names of machines, no dependence on the order in which arrays were handed over."""
    write_invented(tmp_path / "a.h5")
    arrays = invented_arrays()
    write_segment(tmp_path / "b.h5", arrays, invented_scales(), attributes_of())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    arrays[Key.ENERGY][0, 0, 0, 0] = np.nextafter(arrays[Key.ENERGY][0, 0, 0, 0], 1)
    write_segment(tmp_path / "b.h5", arrays, invented_scales(), attributes_of())
    assert (tmp_path / "a.h5").read_bytes() != (tmp_path / "b.h5").read_bytes()


def test_only_the_file_is_left(path):
    write_invented(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_datasets_of_size_zero_are_left_out(path):
    """One temperature has no neighbours, one replica no pairs."""
    arrays = {**invented_arrays(), Key.SWAP_COUNT: np.zeros((3, 0, 2)), Key.OVERLAP: np.zeros((4, 3, 3, 0, 2))}
    scales = {axis: values for axis, values in invented_scales().items() if axis not in ("neighbour", "pair")}
    del arrays[Key.SWAP_ACCEPTANCE_SUM], arrays[Key.SWAP_ATTEMPTS]
    write_segment(path, arrays, scales, attributes_of())
    found, scales, _ = read_segment(path)
    assert Key.SWAP_COUNT not in found
    assert Key.OVERLAP not in found
    assert "pair" not in scales


def test_wrong_number_of_axes_is_our_bug_and_leaves_no_file(path):
    with pytest.raises(AssertionError, match="energy_density"):
        write_segment(path, {Key.ENERGY: np.zeros((4, 3))}, invented_scales(), attributes_of())
    assert list(path.parent.iterdir()) == []


# --- readable without this package


def test_plain_h5py(path):
    written = write_invented(path)
    with h5py.File(path, "r") as file:
        assert file.attrs["schema"] == "mlp-gibbs/segment"
        assert tuple(file["h5md"].attrs["version"]) == (1, 1)
        assert file["h5md/creator"].attrs["name"] == "mlp-gibbs"
        for name, spec in DATASETS.items():
            dataset = file[name]
            assert np.array_equal(dataset[()], written[name])
            assert dataset.dtype == spec.dtype
            assert tuple(dim.label for dim in dataset.dims) == spec.axes
            for dim, axis in zip(dataset.dims, spec.axes, strict=True):
                assert np.array_equal(dim[0][()], invented_scales()[axis])
            assert dataset.attrs["meaning"] == spec.meaning
            assert dataset.fletcher32 or dataset.ndim == 0
        for group in file["observables"].values():  # H5MD: a time series is {step, value}
            assert np.array_equal(group["step"], file["draw"])
        for axis, meaning in SCALES.items():
            assert file[axis].attrs["meaning"] == meaning


def test_file_versions_are_those_of_old_libraries(path):
    """HDF5 1.8 knows superblocks up to version 2; later ones came with 1.10."""
    write_invented(path)
    with h5py.File(path, "r") as file:
        superblock, *_ = file.id.get_create_plist().get_version()
    assert superblock == path.read_bytes()[8] <= 2


def test_xarray_group(path):
    written = write_invented(path, index=1)
    with xarray.open_dataset(path, group="observables/overlap", engine="h5netcdf") as dataset:
        assert dataset["value"].dims == ("draw", "network", "temperature", "pair", "layer")
        assert np.array_equal(dataset["value"].values, written[Key.OVERLAP])


def test_xarray_tree(path):
    written = write_invented(path, index=1)
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        energy = tree["observables/energy_density/value"]
        assert dict(energy.sizes) == {axis: LENGTHS[axis] for axis in ("draw", "network", "temperature", "replica")}
        assert np.array_equal(energy.coords["draw"], [5, 6, 7, 8])
        assert np.array_equal(energy.coords["temperature"], [0.0, 0.5, 1.0])
        cold = energy.sel(temperature=1.0, draw=6).values
        assert np.array_equal(cold, written[Key.ENERGY][1, :, 2])
        for name, spec in DATASETS.items():
            assert tree[name].dims == spec.axes


# --- the file system refuses


@pytest.fixture
def old(path):
    """A complete file under the name that is about to be written again."""
    write_invented(path, seed=1)
    return path.read_bytes()


def _refuse(number):
    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("place", ["os.fsync", "os.replace", "mcmc.io.atomic._write_all"])
def test_refused_write_keeps_the_old_file(path, old, monkeypatch, place, number):
    with monkeypatch.context() as patched:
        patched.setattr(place, _refuse(number))
        with pytest.raises(StorageError, match=os.strerror(number)) as caught:
            write_invented(path, seed=2)
    assert caught.value.errno == number
    assert caught.value.path == str(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    write_invented(path, seed=2)  # once there is space again
    assert np.array_equal(read_segment(path)[0][Key.ENERGY], invented_arrays(2)[Key.ENERGY])


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only"), (errno.EIO, "resume")],
)
def test_advice(path, monkeypatch, number, advice):
    monkeypatch.setattr(os, "replace", _refuse(number))
    with pytest.raises(StorageError, match=advice):
        write_invented(path)


@pytest.mark.parametrize("limit", [0, 1000, 20_000])
def test_file_size_limit_of_the_system(path, old, limit):
    """A real refusal in the middle of a file, by the operating system, as a full disk would give."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        with pytest.raises(StorageError) as caught:
            write_invented(path, seed=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.path == str(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_missing_folder(tmp_path):
    with pytest.raises(StorageError, match="cannot write"):
        write_invented(tmp_path / "nowhere" / "a.h5")
