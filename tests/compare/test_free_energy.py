"""Free entropy and entropy of linear networks: Phi, e and s beside their exact averages, and dPhi/dbeta = -e."""

import json
import math

import numpy as np
import pytest
from scipy.special import gammaln, ive
from scipy.stats import norm, t

from mcmc.compare.free_energy import thermodynamics
from mcmc.compare.prediction import theory_model
from mcmc.io.reader import read_run
from mcmc.plots.free_energy import free_energy_figure
from mcmc.plots.style import save
from mcmc.theory.linear import solve_linear
from tests.plots.test_figures import assert_is_a_picture
from tests.support.runs import finished, small_config

N_INPUTS, N_NETWORKS = 48, 24


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = small_config(
        model={"activation": "linear", "n_inputs": N_INPUTS, "n_networks": N_NETWORKS, "sigma_w": 1.0},
        tempering={"beta_max": 1.5, "n_temperatures": 10},
        run={"n_burn_in": 150, "n_sweeps": 500, "measure_every": 1},
        output={"segment_sweeps": 500},
    )
    path = tmp_path_factory.mktemp("linear") / "run"
    finished(config, path)
    return thermodynamics(read_run(path))


def exact_average(beta: float) -> dict[str, float]:
    """Of Phi, e and s over linear networks of this size: von Mises-Fisher, g = W^T v/sqrt(N_1), W^T v ~ |v| N(0, 1)."""
    rng = np.random.default_rng(0)
    g = np.sqrt(rng.chisquare(N_INPUTS, 100_000) * rng.chisquare(N_INPUTS, 100_000) / N_INPUTS)
    kappa, order = beta * math.sqrt(N_INPUTS) * g, N_INPUTS / 2 - 1
    log_z = gammaln(order + 1) + order * np.log(2 / kappa) + np.log(ive(order, kappa)) + kappa
    energy = -ive(order + 1, kappa) / ive(order, kappa) * g / math.sqrt(N_INPUTS)
    phi, e = log_z.mean() / N_INPUTS, energy.mean()
    return {"free_entropy_density": phi, "energy_density": e, "entropy_density": phi + beta * e}


def test_rows_agree_with_the_exact_average(found):
    """At this N_0, where the prediction of the limit is off by several errors: 4 sigma, as Student's t."""
    rows = found.rows()
    json.dumps(rows)
    assert [row["beta"] for row in rows] == found.free.beta.tolist()
    bound = t.isf(norm.sf(4), N_NETWORKS - 1)
    for row in rows[1:]:
        for name, exact in exact_average(row["beta"]).items():
            distance = abs(row[name]["value"] - exact) / row[name]["stderr"]
            assert distance < bound, (row["beta"], name, row[name], exact)
        limit = solve_linear(theory_model(found.data.config.model), row["beta"])
        assert row["free_entropy_density"]["predicted"] == pytest.approx(limit.free_entropy_density, abs=1e-8)


def test_entropy_is_the_sum_in_every_resample(found):
    phi, e, s = found.free_entropy_density, found.energy_density, found.entropy_density
    beta = found.free.beta
    plain = phi.value + beta * e.value
    assert np.abs(s.value - plain).max() < 0.3 * s.stderr.max()  # each has its own control: equal up to its slope
    assert s.resamples.shape == phi.resamples.shape == (1000, len(beta))
    assert s.value[0] == phi.value[0] == 0.0


def test_energy_is_minus_the_slope_of_phi(found):
    """Between neighbours the slope of Phi lies between the energies of both."""
    slope = np.diff(found.free.free_entropy_density, axis=1) / np.diff(found.free.beta)
    energy = found.data.energy.mean((0, 3))
    noise = 5 * found.free.stderr["mbar"][:, 1:] / found.free.n_inputs / np.diff(found.free.beta)
    assert (slope > -energy[:, :-1] - noise).all()
    assert (slope < -energy[:, 1:] + noise).all()


def test_the_control_is_worth_networks(found):
    assert all(found.gain[name][0] == pytest.approx(1.0, rel=1e-12) for name in found.gain)
    assert all(found.gain[name][2] > 2 for name in found.gain)


def test_figure(found, tmp_path):
    assert_is_a_picture(save(free_energy_figure(found), tmp_path / "free.png"))
