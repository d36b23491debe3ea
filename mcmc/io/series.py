"""Time series where they lie: read from the segments of a run by the slices that index them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

import h5py
import numpy as np

from mcmc.errors import SegmentError
from mcmc.io.segment import DAMAGE


@dataclass(frozen=True)
class Part:
    """A time series in one segment.

    Attributes:
        first_draw, first_network: where it begins in the whole.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    first_draw: int
    first_network: int = 0


class StoredSeries:
    """(n, D, K, ...) numbers in the segments of a run. Indexed by slices as an array is, it reads them, and keeps none.

    The memory is that of the answer, once; where draws are left out, that of a segment as well.
    """

    def __init__(self, name: str, parts: Sequence[Part]):
        self.name, self.parts, self.dtype = name, tuple(parts), parts[0].dtype
        n_draws = max(part.first_draw + part.shape[0] for part in parts)
        n_networks = max(part.first_network + part.shape[1] for part in parts)
        self.shape = (n_draws, n_networks, *parts[0].shape[2:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | tuple[slice, ...]) -> np.ndarray:
        """Raises SegmentError: a file was altered since it was checked."""
        given = index if isinstance(index, tuple) else (index,)
        given += (slice(None),) * (len(self.shape) - len(given))
        draws, networks, *others = (range(*one.indices(n)) for one, n in zip(given, self.shape, strict=True))
        values = np.empty([len(r) for r in (draws, networks, *others)], dtype=self.dtype)
        rest = tuple(slice(r.start, r.stop, r.step) for r in others)
        for part in self.parts:
            draw, to_draw = _within(draws, part.first_draw, part.shape[0])
            network, to_network = _within(networks, part.first_network, part.shape[1])
            if to_draw.start < to_draw.stop and to_network.start < to_network.stop:
                _read(part, self.name, (draw, network, *rest), values[to_draw, to_network])
        return values

    def pieces(self) -> list[slice]:
        """The draws of each segment, one behind the other."""
        starts = sorted({part.first_draw for part in self.parts})
        return [slice(start, stop) for start, stop in pairwise([*starts, self.shape[0]])]


Series = np.ndarray | StoredSeries


def join_series(parts: Sequence[Series]) -> Series:
    """Those of runs that differ in their networks only, along the networks; nothing is read, unless a part is."""
    stored = [part for part in parts if isinstance(part, StoredSeries)]
    if len(stored) < len(parts):
        return np.concatenate([part[:] for part in parts], axis=1)
    starts = accumulate((part.shape[1] for part in stored), initial=0)
    placed = [(whole.parts, start) for whole, start in zip(stored, starts, strict=False)]
    moved = [replace(part, first_network=part.first_network + start) for own, start in placed for part in own]
    return StoredSeries(stored[0].name, moved)


def _within(wanted: range, first: int, n: int) -> tuple[slice, slice]:
    """Which of the n places from `first` on are wanted, and where they go among all that are wanted."""
    start, stop = (min(max(-((wanted.start - place) // wanted.step), 0), len(wanted)) for place in (first, first + n))
    if start >= stop:
        return slice(0, 0), slice(0, 0)
    return slice(wanted[start] - first, wanted[stop - 1] - first + 1, wanted.step), slice(start, stop)


def _read(part: Part, name: str, index: tuple[slice, ...], values: np.ndarray) -> None:
    """Fill `values`; draws that are left out are read as well, which HDF5 does faster than to leave them out."""
    draw, *others = index
    whole = (slice(draw.start, draw.stop), *others)
    try:
        with h5py.File(part.file, "r", locking="best-effort") as file:
            if draw.step == 1 and values.flags.c_contiguous:
                file[name].read_direct(values, whole)
            else:
                values[:] = file[name][whole][:: draw.step]
    except DAMAGE as error:
        raise SegmentError(f"{part.file} was altered while it was read: {error}.", path=str(part.file)) from error
