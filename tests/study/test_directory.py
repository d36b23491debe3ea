"""The directory of a study: whose it is, what is done, and that nothing of another study is touched."""

import json
import shutil

import pytest

from mcmc.errors import RunDirectoryError
from mcmc.run.driver import run
from mcmc.study.config import load_study
from mcmc.study.directory import STUDY_FILE, StudyDirectory
from mcmc.study.progress import study_progress
from tests.support.studies import write_study


@pytest.fixture
def study(tmp_path):
    return load_study(write_study(tmp_path))


@pytest.fixture
def directory(tmp_path, study):
    directory = StudyDirectory(tmp_path / "out")
    directory.open_for(study)
    return directory


def test_what_was_started_comes_back(directory, study):
    assert directory.study() == study
    content = json.loads((directory.path / STUDY_FILE).read_text())
    assert content["schema_version"] == 1
    assert content["versions"].keys() >= {"python", "torch", "numpy"}
    directory.open_for(study)


def test_items_are_missing_until_their_last_results_file_is_there(directory, study):
    items = study.items()
    assert directory.missing() == items
    path = directory.run_directory(items[0]).path
    run(items[0].config, path, is_quiet=True)
    assert directory.completed() == [items[0]]
    last = directory.run_directory(items[0]).segment_paths()[-1]
    last.unlink()
    assert directory.missing() == items
    progress = study_progress(study, directory)
    assert progress["missing"] == [item.name for item in items]
    assert progress["cells"][0] | {"completed": 0, "started": 1} == progress["cells"][0]
    assert progress["cells"][0]["fraction"] == pytest.approx(2 / 3 / 2)


@pytest.mark.parametrize(
    "change",
    [
        {"n_inputs": [6]},
        {"n_networks": 2},
        {"item_networks": 3},
        {"base": {"run": {"seed": 12}}},
        {"base": {"tempering": {"beta_max": 3.5}}},
    ],
)
def test_another_study_is_refused_and_nothing_changes(tmp_path, directory, change):
    before = (directory.path / STUDY_FILE).read_bytes()
    with pytest.raises(RunDirectoryError, match="holds another study"):
        directory.open_for(load_study(write_study(tmp_path, **change)))
    assert (directory.path / STUDY_FILE).read_bytes() == before


@pytest.mark.parametrize(
    "change", [{"n_networks": 6}, {"n_inputs": [6, 8, 10]}, {"base": {"run": {"checkpoint_every_s": 1.0}}}]
)
def test_a_study_may_grow(tmp_path, directory, study, change):
    done = study.items()[0]
    run(done.config, directory.run_directory(done).path, is_quiet=True)
    grown = load_study(write_study(tmp_path, **change))
    directory.open_for(grown)
    assert directory.study() == grown
    assert [item.name for item in directory.completed()] == [done.name]


def test_folders_of_others_are_left_alone(tmp_path, study):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    with pytest.raises(RunDirectoryError, match="is not a study"):
        StudyDirectory(other).open_for(study)
    with pytest.raises(RunDirectoryError, match="is not a study: there is no"):
        StudyDirectory(other).study()
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("damage", ["", "{", "{}", "[]", '{"schema": "mlp-gibbs study", "schema_version": 99}'])
def test_a_damaged_study_file_is_told(directory, study, damage):
    (directory.path / STUDY_FILE).write_text(damage)
    with pytest.raises(RunDirectoryError, match="is damaged"):
        directory.study()
    with pytest.raises(RunDirectoryError, match="is damaged"):
        directory.open_for(study)


def test_an_item_of_another_configuration_is_told(directory, study):
    first, second, *_ = study.items()
    run(first.config, directory.run_directory(first).path, is_quiet=True)
    shutil.copytree(directory.run_directory(first).path, directory.run_directory(second).path)
    with pytest.raises(RunDirectoryError, match="of another configuration than its study"):
        directory.completed()
