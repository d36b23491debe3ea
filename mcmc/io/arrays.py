"""Small HDF5 files of named arrays: written once, whole or not at all, and checked against their checksum when read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mcmc.errors import SegmentError
from mcmc.io.atomic import write_bytes_atomically
from mcmc.io.datasets import check_heaps, read_dataset
from mcmc.io.segment import DAMAGE, LIBVER, content_digest


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str | int]) -> None:
    """Write the arrays (text as fixed-length bytes) and the attributes of the root group.

    Raises:
        StorageError: the file system refused; what was there before is untouched.
    """
    # in memory: HDF5 does not survive a refused write
    with h5py.File(path.name, "w", driver="core", backing_store=False, libver=LIBVER) as file:
        for name, array in sorted(arrays.items()):
            file.create_dataset(name, data=array)
        for key, value in attributes.items():
            file.attrs[key] = value
        file.attrs["sha256"] = content_digest(arrays, {}, attributes)
        file.flush()
        image = file.id.get_file_image()
    write_bytes_atomically(path, image)


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, attributes), every byte of them checked.

    Raises:
        SegmentError: the file is missing, truncated or altered.
    """
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            arrays[name] = read_dataset(node, path)

    try:
        check_heaps(path)
        with h5py.File(path, "r", locking="best-effort") as file:
            attributes = dict(file.attrs)
            file.visititems(collect)
        if content_digest(arrays, {}, attributes) != attributes.pop("sha256", None):
            raise ValueError("its content does not match its checksum")
    except DAMAGE as error:
        reason = "it is missing" if not path.exists() else str(error).split("\n")[0]
        raise SegmentError(f"cannot read {path}: {reason}.", path=str(path)) from error
    return arrays, attributes
