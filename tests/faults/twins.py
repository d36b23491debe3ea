"""Input-output layers with one fault each: the tests of this folder must catch every one of them."""

import os
from collections.abc import Callable

from mcmc.io import atomic


def _put(name: str, function: Callable[..., None]) -> None:
    """In the place of a function of the input-output layer."""
    vars(atomic)[name] = function


def no_fault() -> None:
    """The layer as it is."""


def without_fsync() -> None:
    """Nothing waits for the device: a power loss leaves names without content."""
    _put("sync_file", lambda path: None)


def without_directory_fsync() -> None:
    """Names do not wait for the device: a power loss can keep a checkpoint and lose the segment it counts on."""
    _put("sync_directory", lambda path: None)


def without_rename() -> None:
    """Files are written in place: a kill leaves half of one under its final name."""

    def write(path, fill):
        fill(path)
        atomic.sync_file(path)
        atomic.sync_directory(path.parent)

    _put("write_atomically", write)


def that_swallows_errors() -> None:
    """A refused write is taken for done."""
    true = atomic.write_atomically

    def write(path, fill):
        try:
            true(path, fill)
        except atomic.StorageError:
            os.close(os.open(path, os.O_CREAT))

    _put("write_atomically", write)


TWINS = {
    "none": no_fault,
    "no fsync": without_fsync,
    "no directory fsync": without_directory_fsync,
    "no rename": without_rename,
    "swallows errors": that_swallows_errors,
}
