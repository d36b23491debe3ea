"""Two generations, checksums, the manifest last: a damaged checkpoint is passed over loudly, never loaded."""

import errno
import json
import os
import random
import warnings

import numpy as np
import pytest

import mcmc.io.checkpoint as module
from mcmc.errors import CheckpointError, StorageError
from mcmc.io.checkpoint import GENERATIONS, MANIFEST, Checkpoint, load_checkpoint, save_checkpoint


def state(sweep: int) -> Checkpoint:
    """Arrays of every kind that a run saves, depending on the sweep."""
    rng = np.random.default_rng(sweep)
    arrays = {
        "chains/x": rng.normal(size=(2, 6, 8)).astype(np.float32),
        "exchange/direction": rng.integers(-1, 2, (2, 3, 2)).astype(np.int8),
        "odd": np.array([np.nan, -0.0, np.inf, 5e-324]),
        "empty": np.zeros((2, 0, 3)),
        "scalar": np.array(7),
    }
    return Checkpoint(arrays, {"sweep": sweep, "history": [{"beta": [0.1, 1 / 3], "report": "Lambda = 1"}]})


def assert_same(found: Checkpoint | None, wanted: Checkpoint) -> None:
    assert found is not None
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()
    assert {key: value for key, value in found.meta.items() if key != "serial"} == wanted.meta


@pytest.fixture
def saved(tmp_path):
    """A folder after five checkpoints: the youngest is of sweep 5, the other of sweep 4."""
    for sweep in range(1, 6):
        save_checkpoint(tmp_path, state(sweep))
    return tmp_path


def youngest_file(folder):
    entries = json.loads((folder / MANIFEST).read_text())["generations"]
    return folder / max(entries, key=lambda entry: entry["serial"])["file"]


def other_file(folder):
    (name,) = set(GENERATIONS) - {youngest_file(folder).name}
    return folder / name


def test_nothing_there(tmp_path):
    assert load_checkpoint(tmp_path) is None


def test_round_trip_bit_for_bit(tmp_path, recwarn):
    save_checkpoint(tmp_path, state(1))
    assert_same(load_checkpoint(tmp_path), state(1))
    assert not recwarn.list


def test_youngest_of_two_generations(saved, recwarn):
    assert_same(load_checkpoint(saved), state(5))
    assert sorted(path.name for path in saved.iterdir()) == sorted([*GENERATIONS, MANIFEST])
    assert not recwarn.list


def test_saving_replaces_the_older(saved):
    before = youngest_file(saved).read_bytes()
    kept = youngest_file(saved)
    save_checkpoint(saved, state(6))
    assert kept.read_bytes() == before
    assert youngest_file(saved) != kept


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def _empty(path):
    path.write_bytes(b"")


DAMAGES = {damage.__name__[1:]: damage for damage in (_cut, _flip, _zero, _empty, os.remove)}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_youngest_falls_back_with_a_warning(saved, damage):
    name = youngest_file(saved).name
    DAMAGES[damage](youngest_file(saved))
    with pytest.warns(UserWarning, match=rf"damaged \({name}.*other generation, sweep 4"):
        found = load_checkpoint(saved)
    assert_same(found, state(4))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_older_one_is_told_too(saved, damage):
    DAMAGES[damage](other_file(saved))
    with pytest.warns(UserWarning, match="checkpoint damaged"):
        assert_same(load_checkpoint(saved), state(5))


@pytest.mark.parametrize("damage", DAMAGES)
def test_both_damaged(saved, damage):
    for name in GENERATIONS:
        DAMAGES[damage](saved / name)
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is intact") as caught:
        load_checkpoint(saved)
    assert str(saved) in str(caught.value)
    assert "--out" in str(caught.value)
    assert len(caught.value.damaged) == 2
    assert caught.value.exit_code == 1


MANIFEST_DAMAGES = {
    **DAMAGES,
    "text": lambda path: path.write_text("{}"),
    "list": lambda path: path.write_text("[]"),
    "name": lambda path: path.write_text('{"generations": [{"file": "../../x", "serial": 9, "sha256": ""}]}'),
    "serial": lambda path: path.write_text('{"generations": [{"file": "A.npz", "serial": "x", "sha256": ""}]}'),
    "checksum": lambda path: path.write_text('{"generations": [{"file": "A.npz", "serial": 9, "sha256": null}]}'),
    "no list": lambda path: path.write_text('{"generations": {}}'),
}


@pytest.mark.parametrize("damage", sorted(MANIFEST_DAMAGES.keys() - {"flip"}))
def test_lost_manifest(saved, damage):
    MANIFEST_DAMAGES[damage](saved / MANIFEST)
    with pytest.warns(UserWarning, match="manifest.json is damaged or missing"):
        assert_same(load_checkpoint(saved), state(5))


