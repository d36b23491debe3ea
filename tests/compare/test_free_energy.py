"""Free entropy and entropy of linear networks: Phi, e and s beside theory, and dPhi/dbeta = -e."""

import json

import numpy as np
import pytest

from mcmc.compare.free_energy import thermodynamics
from mcmc.compare.match import theory_model
from mcmc.io.reader import read_run
from mcmc.plots.free_energy import free_energy_figure
from mcmc.plots.style import save
from mcmc.theory.linear import solve_linear
from tests.plots.test_figures import assert_is_a_picture
from tests.support.runs import finished, small_config


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = small_config(
        model={"activation": "linear", "n_inputs": 48, "n_networks": 24, "sigma_w": 1.0},
        tempering={"beta_max": 1.5, "n_temperatures": 10},
        run={"n_burn_in": 150, "n_sweeps": 500, "measure_every": 1},
        output={"segment_sweeps": 500},
    )
    path = tmp_path_factory.mktemp("linear") / "run"
    finished(config, path)
    return thermodynamics(read_run(path))


def test_rows_agree_with_theory(found):
    """N_0 = 48 and 24 networks: corrections of order 1/N_0 are of the size of the errors or below."""
    rows = found.rows()
    json.dumps(rows)
    assert [row["beta"] for row in rows] == found.free.beta.tolist()
    for row in rows[1:]:
        for name in ("free_entropy_density", "energy_density", "entropy_density"):
            assert abs(row[name]["n_sigma"]) < 4.5, (row["beta"], name, row[name])
        exact = solve_linear(theory_model(found.data.config.model), row["beta"])
        assert row["free_entropy_density"]["predicted"] == pytest.approx(exact.free_entropy_density, abs=1e-8)


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
    assert all(found.gain[name][0] == 1.0 for name in found.gain)
    assert all(found.gain[name][2] > 2 for name in found.gain)


def test_figure(found, tmp_path):
    assert_is_a_picture(save(free_energy_figure(found), tmp_path / "free.png"))
