"""Each check of equilibrium sees its own fault, and alarms no more often than promised."""

import json

import numpy as np
import pytest
from scipy.signal import lfilter

from mcmc.analysis.equilibration import MIN_DRAWS, MIN_ESS, MIN_NETWORKS, equilibration
from mcmc.io.schema import Key
from tests.support.synthetic import synthetic_run

CHECKS = {"log bins, average", "identity A", "log bins, each network", "R-hat", "nested R-hat", "ESS", "round trips"}


def run(**changes):
    return synthetic_run(**{"n_draws": 800, **changes})


def failed(data):
    """Names of the checks that fail; the verdict must say the same."""
    found = equilibration(data)
    names = {finding.check for finding in found.findings if not finding.ok}
    assert found.verdict == ("no" if names else "yes")
    assert len(found.findings) == len(found.reasons)
    return names


def test_good_data_pass():
    """60 runs: an alarm in one of a thousand for each of five checks, so two or more would be a wonder of 4 %."""
    alarms = sum(bool(failed(run(seed=seed))) for seed in range(60))
    assert alarms <= 1


def test_good_data_with_autocorrelation_pass():
    """AR(1) energies with tau = 9 draws: bounds follow the effective size."""
    alarms = 0
    for seed in range(20):
        data = run(seed=seed, n_draws=1000)
        energy = data.arrays[Key.ENERGY]
        noise = np.random.default_rng(seed).standard_normal((1200, *energy.shape[1:]))
        chains = lfilter([np.sqrt(1 - 0.8**2)], [1.0, -0.8], noise, axis=0)[200:]
        data.arrays[Key.ENERGY] = energy.mean(0) + 0.05 * chains
        alarms += bool(failed(data))
        assert equilibration(data).cells["tau_energy"].mean() == pytest.approx(9, rel=0.15)
    assert alarms <= 1


def test_drift_is_seen_by_the_bins():
    """It averages out of identity A if it is symmetric about zero."""
    names = failed(run(drift=0.2, violation=-0.1))
    assert names >= {"log bins, average", "log bins, each network", "R-hat"}
    assert "identity A" not in names


def test_a_small_common_drift_is_seen_on_average_only():
    assert failed(run(drift=0.004, violation=-0.002, n_networks=48)) == {"log bins, average"}


def test_drift_of_the_overlap_alone():
    data = run()
    data.arrays[Key.OVERLAP][400:] += 0.02
    assert failed(data) == {"log bins, average"}


def test_bias_is_seen_by_identity_a_alone():
    assert failed(run(violation=0.2)) == {"identity A"}


def test_one_network_with_replicas_in_two_valleys():
    data = run(n_networks=24)
    data.arrays[Key.ENERGY][:, 5, 2, 1] += 0.06
    data.arrays[Key.ENERGY][:, 5, 2, 0] -= 0.06
    found = equilibration(data)
    assert failed(data) == {"R-hat", "nested R-hat"}
    assert found.hard_networks() == [{"network": 5, "failed": {"R-hat": [1.0], "nested R-hat": [1.0]}}]
    reason, _ = (reason for reason in found.reasons if reason.startswith("BAD"))
    assert "in network 5 at beta = 1" in reason
    assert "1 of 24 networks fail" in reason


def test_one_network_that_drifts():
    data = run(n_networks=24)
    data.arrays[Key.ENERGY][:400, 7, 1] += 0.02
    names = failed(data)
    assert "log bins, each network" in names
    assert [record["network"] for record in equilibration(data).hard_networks()] == [7]


@pytest.mark.parametrize("replicas", [slice(None), slice(0, 1)])
def test_frozen_chains_have_no_effective_draws(replicas):
    data = run()
    data.arrays[Key.ENERGY][:, 3, 2, replicas] = -0.7
    assert failed(data) & {"ESS", "R-hat"}
    assert [record["network"] for record in equilibration(data).hard_networks()] == [3]


