"""beta -> infinity in scaled variables, against closed forms and against large beta."""

import math

import numpy as np
import pytest

from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field import ground_state as ground_state_module
from mcmc.theory.gaussian_field import structure
from mcmc.theory.gaussian_field.ground_state import ground_state
from mcmc.theory.gaussian_field.solve import solve
from tests.theory.gaussian_field.cases import PHASES, p_spin
from tests.theory.gaussian_field.reference import pure_p_ground_state


@pytest.mark.parametrize("p", [3, 4, 10])
def test_pure_p_spin(p):
    ground = ground_state(p_spin(f"0.5*q**{p}"))
    assert ground.energy_density == pytest.approx(pure_p_ground_state(p), abs=1e-12)
    assert ground.phase == "1RSB"
    assert ground.overlap == (0.0, 1.0)
    assert ground.energy_error < 1e-10


def test_the_number_of_the_literature():
    """E_0(3) = 1.6570 for xi = q^3 [Auffinger, Ben Arous and Cerny 2013]; sqrt(1/2) of it for q^3/2."""
    assert ground_state(p_spin("q**3")).energy_density == pytest.approx(-1.65699, abs=1e-5)
    assert ground_state(p_spin("0.5*q**3")).energy_density == pytest.approx(-1.65699 / math.sqrt(2), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "stable"), [("q", True), ("0.5*q**2", True), ("3*q + 0.5*q**3", True), ("q + 0.5*q**3", False)]
)
def test_replica_symmetry_at_zero_temperature(text, stable):
    """RS if and only if xi''(1) <= xi'(1), and then e_0 = -sqrt(xi'(1))."""
    xi = p_spin(text)
    _, slope, curvature = xi.derivatives(1.0, 2)
    assert (curvature <= slope) == stable
    ground = ground_state(xi)
    assert (ground.phase == "RS") == stable
    if stable:
        assert ground.energy_density == pytest.approx(-math.sqrt(slope), abs=1e-14)
        assert ground.susceptibility == pytest.approx(1 / math.sqrt(slope), abs=1e-14)
        assert ground.replicon == pytest.approx(1 - curvature / slope, abs=1e-14)
    else:
        assert ground.energy_density > -math.sqrt(slope)


def test_full_breaking_in_closed_form():
    """One continuous part from 0 to 1: D = xi''^(-1/2) everywhere, e_0 = -int_0^1 sqrt(xi'') dq."""
    for b in (0.01, 0.04):
        q, w = np.polynomial.legendre.leggauss(60)
        expected = -np.sum(0.5 * w * np.sqrt(1 + 12 * b * (0.5 + 0.5 * q) ** 2))
        ground = ground_state(p_spin(f"0.5*q**2 + {b}*q**4"))
        assert ground.phase == "full RSB"
        assert ground.energy_density == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, (_, _, phase) in PHASES.items() if "RSB" in phase])
def test_energies_of_large_beta_approach_the_ground_state(name):
    """e = e_0 + T/2 + ..., half a kT per input; 2T/3 with a kink, where 1 - q_EA falls like T^(4/3) and not like T."""
    xi = PHASES[name][0]
    ground = ground_state(xi)
    share = 1 / 2 if ground.susceptibility > 1e-9 else 2 / 3
    for beta, tolerance in ((1e3, 3e-5), (1e5, 3e-8)):
        e = solve(xi, beta).energy_density
        assert e - ground.energy_density == pytest.approx(share / beta, abs=tolerance)
        assert e > ground.energy_density


def test_susceptibility_vanishes_for_a_kink():
    ground = ground_state(PHASES["full RSB of a network"][0])
    assert ground.susceptibility == pytest.approx(0, abs=1e-12)
    assert ground.overlap[0] == pytest.approx(0.9416798, abs=1e-6)
    assert ground.energy_density == pytest.approx(-0.99117068, abs=1e-8)


def test_a_loose_bound_is_an_error(monkeypatch):
    monkeypatch.setattr(structure, "LADDER", (1,))
    monkeypatch.setattr(structure, "_structures", lambda atoms: iter(()))
    monkeypatch.setattr(structure, "_splits", lambda atoms: iter(()))
    monkeypatch.setattr(ground_state_module, "HOPELESS_GAP", 1e-12)
    with pytest.raises(ConvergenceError, match=r"ground state: no structure accepted with 1 steps"):
        ground_state(p_spin("0.5*q**2 + 0.1*q**4"))
