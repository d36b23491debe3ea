"""What a run chooses by the machine: device, blocks, precision of the forces; each with the reason."""

import json

import pytest
import torch

from mcmc.errors import DeviceError
from mcmc.run import build, driver, precision
from mcmc.run.build import choose_blocks, resolve_device, with_blocks
from mcmc.run.memory import memory_bytes
from mcmc.run.precision import choose_forces
from mcmc.systems.mlp import batched
from mcmc.systems.mlp.fused import FusedNetworks
from tests.support.runs import finished, small_config

CUDA = torch.device("cuda")


def free_memory(monkeypatch, size: float) -> None:
    monkeypatch.setattr(build, "available_memory_bytes", lambda device: size)


def test_blocks_follow_the_free_memory(monkeypatch):
    """All networks where they fit, else as few equal blocks as do, down to one network at a time."""
    config = small_config(model={"n_networks": 64, "n_inputs": 64, "width_ratios": [2.0, 2.0]})
    needed = {size: sum(memory_bytes(with_blocks(config, size), CUDA).values()) for size in range(1, 65)}
    seen = set()
    for free in [2 * needed[64], *(needed[size] / build.SHARE_OF_FREE_MEMORY + 1 for size in (64, 32, 22, 8, 1)), 0]:
        free_memory(monkeypatch, free)
        choice = choose_blocks(config, CUDA)
        fits = [size for size in range(1, 65) if needed[size] <= build.SHARE_OF_FREE_MEMORY * free]
        assert choice.used == 1 or choice.used in fits
        assert -(-64 // choice.used) <= -(-64 // max(fits, default=1))
        assert (choice.reason is None) == (choice.used == 64)
        seen.add(choice.used)
    assert seen == {64, 32, 22, 8, 1}


def test_blocks_that_were_asked_for_are_used(monkeypatch):
    free_memory(monkeypatch, 0)
    assert choose_blocks(small_config(run={"block_networks": 2}), CUDA).used == 2
    assert choose_blocks(small_config(), torch.device("cpu")).used == 3


def test_blocks_by_memory_do_not_change_results(tmp_path, monkeypatch):
    """With the memory of a device too small for all: the same bytes, and the choice is recorded."""
    config = small_config()
    expected = finished(config, tmp_path / "all")
    monkeypatch.setattr(driver, "choose_blocks", lambda config, device: build.BlockChoice(None, 2, "a test"))
    assert finished(config, tmp_path / "blocks") == expected
    facts = json.loads((tmp_path / "blocks" / "run.json").read_text())
    assert facts["block_networks"] == {"asked": None, "used": 2, "reason": "a test"}
    assert facts["cuda_graphs"] == {"asked": "auto", "is_used": False, "reason": facts["cuda_graphs"]["reason"]}
    first = json.loads((tmp_path / "blocks" / "log.jsonl").read_text().splitlines()[0])
    assert first["block_networks"] == facts["block_networks"]
    assert first["forces"] == facts["forces"]


def test_old_driver_is_named(monkeypatch):
    message = "The NVIDIA driver on your system is too old (found version 11040). Please update."

    def init():
        raise RuntimeError(message + "\nmore")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    assert build.why_no_cuda() == message.rstrip(".")
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"driver on your system is too old .*Use --device cpu"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    assert build.why_no_cuda() == "torch sees no CUDA device"


@pytest.mark.parametrize(
    ("asked", "capability", "compiled", "used", "reason"),
    [
        ("auto", (9, 0), None, "float32", None),
        ("tf32", (9, 0), None, "tf32", None),
        ("bfloat16", (8, 0), None, "bfloat16", None),
        ("bfloat16", (7, 5), None, "float32", "need compute capability 8.0, found Old with 7.5"),
        ("tf32", (9, 0), "no Triton", "tf32", "plain torch: no Triton"),
    ],
)
def test_forces_on_cuda(monkeypatch, asked, capability, compiled, used, reason):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old")
    monkeypatch.setattr(precision, "why_not_compiled", lambda: compiled)
    choice = choose_forces(small_config(sampler={"force_dtype": asked}), CUDA)
    assert choice.used == used
    assert choice.engine == (None if compiled else "inductor")
    assert choice.reason is None if reason is None else reason in choice.reason


def test_a_compiler_that_fails_does_not_stop_a_run(tmp_path, monkeypatch):
    """Stages that cannot be compiled are plain torch from then on: the same bytes as so from the start, and logged."""
    config = small_config(run={"dtype": "float32"})

    def run(name: str, backend: str | None):
        monkeypatch.setattr(batched, "_made", {})
        monkeypatch.setattr(
            FusedNetworks,
            "where_possible",
            lambda networks, forces: batched.BatchedNetworks.of(networks, "float32", backend=backend),
        )
        return finished(config, tmp_path / name)

    def broken(stage, backend):
        def call(*_):
            raise RuntimeError("no space left on device")

        return call

    expected = run("plain", None)
    monkeypatch.setattr(batched, "_compiled", broken)
    with pytest.warns(RuntimeWarning, match="no space left on device; stages are in plain torch"):
        assert run("broken", "inductor") == expected
    events = [json.loads(text) for text in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    told = [event["reason"] for event in events if event["event"] == "stages in plain torch"]
    assert told == ["torch.compile failed at 'delta_and_energy': RuntimeError: no space left on device"]
