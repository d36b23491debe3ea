"""xi(q) of networks: closed forms, Hermite series, chain rule, and what cannot be resolved."""

import math

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss

from mcmc.errors import ConfigError, QuadratureError
from mcmc.systems.mlp.activations import Activation, make_activation
from mcmc.theory.gaussian_field import covariance as covariance_module
from mcmc.theory.gaussian_field.dual_activation import dual_activation
from mcmc.theory.gaussian_field.hermite import hermite_dual
from mcmc.theory.gaussian_field.network import NetworkCovariance

Q = np.array([0.05, 0.3, 0.6, 0.9])


def brute_force_dual(activation, variance, c):
    """E phi(u) phi(v) by a plain trapezoid over the plane; good to 1e-6 even at a kink."""
    z = np.arange(-8, 8, 0.01)
    weight = np.exp(-(z**2) / 2) * 0.01 / math.sqrt(2 * math.pi)
    rho = c / variance
    u = math.sqrt(variance) * z
    v = rho * u[:, None] + math.sqrt(variance * (1 - rho**2)) * z[None, :]
    phi_u = activation.phi(torch.from_numpy(u)).numpy()
    phi_v = activation.phi(torch.from_numpy(v)).numpy()
    return float((weight * phi_u) @ phi_v @ weight)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("linear", {}),
        ("relu", {}),
        ("leaky_relu", {"negative_slope": 0.2}),
        ("shaped_relu", {"c_plus": 0.3, "c_minus": -0.7}),
        ("erf", {}),
        ("sin", {}),
        ("tanh", {}),
        ("shaped_tanh", {"shape": 0.8}),
    ],
)
def test_dual_activation_is_the_average_over_the_plane(name, params):
    activation = make_activation(name, depth=2, **params)
    variance = 1.7
    dual, error = dual_activation(activation, variance)
    for c in (0.2, 0.9, 1.5):
        assert dual(np.array(c), 0)[0] == pytest.approx(brute_force_dual(activation, variance, c), abs=3e-6)
    assert error < 1e-12


@pytest.mark.parametrize("name", ["sin", "erf"])
def test_closed_form_equals_hermite_series(name):
    activation = make_activation(name, depth=1)
    c = np.array([0.0, 0.4, 1.1, 1.3])
    closed, series = dual_activation(activation, 1.3)[0], hermite_dual(activation, 1.3)[0]
    np.testing.assert_allclose(closed(c, 4), series(c, 4), rtol=1e-11, atol=1e-13)


def test_hermite_series_of_tanh_by_gauss_hermite():
    nodes, weights = hermegauss(200)
    weights = weights / weights.sum()
    dual, error = hermite_dual(make_activation("tanh", depth=1), 0.8)
    # K'(C) = E phi'(u) phi'(v), at C = S the mean square of phi'
    slopes = 1 - np.tanh(math.sqrt(0.8) * nodes) ** 2
    assert dual(np.array(0.8), 1)[1] == pytest.approx(np.sum(weights * slopes**2), abs=1e-12)
    assert dual(np.array(0.8), 0)[0] == pytest.approx(np.sum(weights * np.tanh(math.sqrt(0.8) * nodes) ** 2), abs=1e-12)
    assert 0 < error < 1e-12


NETWORKS = [
    NetworkCovariance.build("sin", sigma_w=1.5),
    NetworkCovariance.build("tanh", depth=3, sigma_w=[1.0, 2.0, 0.7], sigma_b=[0.1, 0.0, 0.3]),
    NetworkCovariance.build("relu", depth=3, sigma_w=math.sqrt(2)),
    NetworkCovariance.build("leaky_relu", depth=2),
    NetworkCovariance.build("erf", depth=2, sigma_b=0.2),
    NetworkCovariance.build("shaped_tanh", depth=4),
    NetworkCovariance.build("shaped_relu", depth=4),
    NetworkCovariance.build("linear", depth=2, sigma_w=0.9),
]


