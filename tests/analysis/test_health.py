"""Does a run look equilibrated: a good one yes, a bad one no, a short one unknown; each check sees its own fault."""

import json

import numpy as np
import pytest
import torch

from mcmc.analysis.health import MIN_DRAWS, MIN_NETWORKS, equilibration, run_health
from mcmc.errors import RunDirectoryError
from mcmc.run import simulation
from tests.support.runs import finished, small_config
from tests.support.synthetic import synthetic_run


def verdict_of(**changes):
    """(verdict, {name of the check: True if ok}) of a synthetic run."""
    verdict, reasons = equilibration(synthetic_run(**changes))
    return verdict, {reason[4:].split(":")[0].split(" per ")[0]: reason.startswith("ok ") for reason in reasons}


ALL_OK = {"first half = second half": True, "identity A": True, "round trips": True}


@pytest.mark.parametrize("seed", range(5))
def test_good_data(seed):
    assert verdict_of(seed=seed) == ("yes", ALL_OK)


def test_drift_is_seen_by_the_halves_alone():
    """The drift averages out of identity A if it is symmetric about zero."""
    verdict, checks = verdict_of(drift=0.2, violation=-0.1)
    assert verdict == "no"
    assert checks == {**ALL_OK, "first half = second half": False}


def test_bias_is_seen_by_identity_a_alone():
    assert verdict_of(violation=0.2) == ("no", {**ALL_OK, "identity A": False})


def test_walkers_that_do_not_travel():
    assert verdict_of(round_trips=0) == ("no", {**ALL_OK, "round trips": False})


def test_without_overlaps_identity_a_is_not_checked():
    verdict, checks = verdict_of(overlaps=False)
    assert verdict == "yes"
    assert checks.keys() == ALL_OK.keys() - {"identity A"}
    assert verdict_of(overlaps=False, drift=0.2)[0] == "no"


@pytest.mark.parametrize("changes", [{"n_draws": MIN_DRAWS - 1}, {"n_networks": MIN_NETWORKS - 1}])
def test_too_little_to_tell(changes):
    verdict, (reason,) = equilibration(synthetic_run(violation=5.0, **changes))
    assert verdict == "unknown"
    assert f"needs {MIN_DRAWS} draws and {MIN_NETWORKS} networks" in reason


def test_reasons_carry_numbers():
    _, reasons = equilibration(synthetic_run(violation=0.2))
    (identity,) = (reason for reason in reasons if "identity A" in reason)
    distance = float(identity.split("deviation ")[1].split(" sigma")[0])
    allowed = float(identity.split("allowed ")[1].split(")")[0])
    assert distance > allowed > 4.0
    assert "at beta = " in identity


def test_worst_network_decides():
    """One network whose walkers stay where they are is enough."""
    data = synthetic_run()
    data.arrays["sample_stats/round_trips"][3] = 0
    verdict, reasons = equilibration(data)
    assert verdict == "no"
    assert "slowest network: 0.0" in reasons[-1]


# --- real runs

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
    health = health_of(tmp_path / "run", GOOD)
    assert (health["equilibrated"], health["state"]) == ("yes", "complete"), health["reasons"]
    assert (health["n_segments"], health["n_segments_total"]) == (1, 1)
    assert (health["sweep"], health["n_total"]) == (1200, 1200)
    assert len(health["acceptance"]) == 6
    assert health["metropolis"] == pytest.approx(1.0, abs=0.02)
    assert health["barrier"] == pytest.approx(sum(1 - rate for rate in health["swap_rate"]))
    assert health["round_trips_mean"] > 1
    json.dumps(health)


def test_run_cut_at_a_tenth_of_its_burn_in(tmp_path):
    health = health_of(tmp_path / "run", GOOD, run={"n_burn_in": 20, "n_sweeps": 40}, output={"segment_sweeps": 40})
    assert health["equilibrated"] == "no"


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
    bad = [reason for reason in health["reasons"] if reason.startswith("BAD") and "round trips" not in reason]
    assert bad


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
