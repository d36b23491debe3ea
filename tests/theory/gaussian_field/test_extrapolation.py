"""k -> infinity of synthetic sequences; of real ones in test_structure."""

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.gaussian_field.extrapolation import extrapolate_steps, extrapolate_temperature

K = np.arange(1, 9)


@pytest.mark.parametrize("shift", [-0.4, 0.5, 2.0])
def test_the_fourth_power_is_exact(shift):
    limit = extrapolate_steps(1.25 + 1e-3 / (K + shift) ** 4, -0.5 - 3e-3 / (K + shift) ** 4)
    assert limit.free_entropy_density == pytest.approx(1.25, abs=1e-13)
    assert limit.energy_density == pytest.approx(-0.5, abs=1e-11)
    assert limit.free_entropy_error < 1e-12


def test_the_error_covers_what_the_power_misses():
    tail = 1 / (K + 0.5) ** 4 + 0.5 / (K + 0.5) ** 5
    limit = extrapolate_steps(1 + tail, 2 + tail)
    assert 0 < abs(limit.free_entropy_density - 1) < 3 * limit.free_entropy_error
    assert abs(limit.free_entropy_density - 1) < 0.05 * tail[-1]


@pytest.mark.parametrize("phi", [[3.0, 2.0, 1.0], [3.0, 2.0, 2.5, 1.0]])
def test_what_cannot_be_extrapolated(phi):
    with pytest.raises(UsageError, match="at least 4 decreasing"):
        extrapolate_steps(phi, phi)


def test_a_sequence_that_has_ended_is_its_own_limit():
    assert extrapolate_steps([2.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0]).free_entropy_density == 1.0


@pytest.mark.parametrize("half_powers", [False, True])
def test_temperature_series_are_summed_exactly(half_powers):
    t = np.array([0.4, 0.2, 0.1, 0.05])
    powers = (1, 1.5, 2) if half_powers else (1, 2, 3)
    values = -1.3 + sum(c * t**p for c, p in zip((0.5, -0.7, 0.2), powers, strict=True))
    limit, error = extrapolate_temperature(t, values, [0.0] * 4, half_powers=half_powers)
    assert limit == pytest.approx(-1.3, abs=1e-12)
    assert 1e-4 < error < 0.1


def test_the_error_of_a_temperature_series_covers_what_it_does_not_contain():
    """e = -sqrt(1 + T^2/4) + T/2 of the linear network, and a term T^{5/2}; the value at the coldest T is far off."""
    t = np.array([0.4, 0.2, 0.1, 0.05, 0.025])
    for values in (-np.sqrt(1 + t**2 / 4) + t / 2, -1 + 0.5 * t + t**2.5):
        for half_powers in (False, True):
            limit, error = extrapolate_temperature(t, values, [0.0] * 5, half_powers=half_powers)
            assert abs(limit + 1) <= error < 3e-3
            assert abs(values[-1] + 1) > 3 * error


def test_errors_of_the_values_are_amplified():
    t = [0.4, 0.2, 0.1]
    exact = extrapolate_temperature(t, [1.0, 1.0, 1.0], [0.0] * 3)
    assert exact == pytest.approx((1.0, 0.0), abs=1e-12)
    assert extrapolate_temperature(t, [1.0, 1.0, 1.0], [1e-3] * 3)[1] == pytest.approx(5e-3)  # weights 1/3, -2, 8/3


@pytest.mark.parametrize("t", [[0.4, 0.2], [0.1, 0.2, 0.3], [0.2, 0.1, 0.0]])
def test_temperatures_that_cannot_be_extrapolated(t):
    with pytest.raises(UsageError, match="at least 3 values at decreasing temperatures"):
        extrapolate_temperature(t, [0.0] * len(t), [0.0] * len(t))
