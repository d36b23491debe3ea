"""A NaN or infinite energy stops the run, is named, and costs nothing that was saved before."""

from dataclasses import replace

import pytest
import torch

import mcmc.kernels.hmc as hmc
from mcmc.errors import NonFiniteEnergyError
from mcmc.io.checkpoint import load_checkpoint
from mcmc.io.directory import RunDirectory
from mcmc.kernels.hmc import Hmc
from mcmc.kernels.random_walk import RandomWalk
from mcmc.run.driver import run
from mcmc.run.simulation import Simulation
from mcmc.systems.mlp.energy import MlpSystem
from tests.support.runs import contents, finished, small_config

NETWORK, CHAIN = 1, 5  # place on the network axis, chain = slot 2, replica 1


def poison(monkeypatch, kernel, at_step, value, chain=CHAIN):
    """Make the energy of one proposal bad; returns the list that will hold beta of that chain at that step."""
    true_step, betas = kernel.step, []
    true_energy, true_leapfrog = MlpSystem.energy, hmc.leapfrog

    def spoiled(energy):
        energy = energy.clone()
        energy[NETWORK, chain] = value
        return energy

    def leapfrog(*arguments, **longest):
        end = true_leapfrog(*arguments, **longest)
        return replace(end, energy=spoiled(end.energy))

    def step(self, streams, system, state, beta, params, step):
        with pytest.MonkeyPatch.context() as patched:
            if step == at_step:
                betas.append(float(beta[NETWORK, chain]))
                patched.setattr(MlpSystem, "fused_hmc", lambda self, *_, **__: None)
                patched.setattr(hmc, "leapfrog", leapfrog)
                patched.setattr(MlpSystem, "energy", lambda self, x: spoiled(true_energy(self, x)))
            return true_step(self, streams, system, state, beta, params, step)

    monkeypatch.setattr(kernel, "step", step)
    monkeypatch.setattr(MlpSystem, "fused_sweeps", lambda self, *_: None)
    return betas


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize(("name", "kernel"), [("hmc", Hmc), ("random_walk", RandomWalk)])
def test_it_is_named(tmp_path, monkeypatch, name, kernel, value):
    """Network number, chain, kernel step and beta, as attributes and in the message.

    The ladder is so narrow that every swap is accepted: beta must be that of the step, not of after the exchange.
    """
    betas = poison(monkeypatch, kernel, 25, value)
    config = small_config(
        model={"first_network": 40},
        sampler={"kernel": name, "steps_per_sweep": 2, "step_size": 0.2},
        tempering={"betas": [1.0, 1.000001, 1.000002, 1.000003], "beta_max": 1.000003},
        run={"n_burn_in": 0},
    )
    with pytest.raises(NonFiniteEnergyError, match="NaN or infinite") as caught:
        run(config, tmp_path / "run", is_quiet=True)
    error = caught.value
    assert (error.network, error.chain, error.step) == (41, CHAIN, 25)
    assert [error.beta] == betas
    for words in ("network 41", "chain 5 (slot 2, replica 1)", "kernel step 25", f"beta = {error.beta:.6g}", "float64"):
        assert words in str(error)
    assert error.exit_code == 1
    assert not (tmp_path / "run" / "lock").exists()


def test_also_at_beta_zero(tmp_path, monkeypatch):
    """There the energy does not enter the decision, but it is measured."""
    poison(monkeypatch, Hmc, 3, float("nan"), chain=1)
    config = small_config(tempering={"exchange": False}, run={"n_burn_in": 0})
    with pytest.raises(NonFiniteEnergyError) as caught:
        run(config, tmp_path / "run", is_quiet=True)
    assert (caught.value.chain, caught.value.beta) == (1, 0.0)


def test_last_checkpoint_stays_intact_and_is_resumed(tmp_path, monkeypatch):
    """In the second segment; when the cause is gone, the run ends as if nothing had been."""
    whole = finished(small_config(), tmp_path / "whole")
    with monkeypatch.context() as patched:
        poison(patched, Hmc, 90 + 20, float("nan"))
        with pytest.raises(NonFiniteEnergyError, match="last checkpoint is intact"):
            run(small_config(), tmp_path / "run", is_quiet=True)
    directory = RunDirectory(tmp_path / "run")
    assert len(directory.segment_paths()) == 1
    checkpoint = load_checkpoint(directory.checkpoints)
    assert checkpoint.meta["sweep"] == 90 + 16
    assert all(torch.from_numpy(a).isfinite().all() for n, a in checkpoint.arrays.items() if n.startswith("chains/"))
    assert '"event": "NonFiniteEnergyError' in (directory.path / "log.jsonl").read_text()
    assert finished(small_config(), tmp_path / "run") == whole
    assert contents(tmp_path / "whole") == whole


def test_weights_that_overflow(tmp_path):
    """The usual cause: an unbounded activation and a large sigma_w in float32; the message names it."""
    config = small_config(model={"activation": "relu", "sigma_w": 1e38, "width_ratios": [1.0, 1.0]})
    with pytest.raises(NonFiniteEnergyError, match=r'kernel step 0.*large sigma_w.*run.dtype = "float64"') as caught:
        run(config, tmp_path / "run", is_quiet=True)
    assert caught.value.step == 0
    assert RunDirectory(tmp_path / "run").segment_paths() == []
    wide = small_config(
        model={"activation": "relu", "sigma_w": 1e38, "width_ratios": [1.0, 1.0]}, run={"dtype": "float64"}
    )
    system = Simulation.start(wide, torch.device("cpu")).system
    assert torch.isfinite(system.energy(torch.ones(3, 2, 8, dtype=torch.float64))).all()


def test_a_rejection_is_not_an_error(tmp_path, monkeypatch):
    """A huge but finite energy is an ordinary rejection."""
    poison(monkeypatch, Hmc, 25, 1e300)
    finished(small_config(run={"n_burn_in": 0}), tmp_path / "run")


def test_first_step_of_several_is_named():
    """The earliest, even if the flag is looked at later, as it is on a device."""
    simulation = Simulation.start(small_config(), torch.device("cpu"))
    true_step = Hmc.step

    def step(self, streams, system, state, beta, params, step):
        state, info = true_step(self, streams, system, state, beta, params, step)
        if step >= 2:
            bad = info.is_nonfinite.clone()
            bad[2, 3] = True
            info = replace(info, is_nonfinite=bad)
        return state, info

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Hmc, "step", step)
        patched.setattr(MlpSystem, "fused_sweeps", lambda self, *_: None)
        patched.setattr(Simulation, "raise_if_nonfinite", lambda self: None)
        for _ in range(6):
            simulation.advance()
    with pytest.raises(NonFiniteEnergyError) as caught:
        simulation.raise_if_nonfinite()
    assert (caught.value.network, caught.value.chain, caught.value.step) == (2, 3, 2)
