"""Runs that check their trajectories: sound forces of any precision pass, each fault is seen and the run falls back."""

import json
import os
import re
import signal
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.analysis.health import run_health
from mcmc.io.directory import RunDirectory
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from mcmc.io.segment import read_segment
from mcmc.run import checks, simulation
from mcmc.run.driver import run
from mcmc.run.precision import choose_forces
from mcmc.run.simulation import Simulation
from tests.support.coarse import emulate
from tests.support.runs import contents, finished, small_config, stopping_at

CPU = torch.device("cpu")
HAS_BFLOAT16 = 1 in native.coarse_parts(native.fused_engine() or "")
SOUND = [("float64", "auto"), ("float32", "auto"), ("float32", "float32"), ("float32", "tf32"), ("float32", "bfloat16")]


@pytest.fixture
def often(monkeypatch):
    """A check every 5 sweeps."""
    for module in (checks, simulation):
        monkeypatch.setattr(module, "CHECK_EVERY", 5)


def config_of(forces="bfloat16", **sections):
    sampler = {"force_dtype": forces, **sections.pop("sampler", {})}
    return small_config(sampler=sampler, **sections)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("dtype", "forces"), SOUND)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_sound_forces_pass(often, tmp_path, activation, dtype, forces):
    config = config_of(forces, model={"activation": activation, "n_inputs": 24}, run={"dtype": dtype})
    finished(config, tmp_path / "run")
    data = read_run(tmp_path / "run")
    used = choose_forces(config, CPU).used
    assert data.forces == {"used": used, "fallback": None}
    assert data.arrays[Key.REVERSAL].shape == (9, 4)  # 48 production sweeps after 90
    assert data.arrays[Key.IS_REPEATABLE].all()
    assert np.median(data.arrays[Key.REVERSAL]) < (1e-12 if dtype == "float64" else 1e-4)
    assert data.arrays[Key.CHECKED_ENERGY_ERROR].max() < 4
    assert set(data.arrays[Key.CHECKED_NETWORK]) == {0, 1, 2}


def decision_errors(path, **sections):
    finished(small_config(model={"n_inputs": 24}, **sections), path)
    errors = read_run(path).arrays[Key.DECISION_ERROR]
    assert run_health(path)["trajectories"]["decision_error"] == errors.max(0).tolist()
    return errors


@pytest.mark.filterwarnings("ignore:sweep .* forces")
def test_audit_of_the_energies_against_float64(often, tmp_path, monkeypatch):
    """beta |dH - dH_64|: nothing in float64, some roundings of H in float32, and much where energies are too coarse."""
    fine = decision_errors(tmp_path / "64", run={"dtype": "float64"})
    single = decision_errors(tmp_path / "32")
    assert fine.shape == single.shape == (9, 4)
    assert fine.max() < 1e-12
    assert 1e-8 < single.max() < 1e-4
    assert not single[:, 0].any()  # beta = 0: every step is accepted
    emulate(monkeypatch, energies=torch.bfloat16)
    assert decision_errors(tmp_path / "coarse").max() > 1e-3


def test_every_segment_has_a_check(tmp_path):
    """Also a short one, in which no check fell due."""
    finished(small_config(), tmp_path / "run")
    for path in RunDirectory(tmp_path / "run").segment_paths():
        arrays, scales, _ = read_segment(path)
        assert arrays[Key.REVERSAL].shape == (1, 4)
        assert scales["check"].tolist() == [int(scales["draw"][-1])]


def test_checks_do_not_move_chains(tmp_path, monkeypatch):
    whole = read_after(small_config(), tmp_path / "seldom")
    for module in (checks, simulation):
        monkeypatch.setattr(module, "CHECK_EVERY", 3)
    assert np.array_equal(whole, read_after(small_config(), tmp_path / "often"))


def read_after(config, path):
    finished(config, path)
    return read_run(path).energy


def test_random_walk_has_no_trajectories(often, tmp_path):
    finished(small_config(sampler={"kernel": "random_walk"}), tmp_path / "run")
    data = read_run(tmp_path / "run")
    assert Key.REVERSAL not in data.arrays
    assert run_health(tmp_path / "run")["trajectories"]["n_checks"] == 0


