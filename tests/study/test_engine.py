"""Studies on real workers: same bytes whatever their number, whoever is killed; engines that are not there."""

import os
import random
import signal
import subprocess
import threading
import time

import psutil
import pytest

from mcmc.errors import EngineError, StudyError, UsageError
from mcmc.study.config import load_study
from mcmc.study.directory import StudyDirectory
from mcmc.study.driver import run_study
from mcmc.study.engine import LocalEngine, SlurmEngine
from mcmc.study.progress import sweeps_done
from tests.support.cli import invoke
from tests.support.runs import INSTALLED
from tests.support.studies import contents_of, is_run, lasting, processes_of, reference_of, write_study

N_KILLS = 20
ITEM_S = 12  # of work: long enough for N_KILLS


@pytest.fixture
def path(tmp_path):
    return write_study(tmp_path, n_inputs=[8], n_networks=4, base=lasting(tmp_path / "pilot", ITEM_S))


@pytest.fixture
def reference(tmp_path, path):
    return reference_of(load_study(path), tmp_path / "reference")


def test_killing_workers_changes_nothing(tmp_path, path, reference):
    """Twenty times, as soon as some item has got on: its run is killed at random, or the worker that started it."""
    out, rng, killed, is_over = tmp_path / "out", random.Random(3), [], threading.Event()
    study = load_study(path)

    def kill() -> None:
        before = 0
        while not is_over.wait(rng.uniform(0.05, 0.3)) and len(killed) < N_KILLS:
            done = sum(sweeps_done(StudyDirectory(out), item) for item in study.items())
            runs = [process for process in processes_of(out) if is_run(process)]
            if done == before or not runs:
                continue
            before = done
            victim = rng.choice(runs)
            try:
                (victim.parent() if len(killed) % 10 == 5 else victim).kill()
                killed.append(victim.pid)
            except (psutil.Error, AttributeError):
                continue  # it was over first

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        outcome = run_study(study, out, LocalEngine(2, heartbeat_s=5.0), is_quiet=True)
    finally:
        is_over.set()
        killer.join()
    assert len(killed) == N_KILLS, "the study was over too soon: make its items longer"
    assert outcome.n_lost > N_KILLS / 2
    assert contents_of(out) == reference


def test_stopped_killed_and_resumed(tmp_path, path, reference):
    """SIGINT: status 75, nobody left. SIGKILL of the driver: its runs leave too. Then another number of workers."""
    out = tmp_path / "out"
    item = load_study(path).items()[0]

    def start(*arguments: str) -> subprocess.Popen:
        command = [INSTALLED, "study", "run", str(path), "--out", str(out), *arguments]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def wait_for(condition, what: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"not within {seconds} s: {what}"
            time.sleep(0.05)

    def has_started() -> bool:
        return sweeps_done(StudyDirectory(out), item) > 0

    driver = start("--workers", "2")
    wait_for(has_started, "a first checkpoint")
    driver.send_signal(signal.SIGINT)
    _, words = driver.communicate(timeout=60)
    assert driver.returncode == 75, words
    wait_for(lambda: not processes_of(out), "everybody gone after SIGINT", 10)

    before = sweeps_done(StudyDirectory(out), item)
    driver = start("--workers", "1")
    wait_for(lambda: sweeps_done(StudyDirectory(out), item) > before, "progress after resuming")
    driver.kill()
    driver.communicate()
    wait_for(lambda: not any(map(is_run, processes_of(out))), "runs gone after SIGKILL of their driver", 20)

    driver = start("--workers", "3", "--json")
    _, words = driver.communicate(timeout=120)
    assert driver.returncode == 0, words
    assert contents_of(out) == reference
    wait_for(lambda: not processes_of(out), "everybody gone", 40)


def test_an_item_that_cannot_run_says_why(tmp_path):
    study = load_study(write_study(tmp_path, n_inputs=[6], n_networks=2, item_networks=1))
    folder = tmp_path / "out/items/n0006_net000001"
    StudyDirectory(tmp_path / "out").open_for(study)
    folder.mkdir()
    (folder / "thesis.tex").write_text("")
    with pytest.raises(StudyError, match=r"n0006_net000001: .* is not a run directory"):
        run_study(study, tmp_path / "out", LocalEngine(1), is_quiet=True)
    assert [item.name for item in StudyDirectory(tmp_path / "out").completed()] == ["n0006_net000000"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "condor"], "--engine: expected local or slurm, found 'condor'"),
        (["--workers", "0"], "--workers: expected at least 1, found 0"),
        (["--workers", "3", "--gpus", "2"], "a GPU has one worker"),
        (["--engine", "slurm", "--walltime", "soon"], "expected [HH:]MM:SS, found 'soon'"),
        (["--engine", "slurm", "--walltime", "00:30"], "--walltime: expected at least a minute"),
        (["--engine", "slurm", "--walltime", "01:00", "--grace", "60"], "more than --grace (60 s)"),
        (["--engine", "slurm", "--gpus-per-node", "2", "--workers-per-node", "4"], "a GPU has one worker"),
    ],
)
def test_wrong_options(tmp_path, capsys, arguments, message):
    path = write_study(tmp_path)
    answer = invoke(capsys, "study", "run", path, "--out", tmp_path / "out", *arguments)
    assert answer.status == 2
    assert message in answer.err
    assert not (tmp_path / "out").exists()


SLURM = SlurmEngine(n_jobs=1, walltime_s=600, grace_s=30, n_workers=1, partition="cpu")


def fake_slurm(folder, monkeypatch, sinfo: str) -> None:
    """Commands of Slurm's names on an otherwise empty PATH."""
    for name in ("sbatch", "squeue", "scancel", "sinfo"):
        script = folder / name
        script.write_text(f"#!/bin/sh\n{sinfo if name == 'sinfo' else 'exit 1'}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_no_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"sbatch, squeue, scancel, sinfo not found on PATH.*--engine local"):
        SLURM.check()


def test_slurm_that_does_not_answer(tmp_path, monkeypatch):
    fake_slurm(tmp_path, monkeypatch, "echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(EngineError, match=r"Slurm does not answer: Unable to contact slurm controller"):
        SLURM.check()


def test_no_such_partition(tmp_path, monkeypatch):
    fake_slurm(tmp_path, monkeypatch, "echo cpu_long; echo gpu")
    with pytest.raises(UsageError, match=r"--partition: there is no 'cpu'. Did you mean 'gpu'"):
        SLURM.check()


def test_jobs_are_asked_for_as_told(tmp_path):
    """What sbatch gets: whole lines, one core a worker, and the moment at which items must go."""
    provider = SlurmEngine(
        n_jobs=3,
        walltime_s=5400,
        grace_s=60,
        n_workers=4,
        partition="gpu",
        account="me",
        gpus_per_node=4,
        options="#SBATCH --mem=8G",
    ).provider()
    lines = provider.scheduler_options.splitlines()
    assert set(lines) >= {
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=8G",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=me",
        "#SBATCH --gpus-per-node=4",
    }
    assert "#SBATCH --exclusive" not in lines
    assert provider.walltime == "01:30:00"
    assert provider.max_blocks == 3
    done = subprocess.run(
        ["bash", "-c", f"{provider.worker_init}\necho $MLP_GIBBS_DEADLINE"], capture_output=True, text=True
    )
    assert float(done.stdout) == pytest.approx(time.time() + 5340, abs=5)
    assert os.environ.get("MLP_GIBBS_DEADLINE") is None
