"""Files that are there whole or not at all, and the order that makes it so."""

import os
from pathlib import Path

import pytest

from mcmc.errors import StorageError
from mcmc.io.atomic import storage_error, write_atomically, write_bytes_atomically


def test_content(tmp_path):
    write_bytes_atomically(tmp_path / "a", b"one")
    write_bytes_atomically(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_order_of_the_steps(tmp_path, monkeypatch):
    """Content to the device, then the name, then the name to the device: any other order can lose the file."""
    steps, paths = [], {}
    true_open, true_fsync, true_replace = os.open, os.fsync, os.replace

    def open_(path, flags, *arguments):
        descriptor = true_open(path, flags, *arguments)
        paths[descriptor] = Path(path)
        return descriptor

    def fsync(descriptor):
        steps.append(("fsync", paths[descriptor].name))
        true_fsync(descriptor)

    def replace(old, new):
        steps.append(("replace", Path(old).name, Path(new).name))
        true_replace(old, new)

    for name, function in (("open", open_), ("fsync", fsync), ("replace", replace)):
        monkeypatch.setattr(os, name, function)
    write_bytes_atomically(tmp_path / "a", b"one")
    assert steps == [("fsync", "a.part"), ("replace", "a.part", "a"), ("fsync", tmp_path.name)]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, AssertionError])
def test_any_failure_leaves_the_old_file_alone(tmp_path, error):
    write_bytes_atomically(tmp_path / "a", b"one")

    def write(part):
        part.write_bytes(b"half")
        raise error

    with pytest.raises(error):
        write_atomically(tmp_path / "a", write)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_remains_of_a_kill_are_in_nobodys_way(tmp_path):
    (tmp_path / "a.part").write_bytes(b"older and longer than what comes")
    write_bytes_atomically(tmp_path / "a", b"one")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert not (tmp_path / "a.part").exists()


def test_error_carries_path_and_number(tmp_path):
    error = storage_error(tmp_path, OSError(28, "No space left on device"))
    assert isinstance(error, StorageError)
    assert (error.path, error.errno, error.exit_code) == (str(tmp_path), 28, 1)
    assert str(error).startswith(f"cannot write {tmp_path}: No space left on device. The disk is full")
