"""P(q) of every layer: atoms, continuous parts, moments, for every kind of solution."""

import numpy as np
import pytest

from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.solve import solve as solve_field
from mcmc.theory.model import TheoryModel
from mcmc.theory.overlap_law import law_of_levels
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb import solve_k_step


def test_replica_symmetry_is_one_atom_in_every_layer():
    saddle = solve_rs(TheoryModel.build("tanh", depth=2), 2.0)
    for layer in range(3):
        law = saddle.overlap_law(layer)
        assert law.atoms == ((saddle.overlap[layer], 1.0),)
        assert law.plateau == law.moments[0] == saddle.overlap[layer]
        assert law.variance == pytest.approx(0, abs=1e-15)
        assert law.continuous_mass == 0


def test_one_step_has_two_atoms_with_the_weights_of_its_breaking_point():
    solution = solve_k_step(TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0), 3.0, 1)
    (x,) = solution.breaking_points
    for layer in range(2):
        low, high = solution.overlap[layer]
        law = solution.overlap_law(layer)
        np.testing.assert_allclose(law.atoms, ((low, x), (high, 1 - x)), rtol=1e-12)
        assert law.moments == pytest.approx([x * low**n + (1 - x) * high**n for n in (1, 2, 3, 4)])
        assert law.moments[2] == pytest.approx(solution.overlap_moment(3, layer))
        assert law.plateau == high
    # the mean overlap of the last layer is what makes the energy
    mean = solution.overlap_law(1).moments[0]
    assert -3.0 * (solution.self_overlap[1] - mean) == pytest.approx(solution.energy_density, rel=1e-12)


def test_equal_levels_are_one_atom_and_levels_of_no_weight_are_none():
    law = law_of_levels((0.5, 0.2, 0.5, 0.9), (0.25, 0.25, 0.5, 0.0))
    assert law.atoms == ((0.2, 0.25), (0.5, 0.75))
    assert law.plateau == 0.5


def test_a_continuous_part_in_every_layer():
    """Wide tanh, L = 3: atoms and a band; each layer's moments by integrating over its own law."""
    solution = solve_field(NetworkCovariance.build("tanh", depth=3, sigma_w=3.0), 16.0)
    for layer in range(4):
        law = solution.overlap_law(layer)
        assert sum(w for _, w in law.atoms) + law.continuous_mass == pytest.approx(1, abs=1e-12)
        for order in (1, 2, 3, 4):
            total = sum(w * q**order for q, w in law.atoms)
            for part in law.continuous:
                middles = (part.overlap[1:] ** order + part.overlap[:-1] ** order) / 2
                total += float(middles @ np.diff(part.breaking))
            assert law.moments[order - 1] == pytest.approx(total, abs=2e-5)
    overlap = solution.overlap_law(0).continuous[0].overlap
    exact = NetworkCovariance.build("tanh", depth=3, sigma_w=3.0).layer_overlaps(overlap)
    for layer in (1, 2, 3):
        np.testing.assert_allclose(solution.overlap_law(layer).continuous[0].overlap, exact[layer - 1], atol=1e-6)
