"""Input-output layers with one fault each: the tests of this folder must catch every one of them."""

import os

from mcmc.io import atomic


def no_fault() -> None:
    """The layer as it is."""


def without_fsync() -> None:
    """Nothing waits for the device: a power loss leaves names without content."""
    atomic.sync_file = lambda path: None  # type: ignore[assignment]


def without_directory_fsync() -> None:
    """Names do not wait for the device: a power loss can keep a checkpoint and lose the segment it counts on."""
    atomic.sync_directory = lambda path: None  # type: ignore[assignment]


def without_rename() -> None:
    """Files are written in place: a kill leaves half of one under its final name."""

    def write(path, fill):
        fill(path)
        atomic.sync_file(path)
        atomic.sync_directory(path.parent)

    atomic.write_atomically = write  # type: ignore[assignment]


def that_swallows_errors() -> None:
    """A refused write is taken for done."""
    true = atomic.write_atomically

    def write(path, fill):
        try:
            true(path, fill)
        except atomic.StorageError:
            os.close(os.open(path, os.O_CREAT))

    atomic.write_atomically = write  # type: ignore[assignment]


TWINS = {
    "none": no_fault,
    "no fsync": without_fsync,
    "no directory fsync": without_directory_fsync,
    "no rename": without_rename,
    "swallows errors": that_swallows_errors,
}
