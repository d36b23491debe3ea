"""What a run does on a machine that lacks what was asked for: fall back or refuse, with the reason in the run file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.errors import ConfigError, DeviceError
from mcmc.io.reader import read_run
from mcmc.run import driver
from mcmc.run.memory import memory_bytes
from tests.support.runs import finished, small_config


def facts(path: Path) -> dict:
    return json.loads((path / "run.json").read_text())


def test_forces_that_the_processor_lacks(tmp_path, monkeypatch):
    """bfloat16 without a unit that multiplies it: the chains of float32, with the reason."""
    monkeypatch.setattr(native, "fused_engine", lambda: None)
    given = {"run": {"dtype": "float32"}}
    finished(small_config(**given), tmp_path / "float32")
    finished(small_config(**given, sampler={"force_dtype": "bfloat16"}), tmp_path / "asked")
    forces = facts(tmp_path / "asked")["forces"]
    assert (forces["asked"], forces["used"]) == ("bfloat16", "float32")
    assert "need a processor with AMX tiles or AVX512_BF16, found cpu with plain torch" in forces["reason"]
    one, other = (read_run(tmp_path / name).energy for name in ("float32", "asked"))
    assert np.array_equal(one, other)


def test_networks_that_do_not_fit(tmp_path, monkeypatch):
    """Refused before anything is written, with the sizes and what would fit."""
    config = small_config(model={"n_networks": 1000, "n_inputs": 64, "width_ratios": [4.0, 4.0]})
    weights = memory_bytes(config)["weights"]
    monkeypatch.setattr(driver, "available_memory_bytes", lambda device: weights)
    with pytest.raises(ConfigError, match=r"needs about .* GiB and cpu has .* GiB free\. About \d+ networks"):
        finished(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_processor_without_vector_kernels(tmp_path, monkeypatch):
    """No AVX2: the portable path, which the run file names by having no engine; energies agree to rounding."""
    config = small_config(run={"dtype": "float32", "n_burn_in": 0, "n_sweeps": 4})
    monkeypatch.setattr(native, "engines", lambda: ())
    finished(config, tmp_path / "run")
    found = facts(tmp_path / "run")
    assert found["forces"]["engine"] is None
    assert found["extension"]["engine"] is None


def test_a_driver_that_is_too_old(tmp_path, monkeypatch):
    """`auto` takes the CPU and keeps the driver's words; `cuda` is refused with them."""
    message = "The NVIDIA driver on your system is too old (found version 11040). Please update."

    def init():
        raise RuntimeError(message)

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    finished(small_config(run={"device": "auto", "n_burn_in": 0, "n_sweeps": 4}), tmp_path / "auto")
    assert facts(tmp_path / "auto")["device"] == "cpu"
    assert facts(tmp_path / "auto")["why_no_cuda"] == message.rstrip(".")
    with pytest.raises(DeviceError, match="driver on your system is too old"):
        finished(small_config(run={"device": "cuda"}), tmp_path / "cuda")
    assert not (tmp_path / "cuda").exists()
