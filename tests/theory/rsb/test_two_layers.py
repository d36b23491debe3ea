"""Two hidden layers: the linear first layer, whose limit of large width is one layer, and identities."""

from dataclasses import dataclass

import numpy as np
import pytest

from mcmc.systems.mlp.activations import Activation, make_activation
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb import RsbGrid, solve_at, solve_k_step
from mcmc.theory.rsb.equations import Unknowns, energy, energy_readout, free_entropy, replicon_pivots
from mcmc.theory.rsb.fixed_breaking import KStepSolver

SHALLOW = TheoryModel.build("sin")
DEEP = TheoryModel.build("sin", depth=2)
X = 0.34


@dataclass(frozen=True)
class LayeredModel(TheoryModel):
    """A model with an activation of its own in every layer."""

    activations: tuple[Activation, ...] = ()


def linear_then_sin(alpha_1):
    linear, sine = make_activation("linear", depth=2), make_activation("sin", depth=2)
    return LayeredModel(sine, (alpha_1, 1.0), (1.0, 1.0), (0.0, 0.0), (linear, sine))


def behind_a_linear_layer(beta, x, alpha_1):
    """The solution of linear-then-sin started from that of sin alone, with its averages."""
    if x:
        shallow = solve_at(SHALLOW, beta, x).result
        q = shallow.overlap[0]
        fields = np.array(shallow.layers[0].d_omega_squared)
    else:
        q = (solve_rs(SHALLOW, beta).overlap[0],)
        fields = np.array([q[0] / (1 - q[0]) ** 2])
    solver = KStepSolver(linear_then_sin(alpha_1), beta)
    point = solver.solve(x, Unknowns(q, ((tuple((fields / alpha_1).tolist()), 0.0),)))
    return solver.model, solver.evaluate(point.unknowns, x, point.grids, second=True)


@pytest.mark.parametrize(("alpha_1", "replicon"), [(10.0, 0.2012), (100.0, 0.2738), (1000.0, 0.2802)])
def test_replicon_behind_a_wide_linear_layer(alpha_1, replicon):
    model, result = behind_a_linear_layer(4.0, (), alpha_1)
    assert replicon_pivots(model, result)[0][-1] == pytest.approx(replicon, abs=6e-5)


@pytest.mark.parametrize(("beta", "x"), [(4.0, ()), (8.0, (X,))], ids=["RS", "1RSB"])
def test_a_wide_linear_layer_is_invisible_up_to_one_over_its_width(beta, x):
    shallow = KStepSolver(SHALLOW, beta)
    if x:
        target = solve_at(SHALLOW, beta, x).result
    else:
        target = shallow.evaluate(Unknowns((solve_rs(SHALLOW, beta).overlap[0],), ()), ())
    differences = []
    for alpha_1 in (1e3, 1e4):
        model, result = behind_a_linear_layer(beta, x, alpha_1)
        change = [free_entropy(SHALLOW, target) - free_entropy(model, result)]
        change += [a - b for a, b in zip(target.overlap[0], result.overlap[0], strict=True)]
        differences.append(np.array(change))
    assert np.max(np.abs(differences[1])) < 1e-3
    np.testing.assert_allclose(differences[0] / differences[1], 10, atol=0.8)  # the next order is 1e-3


@pytest.fixture(scope="module")
def broken():
    return solve_at(DEEP, 12.0, (X,))


def test_one_step_lowers_phi_behind_two_layers(broken):
    saddle = solve_rs(DEEP, 12.0)
    assert min(saddle.pivots) < 0
    assert free_entropy(DEEP, broken.result) < saddle.free_entropy_density - 1e-3
    assert all(levels[1] > levels[0] + 0.01 for levels in broken.result.overlap)


def test_both_energies_agree_behind_two_layers(broken):
    e = energy(12.0, broken.result)
    assert energy_readout(DEEP, 12.0, broken.result) == pytest.approx(e, abs=5e-7)


def test_energy_is_minus_the_derivative_of_phi_at_a_fixed_breaking_point(broken):
    h = 0.05
    low, high = (free_entropy(DEEP, solve_at(DEEP, 12.0 + s * h, (X,), start=broken).result) for s in (-1, 1))
    assert -(high - low) / (2 * h) == pytest.approx(energy(12.0, broken.result), abs=2e-6)


def test_the_breaking_point_of_two_layers():
    grid = RsbGrid(resolution=3.5)
    start = solve_at(DEEP, 12.0, (X,), grid=grid)
    solution = solve_k_step(DEEP, 12.0, 1, start=start, grid=grid)
    assert solution.breaking_points[0] == pytest.approx(0.33485, abs=2e-4)
    assert solution.free_entropy_density == pytest.approx(4.41657, abs=1e-5)
    assert solution.replicon == pytest.approx(-0.1349, abs=1e-3)
    assert max(map(abs, solution.evidence["dphi_dx"])) < 1e-6
