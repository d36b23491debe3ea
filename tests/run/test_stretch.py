"""Sweeps by the operator that does whole stretches of them: the bits of sweeps in parts, however they are grouped."""

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.errors import NonFiniteEnergyError
from mcmc.run.pace import LONGEST_CALL_S, Pace
from mcmc.run.production import Production
from mcmc.run.simulation import Simulation
from mcmc.run.snapshot import to_arrays
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import FusedNetworks
from tests.cpp_ext.fused import ENGINES
from tests.support.runs import small_config

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")
N_SWEEPS = 12
CASES = {
    "every sweep": {},
    "every third": {"run": {"measure_every": 3}, "output": {"segment_sweeps": 12}},
    "several steps": {"sampler": {"steps_per_sweep": 2}},
    "no exchange": {"tempering": {"exchange": False}},
    "a single replica": {"tempering": {"n_replicas": 1}, "output": {"overlaps": False}},
    "three replicas, two layers": {"tempering": {"n_replicas": 3}, "model": {"width_ratios": [1.5, 0.7]}},
    "steps by temperature": {"sampler": {"n_leapfrog": [1, 2, 3, 5]}},
    "no overlaps": {"output": {"overlaps": False}},
    "one temperature": {"tempering": {"betas": [1.0], "beta_max": 1.0, "beta_min": 1.0, "n_temperatures": 1}},
    "above beta = 0": {"tempering": {"beta_min": 0.2}},
    "four networks": {"model": {"n_networks": 4}},
}


def without_stretches(monkeypatch) -> None:
    monkeypatch.setattr(MlpSystem, "fused_sweeps", lambda self, *_: None)


def config_of(case: str):
    changes = {section: dict(values) for section, values in CASES[case].items()}
    changes["sampler"] = {"step_size": 0.5} | changes.get("sampler", {})
    changes["run"] = {"n_burn_in": 0, "n_sweeps": N_SWEEPS, "measure_every": 1} | changes.get("run", {})
    changes["output"] = {"segment_sweeps": N_SWEEPS} | changes.get("output", {})
    return small_config(**changes)


def arrays_after(config, groups, *, engine=None, forces="float32"):
    """Everything that a run would save after production sweeps in groups of the given sizes."""
    simulation = Simulation.start(config, CPU)
    if engine is not None:
        vars(simulation.blocks[0].system)["_fused"] = FusedNetworks.pack(simulation.system.networks, forces, engine)
    production = Production(config, simulation)
    for n_sweeps in groups:
        while n_sweeps:
            n_sweeps -= production.advance_by(n_sweeps)
    simulation.raise_if_nonfinite()
    return to_arrays(simulation)[0] | production.to_arrays()[0]


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert np.array_equal(found[name], array), name


@pytest.mark.parametrize("case", CASES)
def test_grouping_changes_no_bit(monkeypatch, case):
    config = config_of(case)
    found = [arrays_after(config, groups) for groups in ([12], [1] * 12, [5, 2, 5])]
    without_stretches(monkeypatch)
    expected = arrays_after(config, [12])
    for arrays in found:
        assert_same(arrays, expected)
    acceptance = expected["diagnostics/acceptance"].mean() / N_SWEEPS
    assert 0.1 < acceptance < 1.99  # some proposals are refused: 2 steps a sweep at most


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
def test_every_engine_and_precision(monkeypatch, engine, forces):
    config = config_of("three replicas, two layers")
    found = arrays_after(config, [7, 5], engine=engine, forces=forces)
    without_stretches(monkeypatch)
    assert_same(found, arrays_after(config, [12], engine=engine, forces=forces))


def test_threads_do_not_matter(monkeypatch):
    config = config_of("four networks")
    expected = arrays_after(config, [12])
    calls, true_sweeps = [], FusedNetworks.sweeps
    monkeypatch.setattr(FusedNetworks, "sweeps", lambda self, *a: calls.append(1) or true_sweeps(self, *a))
    before = torch.get_num_threads()
    try:
        for n_threads in (2, 4):  # with four, networks are too few and sweeps are done one by one
            torch.set_num_threads(n_threads)
            assert_same(arrays_after(config, [12]), expected)
            assert bool(calls) == (n_threads == 2)
            calls.clear()
    finally:
        torch.set_num_threads(before)


def test_a_nonfinite_energy_inside_a_stretch_is_named():
    """As in single sweeps: the earliest step, with the temperature that the chain had in it."""
    config = config_of("every sweep")
    errors = []
    for n_sweeps in (11, 1):
        with pytest.MonkeyPatch.context() as patched:
            if n_sweeps == 1:
                without_stretches(patched)
            simulation = Simulation.start(config, CPU)
            production = Production(config, simulation)
            simulation.advance_by(1)
            simulation.chains[0].grad[2, 5] = torch.nan  # its next trajectory goes nowhere
            simulation.chains[0].grad[1, 6] = torch.nan
            with pytest.raises(NonFiniteEnergyError) as caught:
                production.advance_by(n_sweeps)
            errors.append(caught.value)
    assert [(e.chain, e.step) for e in errors] == [(6, 1), (6, 1)]
    assert str(errors[0]) == str(errors[1])


def test_never_past_a_check_or_a_segment():
    config = small_config(run={"n_burn_in": 0, "n_sweeps": 1000}, output={"segment_sweeps": 130})
    simulation = Simulation.start(config, CPU)
    production = Production(config, simulation)
    done = []
    while production.n_done < 390:
        done.append(production.advance_by(1000))
        if production.has_completed_segment():
            production.observers["series"].reset()
    assert done == [130, 70, 60, 130]
    assert len(simulation.checks) == 1


def test_pace(monkeypatch):
    """About LONGEST_CALL_S a call, reached by doubling; one sweep where one takes longer."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def settled(seconds_per_sweep, bytes_per_draw=1):
        pace = Pace(bytes_per_draw)
        allowed = []
        for _ in range(12):
            allowed.append(pace.start())
            now[0] += allowed[-1] * seconds_per_sweep
            pace.stop(allowed[-1])
        return allowed

    assert settled(0.01)[:4] == [1, 2, 4, 8]
    assert settled(0.01)[-1] == round(LONGEST_CALL_S / 0.01)
    assert settled(3.0)[-1] == 1
    assert settled(1e-5, bytes_per_draw=2**23)[-1] == 4
