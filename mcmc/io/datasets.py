"""What is read of HDF5 files: numbers or bytes that lie in the very file, and no more of them than it can hold."""

import mmap
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# a global heap, where texts of attributes lie: signature, version 1, three zeros, its size [HDF5 format, III.E]
_HEAP = b"GCOL\1\0\0\0"
_HEAD, _OBJECT = 16, 16


def check_heaps(path: Path) -> None:
    """Raises ValueError for a heap on which the HDF5 library (2.0) would loop for ever: an object of no size.

    A block of zeros in a results file was enough for it.
    """
    with open(path, "rb") as file:
        if not path.stat().st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(_HEAP)
            while start >= 0:
                if not _ends(data, start):
                    raise ValueError(f"its heap at byte {start} is damaged")
                start = data.find(_HEAP, start + 1)


def _ends(data: mmap.mmap, start: int) -> bool:
    """Whether the objects of a heap follow each other to its end."""
    if start + _HEAD > len(data):
        return True  # refused by HDF5 itself, as everything that reaches past the end of the file
    end = start + struct.unpack_from("<Q", data, start + 8)[0]
    at = start + _HEAD
    while at + _OBJECT <= min(end, len(data)):
        number, size = struct.unpack_from("<H6xQ", data, at)
        taken = _OBJECT + (size + 7) // 8 * 8 if number else size  # number 0 is the free space, head included
        if not 0 < taken <= len(data):
            return False
        at += taken
    return True


def read_dataset(node: Any, path: Path) -> np.ndarray:
    """The content of a dataset of the file `path`, which was written without compression.

    Raises:
        ValueError: no dataset, of neither numbers nor bytes, in another file, or larger than the whole file.
    """
    if not isinstance(node, h5py.Dataset):
        raise ValueError(f"{getattr(node, 'name', node)} is no dataset")
    if node.dtype.kind not in "biufS":
        raise ValueError(f"{node.name} holds {node.dtype}, expected numbers")
    if node.external or node.is_virtual or node.file.filename != str(path):
        raise ValueError(f"{node.name} lies in another file")
    if node.nbytes > path.stat().st_size:
        raise ValueError(f"{node.name} claims {node.nbytes} bytes of a file of {path.stat().st_size}")
    return np.asarray(node[()])
