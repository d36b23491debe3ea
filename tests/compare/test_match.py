"""A run beside its theory: linear networks agree with a closed form, and a wrong prediction is told."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from mcmc.analysis.estimate import Estimate, controlled_average, network_average
from mcmc.analysis.measured import network_means
from mcmc.compare.comparison import compare_with_theory
from mcmc.compare.match import AGREEMENT_SIGMA, Match, overlap_width
from mcmc.compare.prediction import theory_model
from mcmc.config import parse_config
from mcmc.errors import InsufficientDataError
from mcmc.io.reader import read_run
from mcmc.run.build import build_system
from mcmc.systems.mlp.exact import linear_field
from mcmc.theory.linear import solve_linear
from tests.support.linear_overlap import conditional_moments, exact_overlap_variance
from tests.support.runs import finished, small_config
from tests.support.synthetic import synthetic_run

BETAS = [0.0, 0.5, 1.0, 2.0]


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """A run of 32 linear networks with 64 inputs."""
    path = tmp_path_factory.mktemp("linear") / "run"
    config = small_config(
        model={"activation": "linear", "n_inputs": 64, "n_networks": 32, "sigma_w": 1.0},
        sampler={"n_leapfrog": 5},
        tempering={"betas": BETAS, "beta_max": 2.0, "n_replicas": 4},
        run={"n_burn_in": 100, "n_sweeps": 200, "seed": 2},
        output={"segment_sweeps": 100},
    )
    finished(config, path)
    return read_run(path)


@pytest.fixture(scope="module")
def comparison(linear):
    return compare_with_theory(linear)


def test_predictions_are_the_closed_form(comparison, linear):
    model = theory_model(linear.config.model)
    for beta in BETAS:
        exact = solve_linear(model, beta)
        rows = {m.observable: m for m in comparison.matches if m.beta == beta}
        assert rows["energy_density"].predicted == pytest.approx(exact.energy_density, abs=1e-8)
        for layer in (0, 1):
            assert rows[f"overlap_{layer}"].predicted == pytest.approx(exact.overlap[layer], abs=1e-8)
        assert rows["self_overlap_1"].predicted == pytest.approx(exact.self_overlap[1], abs=1e-8)
        assert rows["identity_a"].predicted == 0.0
        assert "self_overlap_0" not in rows


def test_linear_run_agrees(comparison):
    """At N_0 = 64 and 32 networks the corrections of order 1/N_0 are below the errors."""
    assert all(m.agrees for m in comparison.matches), [m for m in comparison.matches if not m.agrees]
    assert comparison.verdict.startswith("Identity A holds")
    assert "All 16 energies and overlaps agree with the replica-symmetric theory" in comparison.verdict
    assert "32 networks" in comparison.verdict


def test_measured_overlap_is_the_exact_one_of_each_network(linear):
    """Stronger than the limit: <q> of every network from its own |g|, at this N_0."""
    system = build_system(linear.config, torch.device("cpu"))
    norms = torch.linalg.vector_norm(linear_field(system.networks).double(), dim=-1).numpy()
    means = network_means(linear)
    for k, beta in enumerate(BETAS[1:], start=1):
        exact, _ = conditional_moments(beta * math.sqrt(64) * norms, 64)
        difference = network_average(means.overlap[:, k, 0] - exact)
        assert difference.agrees(0.0, n_sigma=4.0), difference


def test_widths_are_those_of_the_exact_law(comparison):
    for beta in BETAS[1:]:
        total, _ = exact_overlap_variance(beta, (64, 64))
        (row,) = (m for m in comparison.select("overlap_width_0") if m.beta == beta)
        assert row.measured.agrees(math.sqrt(total), n_sigma=4.0)
        assert row.predicted == pytest.approx(math.sqrt(total), rel=0.02)
    uniform = comparison.select("overlap_width_0")[0]
    assert uniform.predicted == pytest.approx(1 / 8, rel=1e-6)
    assert uniform.measured.agrees(1 / 8, n_sigma=4.0)


def test_control_variate_is_used_below_infinite_temperature(comparison, linear):
    """At beta = 0 it is the energy itself; elsewhere it makes the energy's error a fraction."""
    means = network_means(linear)
    control = means.identity_difference()
    for k, row in enumerate(comparison.select("energy_density")):
        plain = network_average(means.energy[:, k])
        if k == 0:
            assert row.measured == plain
        else:
            assert row.measured == controlled_average(means.energy[:, k], control[:, k])
            assert row.measured.stderr < 0.9 * plain.stderr
        assert comparison.select("identity_a")[k].measured == network_average(control[:, k])