def test_bit_flips_in_the_manifest(saved):
    """One of the two states, whole, and with a warning if it is not the youngest."""
    data, rng = (saved / MANIFEST).read_bytes(), random.Random(5)
    for _ in range(100):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (saved / MANIFEST).write_bytes(damaged)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = load_checkpoint(saved)
        assert found.meta["sweep"] == 5 or told
        assert_same(found, state(found.meta["sweep"]))


def _list_nothing(path):
    path.write_text('{"generations": []}')


@pytest.mark.parametrize("lose", [os.remove, _list_nothing])
def test_youngest_stays_the_youngest_after_a_lost_manifest(saved, recwarn, lose):
    """Serial numbers go on, so that the next two losses do not resurrect an old state."""
    lose(saved / MANIFEST)
    save_checkpoint(saved, state(6))
    assert_same(load_checkpoint(saved), state(6))
    assert not recwarn.list
    os.remove(saved / MANIFEST)
    with pytest.warns(UserWarning, match="damaged or missing"):
        assert_same(load_checkpoint(saved), state(6))
    _flip(youngest_file_by_serial(saved))
    with pytest.warns(UserWarning, match="sweep 5"):
        assert_same(load_checkpoint(saved), state(5))


def youngest_file_by_serial(folder):
    return max(
        (folder / name for name in GENERATIONS), key=lambda path: module._unpack(path.read_bytes()).meta["serial"]
    )


def test_lost_manifest_and_damaged_youngest(saved):
    youngest = youngest_file(saved)
    _flip(youngest)
    os.remove(saved / MANIFEST)
    with (
        pytest.warns(UserWarning, match="damaged or missing"),
        pytest.warns(UserWarning, match=f"damaged \\({youngest.name}"),
    ):
        assert_same(load_checkpoint(saved), state(4))


@pytest.mark.parametrize("n_before", [0, 1, 5])
def test_killed_between_the_data_and_the_manifest(tmp_path, monkeypatch, recwarn, n_before):
    """The new generation is whole, only unlisted: it is used, and nothing is called damaged."""
    for sweep in range(1, n_before + 1):
        save_checkpoint(tmp_path, state(sweep))
    true_write = module.write_bytes_atomically

    def write(path, data):
        if path.name == MANIFEST:
            raise KeyboardInterrupt
        true_write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_bytes_atomically", write)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, state(9))
    found = load_checkpoint(tmp_path)
    assert_same(found, state(9))
    assert not [w for w in recwarn.list if "damaged (" in str(w.message)]
    save_checkpoint(tmp_path, state(10))
    assert_same(load_checkpoint(tmp_path), state(10))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("place", ["os.fsync", "os.replace", "mcmc.io.atomic._write_all"])
def test_refused_write_keeps_what_was_there(saved, monkeypatch, recwarn, place, number):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(place, refuse)
        with pytest.raises(StorageError, match=os.strerror(number)):
            save_checkpoint(saved, state(6))
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert_same(load_checkpoint(saved), state(5))
    assert not recwarn.list


def test_no_bit_flip_is_ever_loaded(saved):
    """With the manifest, damage anywhere falls back to the other generation, bit for bit."""
    path = youngest_file(saved)
    data, rng = path.read_bytes(), random.Random(3)
    for _ in range(150):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match="damaged"):
            assert_same(load_checkpoint(saved), state(4))


@pytest.mark.filterwarnings("ignore:checkpoint damaged")
def test_no_bit_flip_is_ever_loaded_without_the_manifest(saved):
    """Then only the checksums inside remain: the whole state or the other one, nothing in between."""
    path = youngest_file(saved)
    os.remove(saved / MANIFEST)
    data, rng = path.read_bytes(), random.Random(4)
    for i in range(300):
        damaged = bytearray(data)
        # every second one in the table of contents at the end of the file
        damaged[rng.randrange(len(data)) if i % 2 else -1 - rng.randrange(400)] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match="damaged or missing"):
            found = load_checkpoint(saved)
        assert_same(found, state(found.meta["sweep"]))


def test_nothing_is_unpickled(tmp_path):
    """An archive with a pickled object is damage, not code to run; and none is ever written."""
    with pytest.raises(ValueError, match="allow_pickle=False"):
        save_checkpoint(tmp_path, Checkpoint({"bad": np.array([{"a": 1}], dtype=object)}, {"sweep": 1}))
    np.savez(tmp_path / "A.npz", bad=np.array([print], dtype=object))
    with (
        pytest.warns(UserWarning, match="damaged or missing"),
        pytest.raises(CheckpointError, match="allow_pickle=False"),
    ):
        load_checkpoint(tmp_path)
