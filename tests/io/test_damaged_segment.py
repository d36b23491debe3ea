"""Results files that are cut, flipped, foreign or edited: an error that names the file, never data."""

import random

import h5py
import numpy as np
import pytest

from mcmc.errors import SegmentError
from mcmc.io.schema import SCHEMA_VERSION, Key
from mcmc.io.segment import read_segment, write_segment
from tests.fuzz.damage import sign
from tests.support.segments import assert_same_content, attributes_of, invented_arrays, invented_scales, write_invented


def test_missing(path):
    with pytest.raises(SegmentError, match="it is missing") as caught:
        read_segment(path)
    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_truncated(path, kept):
    write_invented(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(SegmentError, match="truncated or altered") as caught:
        read_segment(path)
    assert str(path) in str(caught.value)


def test_last_byte_missing(path):
    write_invented(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SegmentError):
        read_segment(path)


def test_zero_filled(path):
    """What some file systems leave after a power cut: the right length, nothing in it."""
    write_invented(path)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(SegmentError, match="file signature not found"):
        read_segment(path)


def test_zero_filled_tail(path):
    write_invented(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    with pytest.raises(SegmentError):
        read_segment(path)


def _flip(path, position, bit):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def test_bit_flip_in_a_chunk(path):
    written = write_invented(path)
    position = path.read_bytes().find(written[Key.ENERGY].tobytes()[:64])
    assert position > 0
    _flip(path, position + 3, 5)
    with pytest.raises(SegmentError, match=str(path)):
        read_segment(path)


def test_bit_flip_in_the_configuration(path):
    """A string attribute, which HDF5 keeps without a checksum of its own."""
    write_invented(path)
    position = path.read_bytes().find(b'"activation": "tanh"')
    assert position > 0
    _flip(path, position + 16, 0)
    with pytest.raises(SegmentError, match="does not match its checksum"):
        read_segment(path)


def test_bit_flip_in_a_coordinate(path):
    write_invented(path, index=3)
    position = path.read_bytes().find(np.arange(13, 17).tobytes())
    assert position > 0
    _flip(path, position, 1)
    with pytest.raises(SegmentError, match="does not match its checksum"):
        read_segment(path)


def test_bit_flip_in_a_scalar(path):
    """`n_steps` has no chunk, hence no checksum of HDF5's."""
    arrays = {**invented_arrays(), Key.N_STEPS: np.array(0x0123456789ABCDEF)}
    write_segment(path, arrays, invented_scales(), attributes_of())
    position = path.read_bytes().find(arrays[Key.N_STEPS].tobytes())
    assert position > 0
    _flip(path, position, 0)
    with pytest.raises(SegmentError, match="does not match its checksum"):
        read_segment(path)


def test_no_bit_flip_is_ever_read_as_data(path):
    """Anywhere in the file: an error with the path, or the very same content (slack space exists)."""
    write_invented(path)
    data, wanted, rng = path.read_bytes(), read_segment(path), random.Random(7)
    n_caught = 0
    for _ in range(250):
        position, bit = rng.randrange(len(data)), rng.randrange(8)
        path.write_bytes(data)
        _flip(path, position, bit)
        try:
            found = read_segment(path)
        except SegmentError as error:
            n_caught += str(path) in str(error)
            continue
        assert_same_content(found, wanted)
    assert n_caught > 60


def test_file_of_another_program(path):
    with h5py.File(path, "w") as file:
        file["energy"] = np.arange(3)
    with pytest.raises(SegmentError, match=r"not a results file of mlp-gibbs: schema None"):
        read_segment(path)
    path.write_text("energy 3.0\n")
    with pytest.raises(SegmentError, match="file signature not found"):
        read_segment(path)


def test_newer_schema(path):
    write_invented(path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION + 1
    with pytest.raises(SegmentError, match=f"schema version {SCHEMA_VERSION + 1}.*reads up to {SCHEMA_VERSION}"):
        read_segment(path)


def test_unfinished(path):
    write_invented(path)
    with h5py.File(path, "a") as file:
        del file.attrs["complete"]
    with pytest.raises(SegmentError, match="never finished"):
        read_segment(path)


def test_edited_with_another_tool(path):
    """A valid HDF5 file whose numbers somebody changed is not our result any more."""
    write_invented(path)
    with h5py.File(path, "a") as file:
        file[Key.ENERGY][0, 0, 0, 0] += 1
    with pytest.raises(SegmentError, match="does not match its checksum"):
        read_segment(path)


@pytest.mark.parametrize(
    "name",
    [
        *(Key.ENERGY, Key.OVERLAP, Key.SELF_OVERLAP, Key.HISTOGRAM, Key.EDGES, Key.MOMENT_SUM, Key.ROUND_TRIPS),
        *(Key.WEIGHT_EXCESS_SUM, Key.WEIGHT_RESPONSE_SUM, Key.SWAP_ATTEMPTS, Key.ENERGY_ERROR_SQUARE_SUM),
        *(Key.METROPOLIS_SUM, Key.STEP_SIZE, Key.CHECKED_ENERGY_ERROR),
    ],
)
def test_lost_dataset_with_a_checksum_that_fits(path, name):
    """It ended in a KeyError of the reader that needed it, or in sums over other draws than their number."""
    arrays = invented_arrays()
    del arrays[name]
    write_segment(path, arrays, invented_scales(), attributes_of())
    with pytest.raises(SegmentError, match=f"it lacks {name}"):
        read_segment(path)


def test_no_steps_with_a_checksum_that_fits(path):
    """Files of a run that fsck found intact could not be read."""
    write_segment(path, {**invented_arrays(), Key.N_STEPS: np.array(0)}, invented_scales(), attributes_of())
    with pytest.raises(SegmentError, match="it counts 0 steps"):
        read_segment(path)


def test_series_of_another_kind_with_a_checksum_that_fits(path):
    """fsck found it intact, and its numbers did not go together with those of other segments."""
    write_invented(path)
    with h5py.File(path, "a") as file:
        signs = file[Key.ENERGY][()] > 0
        del file[Key.ENERGY]
        file[Key.ENERGY] = signs
    sign(path)
    with pytest.raises(SegmentError, match=f"{Key.ENERGY} holds bool, expected floating-point numbers"):
        read_segment(path)
