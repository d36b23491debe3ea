"""The same seed on a GPU: noise of the same bits, energies to rounding, decisions compared one by one."""

import json
from pathlib import Path

import pytest
import torch

from mcmc.rng import Purpose
from mcmc.run.simulation import Simulation
from mcmc.run.snapshot import load_arrays, to_arrays
from tests.support.runs import small_config

ROUNDING = 2.0**-24
N_SWEEPS = 20


def compare(device: str) -> dict[str, float]:
    """Take every sweep on the CPU and, from the same state, on the device; both then go on from the CPU's."""
    config = small_config(model={"n_inputs": 32, "n_networks": 8}, sampler={"step_size": 0.3}, run={"n_burn_in": 0})
    host, other = Simulation.start(config, torch.device("cpu")), Simulation.start(config, torch.device(device))
    counts = {"decisions": 0, "decisions_differ": 0, "swaps_differ": 0, "worst_energy": 0.0, "noise_differs": 0}
    for _ in range(N_SWEEPS):
        arrays, facts = to_arrays(host)
        load_arrays(other, arrays, facts)
        before = host.chains[0].x.clone()  # sweeps in one call move chains in place
        streams = [s.blocks[0].streams.normal(Purpose.CHECK, host.sweep, 32, torch.float32) for s in (host, other)]
        counts["noise_differs"] += int((streams[0] != streams[1].cpu()).sum())
        host.advance()
        other.advance()
        moved = [(s.chains[0].x.cpu() != before).any(-1) for s in (host, other)]
        agree = moved[0] == moved[1]
        counts["decisions"] += agree.numel()
        counts["decisions_differ"] += int((~agree).sum())
        swapped = [s.exchange.slot_of_temp.cpu() for s in (host, other)]
        counts["swaps_differ"] += int((swapped[0] != swapped[1]).any(1).sum())
        energy = [s.chains[0].energy.cpu().double() for s in (host, other)]
        error = ((energy[0] - energy[1]).abs() / (1 + energy[0].abs()))[agree]
        counts["worst_energy"] = max(counts["worst_energy"], float(error.max()) / ROUNDING)
    return counts


def holds(counts: dict[str, float]) -> bool:
    """A decision differs only where its uniform lies within a rounding of the ratio: one in many thousands."""
    is_same_noise = counts["noise_differs"] == 0
    few = counts["decisions_differ"] <= 2
    return is_same_noise and few and counts["swaps_differ"] <= 2 and counts["worst_energy"] < 200


@pytest.mark.cuda
def test_device_against_cpu(tmp_path):
    counts = compare("cuda")
    print(json.dumps(counts))
    Path(tmp_path / "counts.json").write_text(json.dumps(counts))
    assert counts["decisions"] == N_SWEEPS * 8 * 4 * 2
    assert holds(counts), counts


def test_the_comparison_itself():
    """On the CPU against itself nothing differs; with other noise the same comparison fails."""
    counts = compare("cpu")
    assert holds(counts)
    assert counts["worst_energy"] == counts["decisions_differ"] == 0
    assert not holds(counts | {"noise_differs": 1})


def test_the_comparison_sees_other_decisions(monkeypatch):
    """The twin whose swaps and momenta come from another seed."""
    true_start, n_started = Simulation.start.__func__, []

    def start(cls, config, device):
        n_started.append(1)
        seed = config.run.seed + (len(n_started) > 1)
        return true_start(cls, config.model_copy(update={"run": config.run.model_copy(update={"seed": seed})}), device)

    monkeypatch.setattr(Simulation, "start", classmethod(start))
    counts = compare("cpu")
    assert counts["noise_differs"] > 0
    assert counts["worst_energy"] > 200
    assert not holds(counts)
