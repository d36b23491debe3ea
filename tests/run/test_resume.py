"""A run that was stopped, anywhere and by anything, and resumed ends with the bytes of one that was not."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from mcmc.errors import CheckpointError, RunDirectoryError, SegmentError
from mcmc.interrupt import EXIT_INTERRUPTED, SIGNALS
from mcmc.io.directory import RunDirectory
from mcmc.kernels.registry import KERNELS
from mcmc.run.driver import run
from mcmc.run.production import Production
from mcmc.run.simulation import Simulation
from tests.support.runs import (
    INSTALLED,
    ROOT,
    as_toml,
    contents,
    finished,
    interrupted_command,
    small_config,
    small_data,
    stopping_at,
)

N_BURN_IN, SEGMENT = 90, 16
N_TOTAL = N_BURN_IN + 48
IN_BURN_IN = "sweep:50"  # in the second of its rounds
IN_A_SEGMENT = f"sweep:{N_BURN_IN + SEGMENT + 7}"  # after an unmeasured sweep
AT_ITS_END = f"sweep:{N_BURN_IN + 2 * SEGMENT}"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    files = finished(small_config(), tmp_path_factory.mktemp("whole") / "run")
    assert sorted(files) == ["burn_in.json", *(f"segment-{i:06d}.h5" for i in range(3))]
    return files


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(as_toml(small_data()))
    return path


@pytest.mark.parametrize(
    ("name", "place"),
    [("SIGTERM", IN_BURN_IN), ("SIGTERM", AT_ITS_END), ("SIGINT", IN_A_SEGMENT), ("SIGUSR1", f"sweep:{N_BURN_IN}")],
)
def test_polite_signals(tmp_path, toml, uninterrupted, name, place):
    done = interrupted_command(name, place, "run", str(toml), "--out", str(tmp_path / "run"))
    assert done.returncode == EXIT_INTERRUPTED == 75, done.stderr
    sweep = int(place.split(":")[1])
    assert f"stopped by {name} at sweep {sweep} of {N_TOTAL}; checkpoint written" in done.stdout
    assert len(RunDirectory(tmp_path / "run").segment_paths()) == max(0, sweep - N_BURN_IN) // SEGMENT
    assert not (tmp_path / "run" / "lock").exists()
    assert finished(small_config(), tmp_path / "run") == uninterrupted


@pytest.mark.filterwarnings("ignore:.*manifest.json is damaged or missing")
@pytest.mark.parametrize(
    "place",
    ["mkdir:0", "sweep:1", IN_BURN_IN, "manifest:1", IN_A_SEGMENT, AT_ITS_END, "segment:1"],
)
def test_kill(tmp_path, toml, uninterrupted, place):
    """SIGKILL: nothing is told, nothing is cleaned up; what counts is what lies on the disk."""
    path = tmp_path / "run"
    arguments = ["run", str(toml), "--out", str(path), "--set", "run.checkpoint_every_s=0.02"]
    done = interrupted_command("SIGKILL", place, *arguments)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert contents(path) != uninterrupted
    assert (path / "lock").exists() or place == "mkdir:0"
    assert finished(small_config(), path) == uninterrupted
    assert not (path / "lock").exists()


@pytest.mark.parametrize("n_burn_in", [0, 90])
def test_death_between_the_first_results_and_their_checkpoint(tmp_path, monkeypatch, n_burn_in):
    """Without burn-in too: there must be a checkpoint before there is a result."""

    class Death(BaseException):
        pass

    def write(self, directory):
        true_write(self, directory)
        raise Death

    true_write = Production.write_segment
    config = small_config(run={"n_burn_in": n_burn_in})
    with monkeypatch.context() as patched:
        patched.setattr(Production, "write_segment", write)
        with pytest.raises(Death):
            run(config, tmp_path / "run", is_quiet=True)
    assert len(RunDirectory(tmp_path / "run").segment_paths()) == 1
    assert finished(config, tmp_path / "run") == finished(config, tmp_path / "whole")


def test_signal_from_outside(tmp_path, uninterrupted):
    """The installed command, no help from within: SIGTERM once the first results file is there."""
    toml = tmp_path / "long.toml"
    toml.write_text(as_toml(small_data(run={"n_sweeps": 100_000})))
    process = subprocess.Popen(
        [INSTALLED, "run", str(toml), "--out", str(tmp_path / "run"), "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
    )
    first = RunDirectory(tmp_path / "run").segment(0)
    deadline = time.monotonic() + 60
    while not first.exists():
        assert process.poll() is None, "it ended before its first results"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == EXIT_INTERRUPTED
    assert b'"signal_name": "SIGTERM"' in output
    # segments carry the configuration, which differs here; the ladder that burn-in found does not
    assert (tmp_path / "run" / "burn_in.json").read_bytes() == uninterrupted["burn_in.json"]


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_stopped_again_and_again(tmp_path, monkeypatch, kernel):
    """Every 7 sweeps, so that every part of the loop is a place where a run was cut; each time by a real signal."""
    config = small_config(sampler={"kernel": kernel})
    whole = finished(config, tmp_path / "whole")

    def stop(sweep):
        os.kill(os.getpid(), SIGNALS[sweep % 3])

    monkeypatch.setattr(Simulation, "advance_by", stopping_at(range(7, N_TOTAL + 1, 7), stop))
    outcomes = [run(config, tmp_path / "run", is_quiet=True)]
    while not outcomes[-1].is_complete:
        outcomes.append(run(config, tmp_path / "run", is_quiet=True))
        assert outcomes[-1].sweep > outcomes[-2].sweep, "no progress: nothing was saved"
    assert [outcome.sweep for outcome in outcomes[:-1]] == list(range(7, N_TOTAL, 7))
    assert {outcome.signal_name for outcome in outcomes[:-1]} == {s.name for s in SIGNALS}
    assert contents(tmp_path / "run") == whole


def test_settings_that_may_change_between_attempts(tmp_path, monkeypatch, uninterrupted):
    """Blocks, checkpoint interval, device name: another choice on resuming leaves the bytes alone."""

    def stop(sweep):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Simulation, "advance_by", stopping_at((30, 100, 110), stop))
    for changes in ({}, {"block_networks": 1}, {"block_networks": 2, "checkpoint_every_s": 0.01}, {"device": "auto"}):
        outcome = run(small_config(run=changes), tmp_path / "run", is_quiet=True)
    assert outcome.is_complete
    assert contents(tmp_path / "run") == uninterrupted


def test_a_complete_run_does_nothing(tmp_path, uninterrupted):
    finished(small_config(), tmp_path / "run")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.name != "log.jsonl"}
    outcome = run(small_config(), tmp_path / "run", is_quiet=True)
    assert (outcome.is_complete, outcome.exit_code, outcome.sweep) == (True, 0, N_TOTAL)
    assert contents(tmp_path / "run") == uninterrupted
    segments = RunDirectory(tmp_path / "run").segment_paths()
    assert all(path.stat().st_mtime_ns == times[path] for path in segments)


def test_second_interrupt_is_obeyed_at_once(tmp_path, monkeypatch, request):
    """An impatient second Ctrl-C leaves now; the checkpoint of before is still there."""

    def advance(self):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Simulation, "advance", advance)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with pytest.raises(KeyboardInterrupt):
        run(small_config(), tmp_path / "run", is_quiet=True)
    assert not (tmp_path / "run" / "lock").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_are_given_back(tmp_path):
    before = [signal.getsignal(number) for number in SIGNALS]
    finished(small_config(run={"n_burn_in": 0, "n_sweeps": 2}), tmp_path / "run")
    assert [signal.getsignal(number) for number in SIGNALS] == before


# --- directories that are not what was left there


@pytest.fixture
def complete(tmp_path):
    finished(small_config(), tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def test_segments_without_a_checkpoint_are_refused(complete):
    for file in complete.checkpoints.iterdir():
        file.unlink()
    before = contents(complete.path)
    with pytest.raises(RunDirectoryError, match=r"has results but no checkpoint.*Restore its checkpoint"):
        run(small_config(), complete.path, is_quiet=True)
    assert contents(complete.path) == before
    assert not (complete.path / "lock").exists()


def test_lost_segment(complete):
    complete.segment(1).unlink()
    with pytest.raises(SegmentError, match=r"segment-000001\.h5.*it is missing"):
        run(small_config(), complete.path, is_quiet=True)


def test_damaged_segment(complete):
    data = complete.segment(0).read_bytes()
    complete.segment(0).write_bytes(data[: len(data) // 2])
    with pytest.raises(SegmentError, match=r"segment-000000\.h5"):
        run(small_config(), complete.path, is_quiet=True)


def test_foreign_segment(complete, tmp_path):
    finished(small_config(run={"seed": 12}), tmp_path / "other")
    complete.segment(2).write_bytes(RunDirectory(tmp_path / "other").segment(2).read_bytes())
    with pytest.raises(SegmentError, match="another configuration"):
        run(small_config(), complete.path, is_quiet=True)


def test_no_intact_checkpoint(complete):
    for name in ("A.npz", "B.npz"):
        (complete.checkpoints / name).write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        run(small_config(), complete.path, is_quiet=True)


def test_older_checkpoint_is_enough(complete):
    """The youngest lost: the last segment is written again, with the same bytes."""
    before = contents(complete.path)
    newest = max((complete.checkpoints / name for name in ("A.npz", "B.npz")), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(b"")
    with pytest.warns(UserWarning, match="checkpoint damaged"):
        assert finished(small_config(), complete.path) == before


def test_running_twice_at_once_is_refused(complete):
    living = {"pid": os.getppid(), "host": socket.gethostname()}
    (complete.path / "lock").write_text(json.dumps(living))
    before = contents(complete.path)
    with pytest.raises(RunDirectoryError, match=f"being written by process {os.getppid()}"):
        run(small_config(), complete.path, is_quiet=True)
    assert contents(complete.path) == before