FAULTS = {
    "noise": ({"noise": 2.0**-9}, "came out different when computed twice"),
    "noise of one rounding": ({"noise": 2.0**-24}, "came out different when computed twice"),
    "bfloat16 energies": ({"energies": torch.bfloat16}, r"energies are off by \d+ roundings"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_caught_and_the_run_falls_back(often, tmp_path, monkeypatch, fault):
    """The first check sees it; from there on forces are float32, and the file says so."""
    changes, message = FAULTS[fault]
    emulate(monkeypatch, **changes)
    config = config_of(model={"n_inputs": 24})
    with pytest.warns(RuntimeWarning, match=f"bfloat16 forces: .*{message}.*; forces are float32 from here on"):
        finished(config, tmp_path / "run")
    data = read_run(tmp_path / "run")
    assert data.forces["used"] == "float32"
    assert (data.forces["fallback"]["sweep"], data.forces["fallback"]["from"]) == (5, "bfloat16")
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [e["to"] for e in events if e["event"] == "fallback"] == ["float32"]
    reasons = run_health(tmp_path / "run")["trajectories"]["reasons"]
    assert any(reason.startswith("BAD bfloat16 forces failed a check at sweep 5") for reason in reasons)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_emulated_forces_without_a_fault_pass(often, tmp_path, monkeypatch):
    """The faults above are what is caught, not the emulation."""
    emulate(monkeypatch)
    finished(config_of(model={"n_inputs": 24}), tmp_path / "run")
    assert read_run(tmp_path / "run").forces == {"used": "bfloat16", "fallback": None}


def test_irreversible_trajectories_are_seen():
    bad = checks.TrajectoryCheck(
        torch.tensor([[0.0, 0.0, 0.1, 0.1]]), torch.ones(1, 4), torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)
    )
    assert "come back to 1.0e-01 |x|" in checks.defect_of(bad)
    assert checks.defect_of(bad._replace(reversal=torch.zeros(1, 4))) is None
    assert "nan" in checks.defect_of(bad._replace(reversal=torch.full((1, 4), float("nan"))))


def test_finest_forces_cannot_fall_back(often, monkeypatch):
    monkeypatch.setattr(simulation, "defect_of", lambda check: "made up")
    run_of = Simulation.start(small_config(), CPU)
    for _ in range(4):
        run_of.advance()
    with pytest.warns(RuntimeWarning, match=r"made up; float32 is all there is: use shorter trajectories"):
        run_of.advance()
    assert run_of.forces == "float32"


@pytest.mark.parametrize("falls_back", [False, True])
def test_resume_with_coarse_forces(often, tmp_path, monkeypatch, falls_back):
    """Stopped every 7 sweeps by a signal, before, at and after a fallback: the bytes of the uninterrupted run."""
    if not HAS_BFLOAT16:
        emulate(monkeypatch)
    if falls_back:
        monkeypatch.setattr(simulation, "defect_of", lambda check: "made up")
    config = config_of(model={"n_inputs": 24})
    with pytest.warns(RuntimeWarning) if falls_back else nullcontext():
        whole = finished(config, tmp_path / "whole")
        other = finished(config_of("float32", model={"n_inputs": 24}), tmp_path / "other")

        def stop(sweep):
            os.kill(os.getpid(), signal.SIGTERM)

        total = config.run.n_burn_in + config.run.n_sweeps
        monkeypatch.setattr(Simulation, "advance_by", stopping_at(range(7, total + 1, 7), stop))
        while not run(config, tmp_path / "run", is_quiet=True).is_complete:
            pass
    assert contents(tmp_path / "run") == whole
    assert other["segment-000000.h5"] != whole["segment-000000.h5"]


@pytest.mark.parametrize("engine", ["amx", "avx512_bf16", "avx2", "portable"])
@pytest.mark.parametrize("asked", ["auto", "float32", "tf32", "bfloat16"])
def test_choice(monkeypatch, asked, engine):
    """Coarse forces only where a unit multiplies bfloat16; the reason is told where there is none."""
    monkeypatch.setattr(native, "fused_engine", lambda: None if engine == "portable" else engine)
    choice = choose_forces(config_of(asked), CPU)
    coarse = {"amx": {"tf32": "bfloat16_3x", "bfloat16": "bfloat16"}, "avx512_bf16": {"bfloat16": "bfloat16"}}
    assert choice.used == coarse.get(engine, {}).get(asked, "float32")
    assert (choice.reason is None) == (asked in ("auto", "float32") or asked in coarse.get(engine, {}))
    if choice.reason:
        assert re.search(f"{asked} products need a processor with AMX tiles( or .*)?, found cpu with", choice.reason)


def test_choice_is_in_the_run_file(tmp_path):
    finished(config_of("tf32", run={"n_burn_in": 0, "n_sweeps": 4, "measure_every": 1}), tmp_path / "run")
    facts = RunDirectory(tmp_path / "run").read_json("run.json")
    assert facts["forces"] == vars(choose_forces(config_of("tf32"), CPU))
