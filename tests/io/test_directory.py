"""A run directory belongs to one configuration and one writer, and says so."""

import json
import os
import socket

import pytest

from mcmc._version import __version__
from mcmc.config import parse_config
from mcmc.errors import RunDirectoryError, StorageError
from mcmc.io.directory import RUN_FILE, RunDirectory
from tests.support.segments import CONFIG, write_invented


def variant(**sections):
    data = CONFIG.model_dump()
    for name, values in sections.items():
        data[name] |= values
    return parse_config(data)


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.open_for(CONFIG, {"device": "cpu"})
    return directory


def test_what_is_written(directory):
    facts = directory.read_json(RUN_FILE)
    assert facts["physics_hash"] == CONFIG.physics_hash()
    assert facts["physics"] == CONFIG.physics()
    assert parse_config(facts["config"]) == CONFIG
    assert (facts["version"], facts["device"]) == (__version__, "cpu")
    assert directory.exists()
    assert sorted(entry.name for entry in directory.path.iterdir()) == ["checkpoint", "run.json", "segments"]


def test_opened_again_by_the_same_physics(directory):
    before = (directory.path / RUN_FILE).read_bytes()
    directory.open_for(variant(run={"device": "cpu", "block_networks": 1}, output={"directory": "x"}), {})
    assert (directory.path / RUN_FILE).read_bytes() == before


def test_parents_are_made(tmp_path):
    directory = RunDirectory(tmp_path / "a" / "b" / "run")
    directory.open_for(CONFIG, {})
    assert directory.segments.is_dir()


def test_other_configuration_is_refused_with_the_difference(directory):
    other = variant(model={"n_inputs": 9}, run={"seed": 3})
    with pytest.raises(RunDirectoryError, match="another configuration") as caught:
        directory.open_for(other, {})
    assert caught.value.differences == ["model.n_inputs: 8 -> 9", "run.seed: 0 -> 3"]
    for line in caught.value.differences:
        assert line in str(caught.value)
    assert "--out" in str(caught.value)


@pytest.mark.parametrize("name", ["notes.txt", "segments/segment-000000.h5", "checkpoint/A.npz", "other/x"])
def test_foreign_directory_is_refused_untouched(tmp_path, name):
    """Whatever lies there was not made by a run that has a run.json: it is not ours to write into."""
    foreign = tmp_path / "run" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    with pytest.raises(RunDirectoryError, match=r"is not a run directory \(no run.json"):
        RunDirectory(tmp_path / "run").open_for(CONFIG, {})
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == [foreign]


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunDirectoryError, match="is not a run directory"):
        RunDirectory(tmp_path / "run").open_for(CONFIG, {})


def test_empty_directory_is_welcome(tmp_path):
    RunDirectory(tmp_path).open_for(CONFIG, {})


@pytest.mark.parametrize("left", [[], ["checkpoint"], ["checkpoint", "segments"], ["segments", "run.json.part"]])
def test_killed_before_run_json_was_written(tmp_path, left):
    """The same command must go on where a kill in the first moments left an unborn directory."""
    for name in left:
        (tmp_path / name).touch() if name.endswith(".part") else (tmp_path / name).mkdir()
    directory = RunDirectory(tmp_path)
    directory.open_for(CONFIG, {})
    assert directory.read_json(RUN_FILE)["physics_hash"] == CONFIG.physics_hash()
    assert not list(tmp_path.glob("*.part"))


def test_read_only_place(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(StorageError, match="Read-only file system"):
        RunDirectory(tmp_path / "run").open_for(CONFIG, {})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b"\xff\xfe", b'{"physics_hash": "x"}'])
def test_damaged_run_json(directory, content):
    (directory.path / RUN_FILE).write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"run\.json is damaged"):
        directory.read_json(RUN_FILE)
    with pytest.raises(RunDirectoryError, match=r"run\.json is damaged"):
        directory.open_for(CONFIG, {})


def test_no_run_directory(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"no run.json in it.*mlp-gibbs run CONFIG.toml") as caught:
        RunDirectory(tmp_path / "nothing").read_json(RUN_FILE)
    assert caught.value.exit_code == 1


def test_segment_paths_in_order_and_only_whole_ones(directory):
    for index in (2, 0, 1):
        write_invented(directory.segment(index), index=index)
    (directory.segments / "segment-000003.h5.part").touch()
    assert directory.segment_paths() == [directory.segment(index) for index in range(3)]


# --- the log is for people, and never in the way


def test_log(directory):
    directory.log("start", device="cpu")
    directory.log("complete", sweep=3)
    first, second = (json.loads(line) for line in (directory.path / "log.jsonl").read_text().splitlines())
    assert (first["event"], first["device"], first["host"]) == ("start", "cpu", socket.gethostname())
    assert (second["event"], second["sweep"]) == ("complete", 3)


def test_log_on_a_full_disk_does_not_stop_the_run(directory, capsys):
    (directory.path / "log.jsonl").mkdir()
    directory.log("start")
    assert "log.jsonl not written" in capsys.readouterr().err
