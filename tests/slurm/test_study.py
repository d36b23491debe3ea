"""A study through a real Slurm, with a walltime shorter than the study, ends with the bytes of one without Slurm."""

import json
import shutil
import subprocess
import tempfile
import threading
import warnings
from pathlib import Path

import pytest

from mcmc.study.config import load_study
from mcmc.study.directory import StudyDirectory
from mcmc.study.progress import sweeps_done
from tests.slurm.cluster import cluster, why_not
from tests.support.runs import INSTALLED
from tests.support.studies import contents_of, reference_of, write_study

# two items side by side, each of a dozen seconds on an idle core and of many checkpoints
LONG = {
    "model": {"width_ratios": [4.0]},
    "tempering": {"n_temperatures": 8},
    "run": {"n_burn_in": 4000, "n_sweeps": 36000, "measure_every": 1000, "checkpoint_every_s": 0.5},
    "output": {"segment_sweeps": 12000},
}
WALLTIME, GRACE = "01:00", 25  # Slurm's least walltime; items start and work in the 35 seconds before the grace


@pytest.fixture
def slurm():
    reason = why_not()
    if reason:
        warnings.warn(f"studies are NOT tested through Slurm: {reason}", stacklevel=1)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # of a short name: sockets live in it
    try:
        with cluster(folder) as environment:
            yield environment
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cancel_the_first_job(study, directory, slurm, is_over):
    """As an administrator would, once every item has a checkpoint: what a walltime does, but on any machine in time."""
    while not is_over.wait(0.2):
        if directory.exists() and all(sweeps_done(directory, item) for item in study.items()):
            subprocess.run(["scancel", "--user=root"], env=slurm, capture_output=True)
            return


def test_a_study_longer_than_its_jobs(tmp_path, slurm):
    path = write_study(tmp_path, n_inputs=[16], n_networks=4, base=LONG)
    study, directory, is_over = load_study(path), StudyDirectory(tmp_path / "out"), threading.Event()
    command = [INSTALLED, "study", "run", str(path), "--out", str(tmp_path / "out"), "--json", "--engine", "slurm"]
    options = ["--partition", "loop", "--walltime", WALLTIME, "--grace", str(GRACE), "--workers-per-node", "2"]
    canceller = threading.Thread(target=cancel_the_first_job, args=(study, directory, slurm, is_over))
    canceller.start()
    try:
        done = subprocess.run([*command, *options], env=slurm, capture_output=True, text=True, timeout=900)
    finally:
        is_over.set()
        canceller.join()
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    jobs = list((tmp_path / "out/logs/parsl").glob("*/submit_scripts/*.stdout"))
    assert outcome["n_lost"] >= 1, "no item was interrupted: make them longer"
    assert len(jobs) >= 2
    assert contents_of(tmp_path / "out") == reference_of(study, tmp_path / "reference")
    queue = subprocess.run(["squeue", "--noheader"], env=slurm, capture_output=True, text=True)
    assert "RUNNING" not in queue.stdout
    assert "PENDING" not in queue.stdout


def test_a_partition_that_is_not_there(tmp_path, slurm):
    path = write_study(tmp_path)
    command = [INSTALLED, "study", "run", str(path), "--out", str(tmp_path / "out"), "--engine", "slurm"]
    done = subprocess.run([*command, "--partition", "gpu"], env=slurm, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "there is no 'gpu'" in done.stderr
