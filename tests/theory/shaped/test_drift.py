"""The drift of one layer is L times what a layer of a very deep network does to a covariance."""

import math

import numpy as np
import pytest

from mcmc.errors import ConfigError
from mcmc.systems.mlp.activations import make_activation
from mcmc.theory.gaussian_field.dual_activation import dual_activation
from mcmc.theory.shaped.drift import CubicDrift, drift_of

CASES = [("shaped_tanh", {"shape": 1.3}), ("shaped_relu", {"c_plus": 0.8, "c_minus": -0.8}), ("linear", {})]
Q, R = np.array([0.05, 0.3, 0.7, 1.1]), 1.2


@pytest.mark.parametrize(("name", "params"), CASES)
def test_drift_is_the_slope_in_one_over_depth(name, params):
    """F, dF/dq and V from the dual activation at two depths, extrapolated; an error of 1/L^2 is left."""
    drift = drift_of(name, params)
    limits = []
    for depth in (200, 400):
        dual, _ = dual_activation(make_activation(name, depth=depth, **params), R)
        value, slope = dual(np.append(Q, R), 1)
        limits.append(depth * np.array([value - np.append(Q, R), slope - 1]))
    f, f_q = 2 * limits[1] - limits[0]
    v = float(f[-1])
    assert float(drift.self_drift(np.array(R))) == pytest.approx(v, abs=2e-4)
    np.testing.assert_allclose(drift.spread(Q, R - Q), v - f[:-1], atol=4e-4)
    np.testing.assert_allclose(drift.slope(Q, R - Q), f_q[:-1], atol=4e-4)


@pytest.mark.parametrize(("name", "params"), CASES)
def test_derivatives_by_finite_differences(name, params):
    drift, h, d = drift_of(name, params), 1e-5, R - Q

    def central(f, x, *args):
        return (f(x + h, *args) - f(x - h, *args)) / (2 * h)

    np.testing.assert_allclose(central(drift.spread, Q, d), drift.spread_slope(Q, d), atol=1e-8)
    np.testing.assert_allclose(central(drift.self_drift, Q), drift.self_slope(Q), atol=1e-8)
    # at fixed r = q + D
    fixed_r = (drift.spread(Q + h, d - h) - drift.spread(Q - h, d + h)) / (2 * h)
    np.testing.assert_allclose(-fixed_r, drift.slope(Q, d), atol=1e-8)
    curvature = (drift.slope(Q + h, d - h) - drift.slope(Q - h, d + h)) / (2 * h)
    np.testing.assert_allclose(curvature, drift.curvature(Q, d), atol=1e-8)


def test_only_the_kink_counts():
    """c_+ = c_- is a linear network after normalisation."""
    drift = drift_of("shaped_relu", {"c_plus": 0.7, "c_minus": 0.7})
    assert float(drift.spread(np.array(0.4), np.array(0.6))) == 0
    assert drift_of("linear", {}) == CubicDrift(0.0)


@pytest.mark.parametrize(
    ("name", "params", "why"),
    [
        ("tanh", {}, "weakens with depth, found 'tanh'"),
        ("shaped_tanh", {"shape": -1.0}, "shape > 0"),
        ("shaped_relu", {"slope": 1.0}, "takes c_plus, c_minus"),
        ("shaped_relu", {"c_plus": math.nan}, "finite parameters"),
    ],
)
def test_errors(name, params, why):
    with pytest.raises(ConfigError, match=why):
        drift_of(name, params)
