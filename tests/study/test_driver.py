"""What becomes of a study when attempts at its items end early, fail, or never end."""

import json
from dataclasses import replace

import pytest

from mcmc.errors import EngineError, RunDirectoryError, StudyError
from mcmc.io.directory import RunDirectory
from mcmc.study import driver
from mcmc.study.config import load_study
from mcmc.study.directory import StudyDirectory
from mcmc.study.driver import MOST_IDLE_ATTEMPTS, run_study
from mcmc.study.work import Attempt
from tests.support.engines import HereEngine
from tests.support.studies import contents_of, reference_of, write_study


@pytest.fixture
def study(tmp_path):
    return load_study(write_study(tmp_path))


@pytest.fixture
def attempt(tmp_path, study, monkeypatch):
    """Run the study on an engine of this process that suffers these mishaps."""

    monkeypatch.setattr(driver, "started", lambda engine, path: engine.started(path))

    def go(*mishaps):
        engine = HereEngine(list(mishaps))
        return run_study(study, tmp_path / "out", engine, is_quiet=True), engine

    return go


def test_every_item_is_run_the_largest_first(tmp_path, study, attempt):
    outcome, engine = attempt()
    assert outcome.exit_code == 0
    assert (outcome.n_items, outcome.n_completed, outcome.n_resumed, outcome.n_lost) == (4, 4, 0, 0)
    assert engine.handed == ["n0008_net000000", "n0008_net000002", "n0006_net000000", "n0006_net000002"]
    assert contents_of(tmp_path / "out") == reference_of(study, tmp_path / "reference")
    again, engine = attempt()
    assert (again.n_resumed, engine.starts) == (4, 0), "nothing to do, nothing started"


def test_items_are_blocks_of_the_one_big_run(tmp_path, attempt, study):
    """With a step size that does not adapt, networks of an item move as they do among all networks of the cell."""
    from mcmc.io.reader import read_run
    from mcmc.run.driver import run

    study = load_study(write_study(tmp_path, n_inputs=[8], base={"sampler": {"step_size": 0.2}}))
    (cell,) = study.cells()
    run(cell.config, tmp_path / "big", is_quiet=True)
    big = read_run(tmp_path / "big").energy
    for item in study.items():
        run(item.config, tmp_path / item.name, is_quiet=True)
        start = item.config.model.first_network
        part = read_run(tmp_path / item.name).energy
        assert (part == big[:, start : start + part.shape[1]]).all()


def test_lost_attempts_are_made_again(tmp_path, study, attempt):
    mishaps = [RuntimeError("worker lost"), Attempt(-9, "killed"), Attempt(75, ""), RuntimeError("manager lost")] * 3
    outcome, _ = attempt(*mishaps)
    assert (outcome.n_completed, outcome.n_lost) == (4, len(mishaps))
    assert contents_of(tmp_path / "out") == reference_of(study, tmp_path / "reference")
    events = [json.loads(line)["event"] for line in (tmp_path / "out/logs/log.jsonl").read_text().splitlines()]
    assert events.count("item lost") == len(mishaps)


def test_an_item_that_never_gets_on_is_given_up(tmp_path, attempt):
    write_study(tmp_path, n_inputs=[8], n_networks=2)
    one = load_study(tmp_path / "study.toml")
    engine = HereEngine([Attempt(-9, "")] * MOST_IDLE_ATTEMPTS)
    with pytest.raises(StudyError, match=f"{MOST_IDLE_ATTEMPTS} attempts in a row ended before its next checkpoint"):
        run_study(one, tmp_path / "one", engine, is_quiet=True)
    assert len(engine.handed) == MOST_IDLE_ATTEMPTS


def test_a_failed_item_does_not_stop_the_others(tmp_path, study, attempt):
    with pytest.raises(StudyError, match=r"n0008_net000000: energy is NaN") as caught:
        attempt(Attempt(1, "energy is NaN"))
    assert list(caught.value.failed) == ["n0008_net000000"]
    assert len(StudyDirectory(tmp_path / "out").completed()) == 3
    outcome, _ = attempt()
    assert (outcome.n_resumed, outcome.n_completed) == (3, 4)


def test_a_stuck_engine_is_started_again(tmp_path, study, attempt):
    outcome, engine = attempt(None)
    assert (outcome.n_completed, engine.starts) == (4, 2)


def test_an_engine_that_does_not_work_ends_the_command(study, attempt):
    from parsl.executors.errors import BadStateException

    class Executor:
        label = "items"

    with pytest.raises(EngineError, match=r"does not start workers.*no queue"):
        attempt(BadStateException(Executor(), RuntimeError("no queue")))


def test_two_drivers_do_not_share_a_directory(tmp_path, study, attempt):
    attempt()
    (tmp_path / "out/items/n0006_net000000/segments").rename(tmp_path / "aside")
    RunDirectory(tmp_path / "out").path.joinpath("lock").write_text('{"pid": 1, "host": "elsewhere"}')
    before = (tmp_path / "out/study.json").read_bytes()
    with pytest.raises(RunDirectoryError, match="is being written by process 1 on elsewhere"):
        run_study(replace(study, n_networks=(8, 8)), tmp_path / "out", HereEngine([]), is_quiet=True)
    assert (tmp_path / "out/study.json").read_bytes() == before
