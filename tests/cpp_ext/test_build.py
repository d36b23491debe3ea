"""What stops a build stops it with a sentence that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def build(tmp_path, **environment: str) -> subprocess.CompletedProcess:
    target = ["--build-lib", str(tmp_path / "lib"), "--build-temp", str(tmp_path / "temp")]
    return subprocess.run(
        [sys.executable, "setup.py", "build_ext", *target],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CXX": "no-such-compiler"}, "needs a C++ compiler to build mcmc._C, and 'no-such-compiler' is not on PATH"),
        ({"MLP_GIBBS_CUDA": "yes"}, "MLP_GIBBS_CUDA must be 0 or 1, found 'yes'"),
        ({"MLP_GIBBS_CUDA": "1"}, "has no CUDA: install one that has"),
    ],
)
def test_build_stops_with_one_sentence(tmp_path, environment, message):
    if environment.get("MLP_GIBBS_CUDA") == "1" and torch.version.cuda is not None:
        pytest.skip("this torch has CUDA, so the request is a good one")
    done = build(tmp_path, **environment)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_flags_keep_every_rounding():
    text = (ROOT / "setup.py").read_text()
    assert '"-ffp-contract=off"' in text
    assert '"-fmad=false"' in text
    for forbidden in ("fast-math", "march=native", "use_fast_math"):
        assert forbidden not in text
