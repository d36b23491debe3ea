"""xi at infinite depth: the limit of networks of finite depth, and two solvers that share no equation."""

import math

import numpy as np
import pytest

from mcmc.errors import ConfigError
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.thermodynamics import solve_curve
from mcmc.theory.shaped.covariance import DeepCovariance
from mcmc.theory.shaped.flow import solve_flow
from mcmc.theory.shaped.model import ShapedModel

KINK = {"c_plus": 1.0, "c_minus": -1.0}
Q = np.array([0.0, 0.2, 0.5, 0.9, 0.99])


@pytest.mark.parametrize(
    ("name", "params"), [("shaped_relu", KINK), ("shaped_tanh", {"shape": 1.3}), ("linear", {})], ids=lambda v: str(v)
)
def test_networks_approach_it_like_one_over_depth(name, params):
    """xi and four derivatives at L = 50 and 100; Richardson's rule leaves 1/L^2."""
    limit = DeepCovariance(name, params).derivatives(Q, 4)
    coarse, fine = (
        NetworkCovariance.build(name, depth=depth, activation_params=params).derivatives(Q, 4) for depth in (50, 100)
    )
    scale = 1 + np.abs(limit)
    assert np.max(np.abs(2 * fine - coarse - limit) / scale) < 4e-4
    if name == "shaped_relu":
        ratio = (coarse[0] - limit[0]) / (fine[0] - limit[0])
        np.testing.assert_allclose(ratio, 2, rtol=0.02)


def test_the_end_of_the_interval():
    jet = DeepCovariance("shaped_relu", KINK).derivatives(1.0, 4)
    assert jet[:2] == pytest.approx([1, 1])
    assert np.all(np.isinf(jet[2:]))
    smooth = DeepCovariance("shaped_relu", {"c_plus": 0.5, "c_minus": 0.5}).derivatives(1.0, 4)
    assert smooth == pytest.approx([1, 1, 0, 0, 0])


@pytest.mark.parametrize(("name", "params"), [("shaped_relu", KINK), ("shaped_tanh", {})], ids=lambda v: str(v))
@pytest.mark.parametrize("beta", [1.0, 6.0])
def test_field_theory_and_flow_agree(name, params, beta):
    """Crisanti and Sommers on xi, against the boundary value problem with 1/a = 0."""
    (field,) = solve_curve(DeepCovariance(name, params), [beta], ansatz="rs")
    flow = solve_flow(ShapedModel(name, math.inf, params), beta)
    assert flow.free_entropy_density == pytest.approx(field.free_entropy_density, abs=1e-9)
    assert flow.energy_density == pytest.approx(field.energy_density, abs=1e-9)
    assert flow.replicon == pytest.approx(field.replicon, abs=1e-8)
    assert float(flow.overlap(np.array(0.0))) == pytest.approx(field.overlap[0][0], abs=1e-9)


def test_deep_relu_breaks_at_low_temperature():
    """beta_AT = 8.271 at delta = 1: the sign of both replicons turns there, and beyond it one level is not enough."""
    model, covariance = ShapedModel("shaped_relu", math.inf, KINK), DeepCovariance("shaped_relu", KINK)
    assert solve_flow(model, 8.26).stable
    assert not solve_flow(model, 8.28).stable
    one, two = (solve_curve(covariance, [10.0], ansatz=ansatz)[0] for ansatz in ("rs", "1rsb"))
    assert not one.stable
    assert two.free_entropy_density < one.free_entropy_density - 1e-5


def test_errors():
    with pytest.raises(ConfigError, match="weakens with depth"):
        DeepCovariance("relu")