def test_slow_overlaps_under_fast_energies():
    data = run(n_draws=400)
    data.arrays[Key.OVERLAP][:, 4, 2] = (
        0.3 + 0.1 * np.repeat(np.random.default_rng(0).normal(size=8), 50)[:, None, None]
    )
    assert "ESS" in failed(data)
    (reason,) = (reason for reason in equilibration(data).reasons if "ESS" in reason)
    assert "of the overlap" in reason
    assert f"wanted {MIN_ESS:g} or more" in reason


def test_walkers_that_do_not_travel():
    assert failed(run(round_trips=0)) == {"round trips"}


def test_the_slowest_ladder_decides():
    """9 trips in one ladder of one network; the other ladder has enough."""
    data = run()
    data.arrays[Key.ROUND_TRIPS][3, :, 1] = 3
    found = equilibration(data)
    assert failed(data) == {"round trips"}
    assert "9 in the slowest ladder, of network 3 (wanted 10 or more)" in found.reasons[-1]
    assert found.hard_networks() == [{"network": 3, "failed": {"round trips": [1.0]}}]


def test_without_overlaps_identity_a_is_not_checked():
    assert {f.check for f in equilibration(run(overlaps=False)).findings} == CHECKS - {"identity A"}
    assert failed(run(overlaps=False, drift=0.2))


def test_a_single_replica_shows_nothing():
    data = run(overlaps=False)
    for name in (Key.ENERGY, Key.ROUND_TRIPS):
        data.arrays[name] = data.arrays[name][..., :1]
    assert failed(data) == {"R-hat"}


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [({"n_draws": MIN_DRAWS - 1}, "run longer"), ({"n_networks": MIN_NETWORKS - 1}, "set model.n_networks higher")],
)
def test_too_little_to_tell(changes, remedy):
    found = equilibration(run(violation=5.0, **changes))
    assert found.verdict == "unknown"
    assert f"needs {MIN_DRAWS} draws and {MIN_NETWORKS} networks" in found.reasons[0]
    assert found.reasons[0].endswith(remedy)
    json.dumps(found.to_json())


def test_reasons_carry_numbers():
    (identity,) = (reason for reason in equilibration(run(violation=0.2)).reasons if "identity A" in reason)
    distance = float(identity.split("deviation ")[1].split(" sigma")[0])
    allowed = float(identity.split("allowed ")[1].split(")")[0])
    assert distance > allowed > 4.0
    assert "at beta = " in identity


def test_identities_of_the_layers():
    """One number a network, temperature and hidden layer: right ones pass, a bias of 8 errors does not."""
    data = run(n_networks=400, n_draws=400)
    scatter = 0.1 * np.random.default_rng(3).standard_normal((400, 3, 1))
    data.arrays[Key.WEIGHT_RESPONSE_SUM] = np.zeros((400, 3, 1))
    for bias, names in ((0.0, set()), (0.04, {"identities of the layers"})):
        data.arrays[Key.WEIGHT_EXCESS_SUM] = 400 * (scatter + bias)
        assert failed(data) == names
    assert equilibration(data).not_recorded == ()
    assert "layer 1" in next(reason for reason in equilibration(data).reasons if "layers" in reason)
    assert "recorded none" in equilibration(run()).not_recorded[0]


def test_json():
    record = json.loads(json.dumps(equilibration(run(round_trips=0)).to_json()))
    assert list(record) == ["equilibrated", "reasons", "checks", "not_recorded", "beta", "hard_networks", "networks"]
    assert len(record["networks"]) == 12
    cells = ["ess_energy", "tau_energy", "ess_overlap", "tau_overlap", "r_hat", "nested_r_hat"]
    assert list(record["networks"][0]) == ["network", "ok", "round_trips", *cells]
    assert all(len(record["networks"][0][name]) == 3 for name in cells)
    assert not any(network["ok"] for network in record["networks"])
