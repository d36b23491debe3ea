"""Networks and temperatures in blocks, so that of the time series of a run no more than a block is in memory."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from mcmc.errors import InsufficientMemoryError
from mcmc.io.series import Series, StoredSeries
from mcmc.machine import free_memory_bytes

BLOCK_BYTES = 256 * 2**20  # of a block at once, with what is made of its series on the way

Block = tuple[slice, slice]  # of networks and of temperatures


def blocks_of(shape: tuple[int, ...], draw_bytes: float) -> list[Block]:
    """Networks with all their temperatures, as many as BLOCK_BYTES hold; if not even one, some temperatures of one.

    Two cells (network, temperature) at least, where there are two: numpy adds the draws of a single cell in another
    order than those of several, and no bit of a result may depend on the blocks.

    Args:
        shape:      (n, D, K, ...) of the series.
        draw_bytes: taken by one draw of a cell.
    Raises:
        InsufficientMemoryError: two cells do not fit in the free memory.
    """
    n_draws, n_networks, n_temperatures = shape[:3]
    cell_bytes = n_draws * draw_bytes
    at_most = max(int(BLOCK_BYTES / max(cell_bytes, 1)), 1)  # cells
    if at_most >= n_temperatures:
        networks, temperatures = _cut(n_networks, at_most // n_temperatures, 1 + (n_temperatures == 1)), [slice(None)]
    else:
        networks, temperatures = _cut(n_networks, 1, 1), _cut(n_temperatures, at_most, 2)
    needed, free = cell_bytes * min(2, n_networks * n_temperatures), free_memory_bytes()
    if needed > free:
        raise InsufficientMemoryError(
            f"{n_draws} draws of two cells (network, temperature) take {needed / 2**30:.3g} GiB, and "
            f"{free / 2**30:.3g} GiB are free: use a machine with more memory, or measure less often "
            "(run.measure_every).",
            needed=needed,
            free=free,
        )
    return [(network, temperature) for network in networks for temperature in temperatures]


def over_blocks(blocks: Iterable[Block], of_block: Callable[[Block], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `of_block` makes of each block, (..., d, k), as (..., D, K) of the whole."""
    rows: dict[int | None, list[dict[str, np.ndarray]]] = {}
    for block in blocks:
        rows.setdefault(block[0].start, []).append(of_block(block))
    joined = [{name: np.concatenate([part[name] for part in row], axis=-1) for name in row[0]} for row in rows.values()]
    return {name: np.concatenate([row[name] for row in joined], axis=-2) for name in joined[0]}


def pieces(series: Series) -> list[slice]:
    """The draws in pieces that can be held: those of a segment, or all of what is in memory."""
    return series.pieces() if isinstance(series, StoredSeries) else [slice(0, len(series))]


def draw_mean(series: Series, start: int, stop: int) -> np.ndarray:
    """(n, D, K, R, ...) -> (D, K, ...) float64 mean over draws start ... stop - 1 and the axis behind the temperatures.

    One segment at a time, in the order in which `series[start:stop].mean((0, 3), dtype=float)` adds, to the same bits.
    """
    total = np.zeros((*series.shape[1:3], *series.shape[4:]))
    for piece in pieces(series):
        part = series[max(piece.start, start) : max(min(piece.stop, stop), start)]
        # numpy adds the numbers of the last axis among themselves first, and those of other axes to the total, in turn
        terms = part.sum(3) if part.ndim == 4 else np.moveaxis(part, 3, 1).reshape(-1, *total.shape)
        total = np.concatenate([total[None], terms], dtype=np.float64).sum(0)
    return total / ((stop - start) * series.shape[3])


def _cut(n: int, at_most: int, at_least: int) -> list[slice]:
    """0 ... n - 1 in nearly equal pieces, which hold no more than `at_most` if each still has `at_least`."""
    n_pieces = max(min(-(-n // max(at_most, 1)), n // at_least), 1)
    edges = [n * place // n_pieces for place in range(n_pieces + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