def test_rows_in_order(comparison):
    assert [m.beta for m in comparison.matches] == sorted(m.beta for m in comparison.matches)
    assert [m.beta for m in comparison.select("overlap_0")] == BETAS
    assert len(comparison.laws) == len(comparison.kernels) == len(comparison.predictions) == 4
    assert comparison.curve[0].beta == 0.0
    assert comparison.curve[-1].beta == 2.0


def test_a_wrong_model_is_told(linear):
    """The same data beside the theory of networks with weights larger by a fifth."""
    data = linear.config.model_dump()
    data["model"]["sigma_w"] = 1.2
    comparison = compare_with_theory(dataclasses.replace(linear, config=parse_config(data)))
    off = [m for m in comparison.matches if not m.agrees]
    assert {m.observable for m in off} >= {"energy_density", "overlap_0", "self_overlap_1"}
    assert min(m.beta for m in off) == 0.0  # r^1 is wrong at every temperature
    assert f"differ from the replica-symmetric theory by more than {AGREEMENT_SIGMA:g} sigma" in comparison.verdict
    assert "At N_0 = 64, corrections of order 1/N_0" in comparison.verdict
    assert comparison.verdict.startswith("Identity A holds"), "which does not know of the theory"


def test_a_biased_run_is_told(linear):
    """Energies that are off by a little: the run is called what it is, before any other number of it."""
    arrays = dict(linear.arrays)
    arrays["observables/energy_density/value"] = linear.energy - 0.1
    comparison = compare_with_theory(dataclasses.replace(linear, arrays=arrays))
    assert comparison.verdict.startswith("Identity A is violated")
    assert "trust no other number" in comparison.verdict


def test_a_run_that_does_not_travel_is_told(linear):
    """The verdict of `mlp-gibbs health` is part of the comparison."""
    arrays = dict(linear.arrays)
    arrays["sample_stats/round_trips"] = 0 * arrays["sample_stats/round_trips"]
    verdict = compare_with_theory(dataclasses.replace(linear, arrays=arrays)).verdict
    assert "Equilibrium is not shown (failed: " in verdict
    assert "round trips; 32 of 32 networks are hard, see `mlp-gibbs health`)." in verdict


def test_json_rows(comparison):
    keys = ["beta", "observable", "measured", "stderr", "n_networks", "predicted", "n_sigma", "ansatz"]
    for row in comparison.matches:
        record = json.loads(json.dumps(row.to_json()))
        assert list(record) == keys
        assert record["n_sigma"] == pytest.approx((record["measured"] - record["predicted"]) / record["stderr"])
        assert record["n_networks"] == 32


def test_row_without_scatter():
    row = Match(1.0, "self_overlap_1", Estimate(1.0, 0.0, 5), 1.0)
    assert row.n_sigma is None
    assert row.distance == 0.0
    assert row.agrees
    assert row.to_json()["n_sigma"] is None
    assert not Match(1.0, "self_overlap_1", Estimate(1.0, 0.0, 5), 1.1).agrees


def test_width_is_that_of_all_samples_with_a_jackknife_error():
    """By hand: every network's squares pooled; the error from leaving one network out."""
    data = synthetic_run(n_networks=7, n_draws=30)
    means = network_means(data)
    found = overlap_width(means, 2, 1)
    q = data.overlap.astype(np.float64)[:, :, 2, 0, 1]
    assert found.value == pytest.approx(q.std(), rel=1e-4)
    left_out = np.array([np.delete(q, d, axis=1).std() for d in range(7)])
    assert found.stderr == pytest.approx(np.sqrt(6 / 7 * ((left_out - left_out.mean()) ** 2).sum()), rel=1e-2)
    assert found.n_networks == 7


def test_model_of_the_theory_has_the_widths_that_were_simulated():
    """Ratios are rounded to integer widths; the theory takes what was simulated, not what was asked for."""
    config = small_config(model={"n_inputs": 7, "width_ratios": [0.5, 1.57], "sigma_w": [1.0, 2.0], "sigma_b": 0.3})
    model = theory_model(config.model)
    assert model.width_ratios == (4 / 7, 11 / 7)
    assert model.sigma_w == (1.0, 2.0)
    assert model.sigma_b == (0.3, 0.3)
    assert model.activation.name == "tanh"


def test_one_network_is_not_enough():
    with pytest.raises(InsufficientDataError, match="at least 2 networks"):
        compare_with_theory(synthetic_run(n_networks=1))


def test_no_overlaps():
    with pytest.raises(InsufficientDataError, match="measured no overlaps"):
        compare_with_theory(synthetic_run(overlaps=False))
