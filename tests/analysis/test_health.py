"""How far a run is, and whether real runs look equilibrated: a good one yes, runs with a known fault no."""

import json

import numpy as np
import pytest
import torch

from mcmc.analysis.health import run_health
from mcmc.errors import RunDirectoryError
from mcmc.run import simulation
from tests.support.runs import finished, small_config

GOOD = {
    "model": {"activation": "sin", "sigma_w": 2.0, "n_inputs": 16, "n_networks": 12},
    "tempering": {"beta_max": 3.0, "n_temperatures": 6},
    "run": {"n_burn_in": 200, "n_sweeps": 1000, "measure_every": 1},
    "output": {"segment_sweeps": 1000},
}
SLOW = {**GOOD, "sampler": {"kernel": "mala", "step_size": 0.05}}


def health_of(path, sections, **changes):
    data = {name: {**values, **changes.get(name, {})} for name, values in sections.items()}
    finished(small_config(**data), path)
    return run_health(path)


def test_good_run(tmp_path):
    health = health_of(tmp_path / "run", GOOD, model={"sigma_w": 1.0})
    assert (health["equilibrated"], health["state"]) == ("yes", "complete"), health["reasons"]
    assert (health["n_segments"], health["n_segments_total"]) == (1, 1)
    assert (health["sweep"], health["n_total"]) == (1200, 1200)
    assert len(health["acceptance"]) == 6
    assert health["metropolis"] == pytest.approx(1.0, abs=0.02)
    assert health["barrier"] == pytest.approx(sum(1 - rate for rate in health["swap_rate"]))
    assert health["round_trips_mean"] > 1
    json.dumps(health)


def test_a_lost_checkpoint_does_not_undo_results(tmp_path):
    """All results were there, and the run was told to be where the older checkpoint is."""
    path, changes = tmp_path / "run", {"n_burn_in": 20, "n_sweeps": 40}
    health = health_of(path, GOOD, run=changes, output={"segment_sweeps": 20})
    checkpoints = path / "checkpoint"
    entries = json.loads((checkpoints / "manifest.json").read_text())["generations"]
    (checkpoints / max(entries, key=lambda entry: entry["serial"])["file"]).write_bytes(b"")
    with pytest.warns(UserWarning, match="checkpoint damaged"):
        assert run_health(path) == health
    assert (health["state"], health["sweep"]) == ("complete", 60)


def test_run_cut_at_a_tenth_of_its_burn_in(tmp_path):
    health = health_of(tmp_path / "run", GOOD, run={"n_burn_in": 20, "n_sweeps": 40}, output={"segment_sweeps": 40})
    assert health["equilibrated"] == "no"


def bad_checks(health):
    return {reason[4:].split(":")[0] for reason in health["reasons"] if reason.startswith("BAD")}


@pytest.mark.statistical
def test_a_tenth_of_the_burn_in_is_seen_by_the_averages_too(tmp_path):
    """The same production after the burn-in of slow chains, and after a tenth of it: drift and identity A tell."""
    seen = {}
    for n_burn_in in (1000, 100):
        changes = {"tempering": {"exchange": False}, "run": {"n_burn_in": n_burn_in, "n_sweeps": 400}}
        health = health_of(tmp_path / f"{n_burn_in}", SLOW, output={"segment_sweeps": 400}, **changes)
        seen[n_burn_in] = bad_checks(health) & {"log bins, average", "identity A", "log bins, each network"}
    assert seen == {1000: set(), 100: {"log bins, average", "identity A", "log bins, each network"}}


@pytest.mark.parametrize("exchange", [True, False])
def test_run_started_in_one_point(tmp_path, monkeypatch, exchange):
    """All chains at the north pole, short steps, no burn-in; without exchange there are no round trips to go by."""

    def north_pole(streams, system):
        x = torch.zeros(len(system.network_ids), len(streams.chain), system.n_sites, dtype=system.dtype)
        x[..., 0] = np.sqrt(system.n_sites)
        return x

    monkeypatch.setattr(simulation, "initial_positions", north_pole)
    changes = {"run": {"n_burn_in": 0, "n_sweeps": 60}, "tempering": {"exchange": exchange}}
    health = health_of(tmp_path / "run", SLOW, output={"segment_sweeps": 60}, **changes)
    assert health["equilibrated"] == "no"
    assert bad_checks(health) & {"log bins, average", "identity A"}


def test_run_in_burn_in(tmp_path, monkeypatch):
    class Stop(BaseException):
        pass

    true_advance = simulation.Simulation.advance

    def advance(self):
        if self.sweep == 50:
            raise Stop
        return true_advance(self)

    with monkeypatch.context() as patched:
        patched.setattr(simulation.Simulation, "advance", advance)
        with pytest.raises(Stop):
            finished(small_config(run={"checkpoint_every_s": 1e-6}), tmp_path / "run")
    health = run_health(tmp_path / "run")
    assert (health["state"], health["sweep"], health["n_total"]) == ("burn-in", 50, 138)
    assert (health["equilibrated"], health["n_segments"], health["acceptance"]) == ("unknown", 0, None)
    assert health["reasons"] == ["no results file is complete yet"]


def test_not_a_run(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"no run\.json"):
        run_health(tmp_path)
