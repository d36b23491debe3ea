"""The finished items of a cell as one run over all of its networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcmc.analysis.blocks import draw_mean
from mcmc.errors import InsufficientDataError, RunDirectoryError
from mcmc.io.reader import RunArrays, RunData, read_run
from mcmc.io.schema import CHECKS, DATASETS, TIME_SERIES, Key
from mcmc.io.series import Series, join_series
from mcmc.study.config import Study
from mcmc.study.directory import StudyDirectory
from mcmc.study.items import Cell, StudyItem, cut_into_items

ADAPTED = (Key.STEP_SIZE, Key.N_LEAPFROG)  # by every item for itself, and nothing that is measured depends on them


@dataclass(frozen=True)
class MeasuredCell:
    """One model at one size, as far as it is there.

    Attributes:
        cell:     what was asked for.
        data:     results of all finished items, joined along the networks.
        networks: (D,) numbers of the quenched draws, in the order of the data.
        items:    names of the items read.
        facts:    `run.json` of the first item: versions, machine, device.
        n_missing: items that are not finished.
    """

    cell: Cell
    data: RunData
    networks: np.ndarray
    items: list[str]
    n_missing: int


def check_complete(directory: StudyDirectory) -> None:
    """Raises InsufficientDataError if items of the study are missing."""
    missing = [item.name for item in directory.missing()]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise InsufficientDataError(
            f"{directory.path} lacks {len(missing)} items of its study: {shown}. Finish them with `mlp-gibbs study "
            "run`, or report what is there with --partial.",
            missing=missing,
        )


def read_cell(directory: StudyDirectory, cell: Cell) -> MeasuredCell | None:
    """The finished items of a cell; None if there are none.

    Raises:
        RunDirectoryError, SegmentError: an item is of another configuration or damaged.
    """
    items = cut_into_items(cell)
    finished = [item for item in items if directory.is_completed(item)]
    if not finished:
        return None
    blocks = [read_run(directory.run_directory(item).path) for item in finished]
    return MeasuredCell(
        cell,
        join_networks(blocks, [directory.run_directory(item).path for item in finished]),
        np.concatenate([_networks(item) for item in finished]),
        [item.name for item in finished],
        len(items) - len(finished),
    )


def combinations(study: Study) -> list[list[Cell]]:
    """The cells of each combination of settings, smallest size first."""
    groups: dict[str, list[Cell]] = {}
    for cell in study.cells():
        groups.setdefault(repr(cell.settings), []).append(cell)
    return [sorted(cells, key=lambda cell: cell.n_inputs) for cells in groups.values()]


def join_networks(blocks: Sequence[RunData], paths: Sequence[Path]) -> RunData:
    """Runs that differ in their networks only, as one; their time series stay on the disk.

    Step sizes, which differ, are left out.

    Raises:
        RunDirectoryError: other temperatures, bins or lengths.
    """
    first = blocks[0]
    arrays: dict[str, np.ndarray] = {}
    series: dict[str, Series] = {}
    for name in first.arrays.keys() - set(ADAPTED):
        parts, axis = [_part(block, name) for block in blocks], _axis(name)
        for part, path in zip(parts, paths, strict=True):
            if not _matches(part, parts[0], axis):
                raise RunDirectoryError(
                    f"{path} does not go together with {paths[0]}: {name} differs. Items of one cell have the same "
                    "temperatures, bins and number of draws; move the one that does not belong out of the study."
                )
        if name in TIME_SERIES:
            series[name] = join_series(parts)
        else:
            arrays[name] = parts[0] if axis is None else np.concatenate(parts, axis=axis)
    means = {name: draw_mean(values, 0, len(values)) for name, values in series.items()}
    model = first.config.model.model_copy(update={"n_networks": sum(b.config.model.n_networks for b in blocks)})
    config = first.config.model_copy(update={"model": model})
    return replace(first, config=config, arrays=RunArrays(arrays, series, means))


def _part(block: RunData, name: str) -> Any:
    """None if the run lacks it."""
    if name not in block.arrays:
        return None
    return block.series(name) if name in TIME_SERIES else block.arrays[name]


def _axis(name: str) -> int | None:
    if name in CHECKS:
        return 0
    axes = DATASETS[name].axes
    return axes.index("network") if "network" in axes else None


def _matches(part: Any, array: Any, axis: int | None) -> bool:
    if part is None:
        return False
    if axis is not None:
        return np.delete(part.shape, axis).tolist() == np.delete(array.shape, axis).tolist()
    return part.shape == array.shape and np.array_equal(part, array)


def _networks(item: StudyItem) -> np.ndarray:
    model = item.config.model
    return model.first_network + np.arange(model.n_networks)
