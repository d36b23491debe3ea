"""Annealed generalisation against published numbers and a plain scan of the potential."""

import math

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.function_space.generalization import asymptotic_error, generalization_error, jump
from mcmc.theory.function_space.max_entropy import max_entropy_continuous


@pytest.mark.parametrize(
    ("depth", "load", "expected"),
    [(1, 10, 0.08875), (1, 100, 0.00990), (2, 100, 0.014778), (4, 100, 0.03612), (4, 1000, 0.00374)],
)
def test_error(depth, load, expected):
    assert generalization_error(load, depth) == pytest.approx(expected, abs=5.1e-6)


@pytest.mark.parametrize(("load", "expected"), [(10, 0.26528), (20, 0.15613)])
def test_error_of_four_layers(load, expected):
    assert generalization_error(load, 4) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("load", [6.0, 10.0, 20.0])
def test_error_by_a_scan_of_the_potential(load):
    errors = np.linspace(0.05, 0.4995, 1500)
    potential = [4 * max_entropy_continuous(e, 4).entropy_density + 4 * load * math.log1p(-e) for e in errors]
    assert generalization_error(load, 4) == pytest.approx(errors[int(np.argmax(potential))], abs=3.1e-4)


@pytest.mark.parametrize(("depth", "load"), [(2, math.pi**2 / 8), (3, 3.3643), (4, 5.5327), (5, 8.3375)])
def test_load_at_the_jump(depth, load):
    found = jump(depth)
    assert found.load == pytest.approx(load, abs=5.1e-5)
    assert generalization_error(found.load * (1 - 1e-6), depth) == 0.5
    assert generalization_error(found.load * (1 + 1e-6), depth) == pytest.approx(found.error, abs=1e-3)


def test_both_maxima_are_equal_at_the_jump():
    """Independent of the conjugate: the potential, scanned, is nowhere above that of eps = 1/2, and touches it."""
    for depth, end in ((3, 0.41163), (4, 0.39139), (5, 0.39445)):
        found = jump(depth)
        errors = np.linspace(0.3, 0.499, 1000)
        entropy = np.array([max_entropy_continuous(e, depth).entropy_density for e in errors])
        potential = depth * (entropy + found.load * np.log(2 * (1 - errors)))
        assert -2e-6 < potential.max() <= 0
        assert found.error == pytest.approx(end, abs=5.1e-6)
        assert errors[int(np.argmax(potential))] == pytest.approx(end, abs=4e-4)


def test_two_layers_leave_one_half_continuously():
    assert jump(2).error == 0.5
    above = [generalization_error(math.pi**2 / 8 + excess, 2) for excess in (1e-2, 1e-3, 1e-4)]
    assert 0.49 < above[0] < above[1] < above[2] < 0.5


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_asymptote(depth):
    assert generalization_error(1e7, depth) == pytest.approx(asymptotic_error(1e7, depth), rel=1e-5)


@pytest.mark.parametrize(("load", "depth"), [(0.0, 2), (-1.0, 2), (float("inf"), 2), (1.0, 0), (1.0, 13)])
def test_errors(load, depth):
    with pytest.raises(UsageError, match="expected"):
        generalization_error(load, depth)
