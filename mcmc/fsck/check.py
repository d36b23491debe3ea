"""Is a directory what was left there, and if not, what can be done: `mlp-gibbs fsck`."""

import os
from pathlib import Path

from mcmc.diagram.directory import REQUEST_FILE, RESULT_FILE
from mcmc.errors import RunDirectoryError
from mcmc.fsck.diagrams import examine_diagram
from mcmc.fsck.report import LEFTOVER, Report
from mcmc.fsck.runs import examine_run
from mcmc.io.atomic import make_directory, storage_error, sync_directory
from mcmc.io.checkpoint import GENERATIONS, rewrite_manifest
from mcmc.io.directory import RUN_FILE, RunDirectory
from mcmc.io.lock import is_lock_file, locked

ITEMS = "items"


def examine(path: Path) -> Report:
    """Read every byte of the directory of a run, a diagram or a study; change nothing.

    Raises:
        RunDirectoryError: it is none of them.
    """
    path = Path(path)
    if (path / RUN_FILE).exists() or (path / "segments").is_dir() or (path / "checkpoint").is_dir():
        return examine_run(path)
    if (path / REQUEST_FILE).exists() or (path / RESULT_FILE).exists():
        return examine_diagram(path)
    runs = sorted(p for p in (path / ITEMS).glob("*") if (p / RUN_FILE).exists() or (p / "segments").is_dir())
    if runs:
        report = Report(path, "study", children=[examine_run(run) for run in runs])
        order = ("intact", "resumable", "repairable", "lost")
        report.verdict = max((child.verdict for child in report.children), key=order.index)
        return report
    raise RunDirectoryError(
        f"{path} holds no run ({RUN_FILE}), no phase diagram ({REQUEST_FILE}) and no study ({ITEMS}/). "
        "Give the directory that was --out of a command."
    )


def repair(path: Path) -> Report:
    """Move aside what is damaged, write anew what the rest still says, and examine again.

    Nothing is deleted: what is moved lies under its own name in `aside-N/`.

    Raises:
        RunDirectoryError: another process writes there.   StorageError: the file system refused.
    """
    found = examine(path)
    if found.children:
        children = [repair(child.directory) for child in found.children]
        after = examine(path)
        after.children = [
            _with_moved(again, child.moved) for again, child in zip(after.children, children, strict=True)
        ]
        return after
    with locked(found.directory):
        found = examine(path)
        moved = _move_aside(found)
        for name, content in found.rewrites.items():
            RunDirectory(found.directory).write_json(name, content)
        checkpoints = RunDirectory(found.directory).checkpoints
        if any((checkpoints / name).exists() for name in GENERATIONS):
            rewrite_manifest(checkpoints)
    return _with_moved(examine(path), moved)


def _move_aside(report: Report) -> dict[str, str]:
    names = [f.path for f in report.findings if f.is_moved and not (f.state == LEFTOVER and is_lock_file(Path(f.path)))]
    if not names:
        return {}
    n = 1
    while (aside := report.directory / f"aside-{n}").exists():
        n += 1
    moved = {}
    for name in names:
        source, target = report.directory / name, aside / name
        make_directory(target.parent)
        try:
            os.rename(source, target)
            sync_directory(target.parent)
            sync_directory(source.parent)
        except OSError as error:
            raise storage_error(source, error) from error
        moved[name] = str(target.relative_to(report.directory))
    return moved


def _with_moved(report: Report, moved: dict[str, str]) -> Report:
    report.moved = moved
    return report
