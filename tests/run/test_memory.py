"""The peak of the memory of real runs against what was said beforehand, each use of it made the largest in turn."""

import json
import os
import subprocess
import sys

import pytest

from mcmc.run import memory

MIB = 2**20
BASE = {
    "model": {"activation": "tanh", "n_networks": 8},
    "tempering": {"beta_min": 0.1, "beta_max": 1.0},
    "run": {"n_burn_in": 0, "n_sweeps": 4},
    "output": {"segment_sweeps": 2},
}
CASES = {
    "weights": {"model": {"n_inputs": 1024, "n_networks": 12}, "tempering": {"n_temperatures": 2, "n_replicas": 2}},
    "positions": {
        "model": {"n_inputs": 512, "width_ratios": [0.25]},
        "tempering": {"n_temperatures": 16, "n_replicas": 16},
        "output": {"segment_sweeps": 2, "overlaps": False},
    },
    "momenta": {
        "model": {"n_inputs": 512, "width_ratios": [0.25]},
        "sampler": {"kernel": "langevin"},
        "tempering": {"n_temperatures": 16, "n_replicas": 16},
        "output": {"segment_sweeps": 2, "overlaps": False},
    },
    "activations": {
        "model": {"n_inputs": 64, "width_ratios": [4.0, 4.0]},
        "tempering": {"n_temperatures": 32, "n_replicas": 16},
    },
    "histograms": {
        "model": {"n_inputs": 8, "width_ratios": [1.0] * 4, "n_networks": 16},
        "tempering": {"n_temperatures": 64, "n_replicas": 2},
        "output": {"segment_sweeps": 2, "n_bins": 1500},
    },
}
# every case in one process, after a small run that loads what is loaded only once
PROGRAM = """
import ctypes, gc, json, sys, tempfile, torch
from pathlib import Path
from mcmc.config import parse_config
from mcmc.run.driver import run
from mcmc.run.memory import memory_bytes
torch.set_num_threads(1)

def status(field):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(field))

def peak_of(config):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else what the case before has freed hides a part of this one
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    with tempfile.TemporaryDirectory() as folder:
        run(config, Path(folder) / "run", is_quiet=True)
    return status("VmHWM") - before

small, *cases = [parse_config(case) for case in json.load(sys.stdin)]
peak_of(small)
print(json.dumps([(sum(memory_bytes(case).values()), peak_of(case)) for case in cases]))
"""


def case_of(changes, **run):
    case = {section: {**BASE.get(section, {}), **changes.get(section, {})} for section in BASE.keys() | changes.keys()}
    return case | {"run": case["run"] | run}


def measured(cases, **environment):
    """(predicted, measured) bytes of each."""
    small = case_of({"model": {"n_inputs": 4, "n_networks": 1}, "tempering": {"n_temperatures": 2, "n_replicas": 2}})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([small, *cases]),
        capture_output=True,
        text=True,
        check=False,
        # what is freed goes back at once, so that one case does not hide in the room of another
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536", **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="no way to measure a peak here")
@pytest.mark.parametrize(
    ("dtype", "simd"),
    [("float32", "amx"), ("float32", "none"), ("float64", "none")],
    ids=["packed", "plain", "float64"],
)
def test_peak_is_what_was_said(dtype, simd):
    """Never above it but for a little of the interpreter and the libraries, and not far below."""
    cases = {name: case_of(changes, dtype=dtype) for name, changes in CASES.items()}
    for name, (predicted, peak) in zip(cases, measured(list(cases.values()), MLP_GIBBS_SIMD=simd), strict=True):
        print(f"{name}: {predicted / MIB:.0f} MiB said, {peak / MIB:.0f} measured")
        assert 0.55 * predicted < peak < 1.05 * predicted + 8 * MIB, name


def test_packed_weights_are_counted(monkeypatch):
    """They were not: a run of wide networks took four times the memory that it had said."""
    from mcmc.config import parse_config

    config = parse_config(case_of(CASES["weights"]))
    monkeypatch.setenv("MLP_GIBBS_SIMD", "none")
    plain = memory.memory_bytes(config)
    assert plain["packed_weights"] == plain["weights"]
