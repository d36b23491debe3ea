"""Time series read by slices are the slices of the whole, and a file that changed meanwhile is told."""

from itertools import product

import numpy as np
import pytest

from mcmc.errors import SegmentError
from mcmc.io.directory import RunDirectory
from mcmc.io.reader import read_run
from mcmc.io.schema import TIME_SERIES, Key
from mcmc.io.series import join_series
from tests.support.segments import invented_run

DRAWS = [slice(None), slice(3, 9), slice(1, None, 5), slice(4, 8), slice(10, 10), slice(None, None, 3)]
NETWORKS = [slice(None), slice(0, 1), slice(2, 5), slice(1, 6, 2)]


@pytest.fixture
def series(tmp_path):
    """Two runs of 3 segments with 4 draws and 3 networks each, along the networks."""
    for name in ("one", "two"):
        invented_run(tmp_path / name)
    return {key: [read_run(tmp_path / name).series(key) for name in ("one", "two")] for key in TIME_SERIES}


@pytest.mark.parametrize("key", TIME_SERIES)
def test_any_slice(series, key):
    stored = join_series(series[key])
    whole = np.concatenate([one[:] for one in series[key]], axis=1)
    assert stored.shape == whole.shape
    assert (stored.dtype, len(stored)) == (whole.dtype, 12)
    assert np.array_equal(stored[:], whole)
    for draws, networks in product(DRAWS, NETWORKS):
        index = (draws, networks, slice(1, 3))
        assert np.array_equal(stored[index], whole[index])
    assert np.array_equal(stored[:, :, :, 1:], whole[:, :, :, 1:])


def test_pieces_are_the_segments(series):
    stored = join_series(series[Key.ENERGY])
    assert stored.pieces() == [slice(0, 4), slice(4, 8), slice(8, 12)]


def test_file_altered_after_it_was_checked(tmp_path):
    invented_run(tmp_path)
    stored = read_run(tmp_path).series(Key.OVERLAP)
    RunDirectory(tmp_path).segment(1).write_bytes(b"something else")
    assert stored[:4].shape[0] == 4
    with pytest.raises(SegmentError, match=r"segment-000001\.h5 was altered while it was read"):
        stored[:]
