"""The entropy at an energy: solutions found again from their energies, the Legendre transform, errors."""

from types import SimpleNamespace

import pytest

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb import solve_k_step, thermodynamics
from mcmc.theory.rsb.thermodynamics import entropy_at_energy

JUMP = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
SMOOTH = TheoryModel.build("sin")


def test_linear_network():
    """e = -s m and s(e) = 1/2 log(1 - m^2): the volume of a cap."""
    model = TheoryModel.build("linear", sigma_w=1.2)
    exact = solve_linear(model, 2.0)
    point = entropy_at_energy(model, exact.energy_density, ansatz="rs")
    assert point.beta == pytest.approx(2.0, rel=1e-7)
    assert point.entropy_density == pytest.approx(exact.entropy_density, abs=1e-9)


def test_replica_symmetric_entropy_of_two_layers_has_the_slope_beta():
    model = TheoryModel.build("tanh", depth=2, width_ratios=(2.0, 0.5))
    point = entropy_at_energy(model, -0.2)
    assert point.phase == "RS"
    assert point.solution.energy_density == pytest.approx(-0.2, abs=1e-7)
    up, down = (entropy_at_energy(model, -0.2 + d, ansatz="rs").entropy_density for d in (1e-3, -1e-3))
    assert (up - down) / 2e-3 == pytest.approx(point.beta, rel=1e-4)
    # s(e) = min over beta of Phi + beta e
    for factor in (0.9, 1.1):
        there = solve_rs(model, factor * point.beta)
        assert there.free_entropy_density + there.beta * -0.2 > point.entropy_density + 1e-4


@pytest.mark.parametrize("ansatz", ["auto", "1rsb"])
def test_one_step_found_again_from_its_energy(ansatz):
    solution = solve_k_step(JUMP, 3.0, 1)
    point = entropy_at_energy(JUMP, solution.energy_density, ansatz=ansatz)
    assert point.phase == "1RSB"
    assert point.beta == pytest.approx(3.0, rel=1e-5)
    assert point.entropy_density == pytest.approx(solution.entropy_density, abs=1e-8)
    # at a given energy replica symmetry overestimates the entropy
    assert entropy_at_energy(JUMP, solution.energy_density, ansatz="rs").entropy_density > point.entropy_density + 0.01


def test_full_breaking_is_followed_at_a_fixed_ansatz(monkeypatch):
    """The path of a full-RSB verdict, with one step in the place of the many that would take minutes."""

    def one_step(model, beta, n_steps):
        return solve_k_step(model, beta, 1)

    verdict = SimpleNamespace(label="full RSB", solution=SimpleNamespace(ansatz="full"))
    monkeypatch.setattr(thermodynamics, "classify", lambda model, beta, n_steps: verdict)
    monkeypatch.setattr(thermodynamics, "solve_full", one_step)
    solution = solve_k_step(SMOOTH, 8.0, 1)
    point = entropy_at_energy(SMOOTH, solution.energy_density)
    assert point.beta == pytest.approx(8.0, rel=1e-5)
    assert point.entropy_density == pytest.approx(solution.entropy_density, abs=1e-8)


def test_ends_of_the_energy_axis():
    assert entropy_at_energy(SMOOTH, 0.0).entropy_density == 0
    for energy in (0.1, -0.8, float("nan")):
        with pytest.raises(UsageError, match=r"expected an energy density in \(e_0, 0\].* e_0 > -0.797885; found"):
            entropy_at_energy(SMOOTH, energy)
    with pytest.raises(UsageError, match=r"sin, L=1.* e_0 = -0\.65.* \(extrapolated\); found -0.7") as caught:
        entropy_at_energy(SMOOTH, -0.7)
    assert caught.value.ground_state == pytest.approx(-0.651, abs=0.01)
    linear = TheoryModel.build("linear")
    with pytest.raises(UsageError, match=r"found -0.9999, so close to e_0 .*use ground_state"):
        entropy_at_energy(linear, -0.9999)


def test_an_ansatz_that_does_not_exist_at_the_energy_says_where_it_was_sought():
    with pytest.raises(ConvergenceError, match=r"1-step RSB at beta=0\.9.*Replica symmetry holds"):
        entropy_at_energy(SMOOTH, -0.3, ansatz="1rsb")
