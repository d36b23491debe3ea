"""k -> infinity of synthetic sequences; of real ones in test_structure."""

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.gaussian_field.extrapolation import extrapolate_steps

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
