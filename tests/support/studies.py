"""Small studies on disk, and what they leave there."""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import tomli_w
import torch

from mcmc.run.driver import run
from mcmc.run.simulation import Simulation
from mcmc.study.config import Study, load_study
from mcmc.study.directory import StudyDirectory
from tests.support.runs import SMALL, as_toml, contents, finished, small_data

SIZES = (8, 12, 16)
PILOT_S = 1.0


def small_study(folder: Path, *, n_networks: int = 8, grid: str = "", **sections: dict[str, Any]) -> Study:
    """A study file of tanh at SIZES in blocks of 4 networks, with its base beside it."""
    base = small_data(
        **{
            "model": {"sigma_w": 1.0},
            "tempering": {"beta_max": 2.0, "n_temperatures": 5},
            "run": {"n_burn_in": 60, "n_sweeps": 160, "measure_every": 1},
            "output": {"segment_sweeps": 160},
            **sections,
        }
    )
    (folder / "base.toml").write_text(as_toml(base))
    (folder / "study.toml").write_text(
        f'[study]\nbase = "base.toml"\nn_inputs = {list(SIZES)}\nn_networks = {n_networks}\nitem_networks = 4\n{grid}'
    )
    return load_study(folder / "study.toml")


def finished_study(folder: Path, study: Study, *, skip: tuple[str, ...] = ()) -> StudyDirectory:
    """Every item of the study but some, run to its end."""
    directory = StudyDirectory(folder / "results")
    directory.open_for(study)
    for item in study.items():
        if item.name not in skip:
            assert run(item.config, directory.run_directory(item).path, is_quiet=True).is_complete
    return directory


def write_study(
    folder: Path, *, base: dict[str, Any] | str | None = None, drop: list[str] | None = None, **section: Any
) -> Path:
    """`study.toml` with `run.toml` beside it: two sizes of SMALL, four networks each, unless changed.

    Args:
        base: changes of SMALL, or a path that is named as base and not written.
        drop: dotted keys of the base that are left out.
    """
    content = copy.deepcopy(SMALL)
    changes = base if isinstance(base, dict) else {}
    for name, values in changes.items():
        content.setdefault(name, {}).update(values)
    for key in drop or []:
        name, _, key = key.partition(".")
        del content[name][key]
    (folder / "run.toml").write_text(tomli_w.dumps(content))
    study = {
        "base": base if isinstance(base, str) else "run.toml",
        "n_inputs": [6, 8],
        "n_networks": 4,
        "item_networks": 2,
    }
    path = folder / "study.toml"
    path.write_text(tomli_w.dumps({"study": study | section}))
    return path


def lasting(folder: Path, seconds: float) -> dict[str, Any]:
    """Changes of SMALL with which an item of two networks of 8 inputs works about so long on this machine, now.

    Checkpoints come every few sweeps, so that kills find it at work and cost little.
    """
    run_section = {"n_burn_in": 300, "checkpoint_every_s": 0.1}
    folder.mkdir()
    item = load_study(write_study(folder, n_inputs=[8], n_networks=2, base={"run": run_section})).items()[0]
    with one_thread():
        simulation, n_sweeps, start = Simulation.start(item.config, torch.device("cpu")), 0, time.monotonic()
        while time.monotonic() < start + PILOT_S:
            n_sweeps += simulation.advance_by(100).n_sweeps
    segment_sweeps = max(100, round(n_sweeps * seconds / PILOT_S / 40) * 10)
    return {"run": run_section | {"n_sweeps": 4 * segment_sweeps}, "output": {"segment_sweeps": segment_sweeps}}


@contextmanager
def one_thread() -> Iterator[None]:
    """As the workers of a study run: threads that wait for each other on busy cores are a hundred times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def contents_of(study: Path) -> dict[str, dict[str, bytes]]:
    """The bytes of every item that must not depend on how it was run."""
    return {path.name: contents(path) for path in sorted((study / "items").iterdir())}


def reference_of(study: Study, folder: Path) -> dict[str, dict[str, bytes]]:
    """The same, of items run one after the other in this process without any interruption."""
    with one_thread():
        return {
            item.name: finished(item.config, folder / item.name) for item in sorted(study.items(), key=lambda i: i.name)
        }


def processes_of(study) -> list[psutil.Process]:
    """Runs of items, and the managers of Parsl's workers."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ["bash"]
        is_ours = any(str(study) in word for word in words) and "bash" not in words[0]
        if is_ours and ("mcmc.study.work" in words or any("worker_pool" in word for word in words)):
            found.append(process)
    return found


def is_run(process: psutil.Process) -> bool:
    """Of an item, in contrast to a manager of workers."""
    return "mcmc.study.work" in process.info["cmdline"]
