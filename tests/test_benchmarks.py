"""Benchmarks run: every part of the scripts that measure the CPU, and a GPU, at tiny sizes on the CPU."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from mcmc import native

ROOT = Path(__file__).parents[1]
PARTS = ("tests", "ceiling", "gradient", "gaps", "accuracy", "scaling", "exchange", "io")


def gpu_all(out: Path, python: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OUT": str(out), "PYTHON": python, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "benchmarks/gpu_all.sh", "--dry"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )


def test_every_part_of_the_gpu_script_runs(tmp_path):
    done = gpu_all(tmp_path, sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr
    results = defaultdict(list)
    for text in (tmp_path / "results.jsonl").read_text().splitlines():
        line = json.loads(text)
        results[line["benchmark"].removeprefix("gpu ")].append(line)
    assert {part: len(found) for part, found in results.items()} == {
        "ceiling": 2,
        "gradient": 2 * 3 * 2,
        "gaps": 2 * 2,
        "accuracy": 2 * 3,
        "scaling": 1,
        "exchange": 1,
        "io": 1,
    }
    assert all(line["fraction_of_products"] > 0 for line in results["gradient"])
    assert all(0 <= line["idle_share"] < 1 for line in results["gaps"])
    assert all(line["is_repeatable"] and line["energy_error_roundings"] < 32 for line in results["accuracy"])
    assert set(results["scaling"][0]["exponents"]) == set(results["scaling"][0]["measured"])
    assert results["io"][0]["seconds_to_first_sweep"] > 0


def test_a_part_that_fails_is_told_and_the_others_go_on(tmp_path):
    done = gpu_all(tmp_path, "false")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"failed: {' '.join(PARTS)}"
    told = (tmp_path / "log.txt").read_text()
    assert all(f"== {part}: exit code 1" in told for part in PARTS)


@pytest.mark.skipif(native.fused_engine() is None, reason="no fused kernels here, which some parts measure")
def test_every_part_of_the_cpu_script_runs(tmp_path):
    """Without peers, which are not installed where tests run."""
    environment = {**os.environ, "OUT": str(tmp_path), "PYTHON": sys.executable, "PEER_PYTHON": "none", "PIN": ""}
    done = subprocess.run(
        ["bash", "benchmarks/all.sh", "--short"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {
        path.stem: [json.loads(text) for text in path.read_text().splitlines()] for path in tmp_path.glob("*.jsonl")
    }
    files = ("gradient", "avx512", "split", "io", "ceiling", "portable", "scaling")
    assert {name: len(found) for name, found in lines.items()} == {**dict.fromkeys(files, 1), "ladders": 2}


@pytest.mark.parametrize("figure", ["performance-gradient", "performance-draws"])
def test_figures_are_of_the_lines_under_results(figure, monkeypatch):
    """What a PNG says of the lines it was drawn from is the digest of those that lie there."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    figures = import_module("performance_figures")
    with Image.open(ROOT / "docs" / "figures" / f"{figure}.png") as image:
        assert image.info["Source"] == figures.digest(figure), "draw it again: python benchmarks/performance_figures.py"
