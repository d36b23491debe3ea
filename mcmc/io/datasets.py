"""What is read of an HDF5 dataset: numbers or bytes in this very file, and no more of them than it can hold."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np


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
