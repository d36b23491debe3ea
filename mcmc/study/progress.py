"""How far a study is, from its directory alone: works while it runs and after it was killed."""

from typing import Any

from mcmc.io.checkpoint import load_checkpoint
from mcmc.study.config import Study
from mcmc.study.directory import StudyDirectory
from mcmc.study.items import StudyItem, cut_into_items


def study_progress(study: Study, directory: StudyDirectory) -> dict[str, Any]:
    """What `study status` prints, as plain values.

    Raises:
        RunDirectoryError: no study was started there, it is another one, or an item is of another configuration.
    """
    directory.check(study)
    cells: list[dict[str, Any]] = []
    missing: list[str] = []
    for cell in study.cells():
        items = cut_into_items(cell)
        states = [_state(directory, item) for item in items]
        missing += [item.name for item, (_, share) in zip(items, states, strict=True) if share < 1]
        cells.append(
            {
                "cell": cell.name,
                "settings": cell.settings,
                "n_inputs": cell.n_inputs,
                "n_networks": cell.config.model.n_networks,
                "n_items": len(items),
                "completed": sum(share == 1 for _, share in states),
                "started": sum(is_started and share < 1 for is_started, share in states),
                "fraction": sum(share for _, share in states) / len(states),
            }
        )
    n_items = sum(cell["n_items"] for cell in cells)
    return {
        "study": study.name,
        "directory": str(directory.path),
        "n_items": n_items,
        "n_completed": n_items - len(missing),
        "is_complete": not missing,
        "missing": missing,
        "cells": cells,
    }


def sweeps_done(directory: StudyDirectory, item: StudyItem) -> int:
    """Sweeps behind the last checkpoint of an item; 0 without one.

    Raises:
        CheckpointError: it has checkpoints and none is intact.
    """
    checkpoint = load_checkpoint(directory.run_directory(item).checkpoints)
    return int(checkpoint.meta["sweep"]) if checkpoint else 0


def _state(directory: StudyDirectory, item: StudyItem) -> tuple[bool, float]:
    """(started, share of its results files)."""
    if directory.is_completed(item):
        return True, 1.0
    run = directory.run_directory(item)
    return run.exists(), len(run.segment_paths()) / item.config.n_segments
