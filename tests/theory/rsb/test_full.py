"""Full replica symmetry breaking: the limit of many steps, its marginality and its error."""

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.annealed import annealed_free_entropy
from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb import solve_full

SIN = TheoryModel.build("sin")


@pytest.fixture(scope="module")
def full():
    return solve_full(SIN, 8.0, n_steps=20)


def test_replicons_of_all_levels_vanish(full):
    worst = dict(full.evidence["replicon_of_k"])
    assert full.evidence["marginal"]
    assert full.stable
    assert worst[1] < -0.1
    assert -1e-3 < worst[20] < 0
    assert abs(worst[20]) < 0.5 * abs(worst[10]) < 0.5 * abs(worst[5])


def test_phi_converges_like_the_fourth_power_of_the_steps(full):
    phi = dict(full.evidence["phi_of_k"])
    limit = full.free_entropy_density
    assert phi[1] > phi[2] > phi[3] > phi[5] > phi[10] > phi[20] > limit
    assert (phi[5] - limit) / (phi[10] - limit) == pytest.approx(16, abs=5)
    assert limit == pytest.approx(3.797665945, abs=3e-9)
    assert abs(phi[20] - limit) < full.free_entropy_error < 1e-8


def test_phi_is_below_the_annealed_bound(full):
    assert full.free_entropy_density < annealed_free_entropy(SIN, 8.0)


def test_overlap_is_continuous_between_its_ends(full):
    q = full.overlap[0]
    assert q[0] == pytest.approx(0.7030, abs=2e-4)
    assert q[-1] == pytest.approx(0.7766, abs=2e-4)
    assert full.evidence["largest_jump"] < 3
    assert 0.25 < full.evidence["x_min"] < 0.28
    assert 0.53 < full.evidence["x_max"] < 0.60
    assert full.evidence["continuous_mass"] == pytest.approx(full.evidence["x_max"] - full.evidence["x_min"])


def test_overlap_law_of_both_layers(full):
    for layer in (0, 1):
        law = full.overlap_law(layer)
        assert sum(w for _, w in law.atoms) + law.continuous_mass == pytest.approx(1, abs=1e-12)
        assert law.plateau == pytest.approx(full.overlap[layer][-1], abs=1e-9)
        (part,) = law.continuous
        mean = sum(w * q for q, w in law.atoms)
        mean += float((part.overlap[1:] + part.overlap[:-1]) @ np.diff(part.breaking)) / 2
        assert mean == pytest.approx(law.moments[0], abs=2e-5)
    assert -8.0 * (full.self_overlap[1] - mean) == pytest.approx(full.energy_density, abs=2e-4)


def test_energies_agree_within_the_error(full):
    assert abs(full.energy_density - full.evidence["energy_density_readout"]) < full.energy_error < 1e-7
    assert full.energy_density == pytest.approx(-0.58709034, abs=2e-8)


def test_energy_is_minus_the_derivative_of_phi(full):
    h = 0.05
    low, high = (solve_full(SIN, 8.0 + s * h, n_steps=8).free_entropy_density for s in (-1, 1))
    assert -(high - low) / (2 * h) == pytest.approx(full.energy_density, abs=5e-6)


def test_too_few_steps_are_refused():
    with pytest.raises(UsageError, match="even number of steps"):
        solve_full(SIN, 8.0, n_steps=7)
