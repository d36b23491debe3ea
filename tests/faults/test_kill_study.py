"""SIGKILL of anybody in a study, at any moment: driver, managers of workers, runs of items; resumed, the same bytes."""

import random
import signal
import subprocess
import time

import psutil

from mcmc.study.config import load_study
from tests.support.runs import INSTALLED
from tests.support.studies import contents_of, lasting, processes_of, reference_of, write_study

SEED = 20261123
N_KILLS = (3, 60)  # in short, in full
ITEM_S = 5  # of work
IDLE_S = 30  # processes without their driver are gone long before


def test_at_random_moments(tmp_path, tally, full):
    path = write_study(tmp_path, n_inputs=[8], n_networks=4, base=lasting(tmp_path / "pilot", ITEM_S))
    out = tmp_path / "out"
    reference = reference_of(load_study(path), tmp_path / "reference")
    rng, n_killed, command = random.Random(SEED), 0, [INSTALLED, "study", "run", str(path), "--out", str(out)]
    while n_killed < N_KILLS[full]:
        driver = subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0.5, 7.0))
        others = processes_of(out)
        victim = rng.choice([psutil.Process(driver.pid), *others])
        is_over = driver.poll() is not None
        if not is_over:
            victim.kill()
            n_killed += 1
        is_driver = victim.pid == driver.pid
        _, words = driver.communicate(timeout=180)
        assert driver.returncode == (-signal.SIGKILL if is_driver and not is_over else 0), words
        until = time.monotonic() + IDLE_S
        while processes_of(out):
            assert time.monotonic() < until, "processes outlive the driver"
            time.sleep(0.1)
        if driver.returncode == 0:
            is_same = contents_of(out) == reference
            tally("SIGKILL of study at a random moment, until complete", "same bytes" if is_same else "WRONG")
            assert is_same
            out = tmp_path / f"out-{n_killed}"
            command[-1] = str(out)
    done = subprocess.run([*command, "--workers", "2"], capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert contents_of(out) == reference
