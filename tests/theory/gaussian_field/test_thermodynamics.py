"""Curves, the entropy at an energy, the annealed bound and the high-temperature expansion."""

import numpy as np
import pytest

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.gaussian_field import thermodynamics
from mcmc.theory.gaussian_field.solve import solve
from mcmc.theory.gaussian_field.thermodynamics import (
    annealed_free_entropy,
    entropy_at_energy,
    high_temperature,
    solve_curve,
)
from tests.theory.gaussian_field.cases import PHASES, p_spin, solved

CASES = [pytest.param(xi, beta, id=name) for name, (xi, beta, _) in PHASES.items()]


@pytest.mark.parametrize(("xi", "beta"), CASES)
def test_high_temperature_expansion(xi, beta):
    """The remainder is that of beta^6, to its own relative order beta^2."""
    unit = float(xi.derivatives(1.0, 1)[1]) ** 0.5
    for share, accuracy in ((0.1, 0.1), (0.05, 0.03)):
        b = share / unit
        expansion, solution = high_temperature(xi, b), solve(xi, b)
        left = solution.free_entropy_density - expansion.free_entropy_density
        assert left == pytest.approx(expansion.free_entropy_remainder, rel=accuracy, abs=1e-15)
        left = solution.energy_density - expansion.energy_density
        assert left == pytest.approx(expansion.energy_remainder, rel=accuracy, abs=3e-14)


@pytest.mark.parametrize("name", PHASES)
def test_annealed_bound(name):
    xi, beta, _ = PHASES[name]
    assert solved(name).free_entropy_density <= annealed_free_entropy(xi, beta) + 1e-12


def test_annealed_bound_is_reached_without_field_above_the_transition():
    xi = p_spin("2 + 0.5*q**3")
    assert solve(xi, 1.7).free_entropy_density == pytest.approx(annealed_free_entropy(xi, 1.7), abs=1e-14)
    assert solve(xi, 1.72).free_entropy_density < annealed_free_entropy(xi, 1.72) - 1e-6


@pytest.mark.parametrize("name", ["discontinuous 1RSB", "full RSB"])
def test_entropy_at_an_energy(name):
    xi, beta, phase = PHASES[name]
    solution = solved(name)
    point = entropy_at_energy(xi, solution.energy_density)
    assert point.beta == pytest.approx(beta, rel=1e-9)
    assert point.entropy_density == pytest.approx(solution.entropy_density, abs=1e-9)
    assert point.solution.evidence["phase"] == phase
    if "full" in name:
        return
    # ds/de = beta
    h = 1e-3 * abs(solution.energy_density)
    above, below = (entropy_at_energy(xi, solution.energy_density + s * h).entropy_density for s in (1, -1))
    assert (above - below) / (2 * h) == pytest.approx(beta, rel=1e-4)


def test_ends_of_the_energy_axis():
    xi = p_spin("0.5*q**3")
    assert entropy_at_energy(xi, 0.0).entropy_density == 0
    for energy in (0.1, -1.18, float("nan")):
        with pytest.raises(UsageError, match=r"\(-1\.1716748, 0\]"):
            entropy_at_energy(xi, energy)
    with pytest.raises(UsageError, match="so close to the ground state"):
        entropy_at_energy(xi, -1.17167477)


def test_curve_keeps_the_order_of_its_temperatures():
    xi = p_spin("0.5*q**2 + 0.1*q**4")
    betas = [5.0, 0.5, 2.0, 0.0, 1.2]
    curve = solve_curve(xi, betas)
    assert [solution.beta for solution in curve] == betas
    energies = [solution.energy_density for solution in sorted(curve, key=lambda s: s.beta)]
    assert np.all(np.diff(energies) < 0)
    assert [s.ansatz for s in curve] == ["full", "rs", "full", "rs", "full"]


def test_a_solution_on_another_branch_is_caught(monkeypatch):
    """Replica symmetry handed out for a broken phase violates the convexity of Phi."""

    def lost(xi, beta, **arguments):
        return solve(xi, beta, ansatz="rs" if beta > 1.9 else "auto")

    monkeypatch.setattr(thermodynamics, "solve", lost)
    with pytest.raises(ConvergenceError, match=r"Phi rises by .* from beta=1\.88 to 1\.92") as caught:
        solve_curve(p_spin("0.5*q**3"), [1.8, 1.84, 1.88, 1.92])
    assert caught.value.beta == 1.92
