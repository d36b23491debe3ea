"""Files that are there whole or not at all: part file, fsync, rename, fsync of the directory."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from mcmc.errors import StorageError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill `<name>.part`, then give it its name; a crash at any moment leaves the old file or the new.

    Raises:
        StorageError: the file system refused (full, read-only, ...); the file that was there before is untouched.
    """
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        sync_file(part)
        os.replace(part, path)
        sync_directory(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        part.unlink(missing_ok=True)  # there only if something failed


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """`write_atomically` for bytes in memory."""
    write_atomically(path, lambda part: _write_all(part, data))


def sync_file(path: Path) -> None:
    """Wait until the content of a closed file is on the device."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the device: without it, a rename can be lost with the power."""
    sync_file(path)


def make_directory(path: Path) -> None:
    """Create a directory and its parents, with their names on the device.

    Raises:
        StorageError: the file system refused.
    """
    try:
        missing = [parent for parent in (path, *path.parents) if not parent.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for created in missing:
            sync_directory(created.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The message for a write that the operating system refused."""
    advice = {
        errno.ENOSPC: "The disk is full: free some space and run the same command again; it resumes.",
        errno.EDQUOT: "The quota is used up: free some space and run the same command again; it resumes.",
        errno.EROFS: "The file system is read-only: choose another --out.",
        **dict.fromkeys(
            (errno.EEXIST, errno.ENOTDIR, errno.EISDIR), "Something else is in the way: give another path."
        ),
        errno.EACCES: "Permission denied: choose another --out or change the permissions.",
    }.get(error.errno or 0, "Everything written before is intact; run the same command again to resume.")
    reason = error.strerror or str(error)
    return StorageError(f"cannot write {path}: {reason}. {advice}", path=str(path), errno=error.errno)


def _write_all(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
