"""Where the breaking must be invisible: equal levels, a breaking point at 0 and at 1."""

import math

import numpy as np
import pytest

from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.equations import (
    energy,
    energy_readout,
    forward_pass,
    free_entropy,
    replicon_pivots,
    updated_unknowns,
)
from mcmc.theory.rsb.fixed_breaking import KStepSolver, split_start, symmetric_start
from mcmc.theory.rsb.grids import RsbGrid

MODELS = {
    "sin": (TheoryModel.build("sin"), 8.0),
    "relu with biases": (TheoryModel.build("relu", sigma_w=math.sqrt(2), sigma_b=0.3), 4.0),
    "tanh, two layers": (TheoryModel.build("tanh", depth=2, width_ratios=(2.0, 0.5)), 3.0),
    "relu, two layers": (TheoryModel.build("relu", depth=2, sigma_w=math.sqrt(2)), 2.0),
}
FINE = RsbGrid(resolution=7.0, quadrature=Quadrature(y_step=0.12, xi_step=0.3))


@pytest.mark.parametrize("name", MODELS)
def test_equal_levels_are_the_replica_symmetric_saddle_point(name):
    model, beta = MODELS[name]
    saddle = solve_rs(model, beta, quadrature=Quadrature(tol=1e-10))
    x = (0.2, 0.7)
    unknowns = symmetric_start(saddle, 3)
    result = forward_pass(model, beta, unknowns, x, FINE, second=True)
    image = updated_unknowns(model, result).to_vector()
    np.testing.assert_allclose(image, unknowns.to_vector(), atol=1e-9, rtol=1e-9)
    assert free_entropy(model, result) == pytest.approx(saddle.free_entropy_density, abs=1e-10)
    assert energy(beta, result) == pytest.approx(saddle.energy_density, abs=1e-9)
    assert energy_readout(model, beta, result) == pytest.approx(saddle.energy_density_readout, abs=1e-9)
    for chain in replicon_pivots(model, result):
        np.testing.assert_allclose(chain, saddle.pivots, atol=1e-7)


def test_a_breaking_point_at_one_gives_the_replica_symmetric_phi():
    model, beta = MODELS["sin"]
    saddle = solve_rs(model, beta)
    solver = KStepSolver(model, beta, grid=FINE)
    point = solver.solve((1.0,), split_start(saddle, 2, 0.6))
    assert point.spread > 0.03
    assert point.result.overlap[0][0] == pytest.approx(saddle.overlap[0], abs=1e-8)
    assert free_entropy(model, point.result) == pytest.approx(saddle.free_entropy_density, abs=1e-10)


def test_a_breaking_point_at_zero_gives_the_replica_symmetric_phi():
    model, beta = MODELS["sin"]
    saddle = solve_rs(model, beta)
    solver = KStepSolver(model, beta, grid=FINE)
    point = solver.solve((1e-7,), split_start(saddle, 2, 0.6))
    assert point.spread > 0.03
    # Phi is linear in x, and rounding is divided by x in log E exp(x g) / x
    assert free_entropy(model, point.result) == pytest.approx(saddle.free_entropy_density, abs=1e-8)
    assert point.result.overlap[0][1] == pytest.approx(saddle.overlap[0], abs=1e-6)
