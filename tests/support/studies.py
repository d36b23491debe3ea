"""Small whole studies: real runs of a few seconds, made in this process."""

from pathlib import Path
from typing import Any

from mcmc.run.driver import run
from mcmc.study.config import Study, load_study
from mcmc.study.directory import StudyDirectory
from tests.support.runs import as_toml, small_data

SIZES = (8, 12, 16)


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