def assert_derivatives(xi):
    h = 1e-5
    exact = xi.derivatives(Q, 4)
    numeric = (xi.derivatives(Q + h, 4) - xi.derivatives(Q - h, 4)) / (2 * h)
    np.testing.assert_allclose(numeric[:-1], exact[1:], rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("xi", NETWORKS, ids=lambda xi: xi.label)
def test_derivatives_by_finite_differences(xi):
    assert_derivatives(xi)


def test_a_forgotten_term_of_the_chain_rule_is_caught(monkeypatch):
    true_compose = covariance_module.compose

    def without_cross_term(outer, inner):
        result = true_compose(outer, inner)
        if len(result) > 3:
            result[3] -= 3 * outer[2] * inner[1] * inner[2]
        return result

    monkeypatch.setattr("mcmc.theory.gaussian_field.network.compose", without_cross_term)
    with pytest.raises(AssertionError):
        assert_derivatives(NETWORKS[1])


@pytest.mark.parametrize("xi", NETWORKS, ids=lambda xi: xi.label)
def test_ends_and_layers(xi):
    assert float(xi(1.0)) == pytest.approx(xi.self_overlap[-1], rel=1e-13)
    layers = xi.layer_overlaps(Q)
    assert len(layers) == xi.model.depth
    np.testing.assert_allclose(layers[-1], xi(Q), rtol=1e-13)
    assert np.all(xi.derivatives(Q, 3) >= 0)


def test_known_forms():
    sw = 1.3
    np.testing.assert_allclose(
        NetworkCovariance.build("sin", sigma_w=sw)(Q), np.exp(-(sw**2)) * np.sinh(sw**2 * Q), rtol=1e-13
    )
    np.testing.assert_allclose(
        NetworkCovariance.build("relu", sigma_w=math.sqrt(2))(Q),
        (np.sqrt(1 - Q**2) + Q * (math.pi - np.arccos(Q))) / math.pi,
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        NetworkCovariance.build("erf", sigma_w=sw)(Q),
        2 / math.pi * np.arcsin(2 * sw**2 * Q / (1 + 2 * sw**2)),
        rtol=1e-13,
    )


def test_a_kink_makes_the_curvature_diverge_at_one_and_only_there():
    jet = NetworkCovariance.build("relu", depth=2, sigma_w=math.sqrt(2)).derivatives(np.array([0.0, 0.99, 1.0]), 2)
    assert np.all(np.isfinite(jet[:, :2]))
    assert np.isinf(jet[2, 2])
    np.testing.assert_allclose(jet[:2, 2], 1.0, rtol=1e-12)


def test_an_even_activation_has_no_field():
    absolute = NetworkCovariance.build("leaky_relu", activation_params={"negative_slope": -1.0})
    assert absolute.derivatives(0.0, 1)[1] == 0
    square = Activation("bump", lambda h: torch.exp(-h * h), lambda h, a: -2 * h * a, bound=1.0)
    assert hermite_dual(square, 0.4)[0](np.array(0.0), 1)[1] == 0


def test_what_the_series_cannot_resolve_is_refused():
    kink = Activation("clip", lambda h: torch.clamp(h, -1, 1), lambda h, a: (h.abs() < 1).double(), bound=1.0)
    with pytest.raises(QuadratureError, match=r"'clip' at pre-activation variance 1: .*smaller sigma_w") as caught:
        dual_activation(kink, 1.0)
    assert caught.value.error > 1e-12
    with pytest.raises(QuadratureError, match="variance 225"):
        NetworkCovariance.build("tanh", sigma_w=15.0)


def test_bad_networks_are_refused_with_every_problem():
    with pytest.raises(ConfigError, match=r"(?s)sigma_w.*sigma_b"):
        NetworkCovariance.build("tanh", depth=2, sigma_w=[1.0], sigma_b=[0.1, 0.1, 0.1])
