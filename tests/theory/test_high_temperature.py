"""The expansion in beta against the saddle point, the linear network, infinite width and direct averages."""

import math

import numpy as np
import pytest

from mcmc.errors import QuadratureError, UsageError
from mcmc.theory import high_temperature as module
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.thermodynamics import high_temperature as field_expansion
from mcmc.theory.high_temperature import high_temperature, high_temperature_coefficients
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.rs import solve_rs

ROOT2 = math.sqrt(2)
MODELS = {
    "tanh": TheoryModel.build("tanh", sigma_w=1.5, width_ratios=0.6),
    "sin": TheoryModel.build("sin", sigma_w=1.5, width_ratios=0.7),
    "relu": TheoryModel.build("relu", sigma_w=ROOT2, width_ratios=1.7),
    "tanh, L=2": TheoryModel.build("tanh", depth=2, sigma_w=1.5, width_ratios=(2.0, 0.5)),
    "sin, L=2": TheoryModel.build("sin", depth=2, sigma_w=1.4, width_ratios=(0.7, 1.6)),
    "relu, L=2": TheoryModel.build("relu", depth=2, sigma_w=ROOT2, width_ratios=(1.7, 0.6)),
    "sin, L=3, biases": TheoryModel.build("sin", depth=3, sigma_w=1.4, sigma_b=0.5, width_ratios=(0.7, 1.6, 2.0)),
}


def residuals(model, coefficients, betas):
    """Phi of the saddle point minus the expansion."""
    a2, a4 = coefficients
    rule = Quadrature(tol=1e-13)
    phi = [solve_rs(model, b, tol=1e-13, quadrature=rule).free_entropy_density for b in betas]
    return np.array([p - a2 * b**2 - a4 * b**4 for p, b in zip(phi, betas, strict=True)])


def slope(model, coefficients):
    unit = math.sqrt(2 * coefficients[0])
    betas = np.array([0.06, 0.09]) / unit
    left = np.abs(residuals(model, coefficients, betas))
    assert np.all(left > 1e-10), "above the accuracy of the saddle point"
    return float(np.diff(np.log(left))[0] / np.diff(np.log(betas))[0])


@pytest.mark.parametrize("name", MODELS)
def test_what_is_left_of_phi_is_of_order_beta_6(name):
    coefficients, error = high_temperature_coefficients(MODELS[name])
    assert error < 1e-11
    assert slope(MODELS[name], coefficients) == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("name", ["sin", "relu, L=2"])
def test_a_fourth_coefficient_off_by_one_percent_fails_the_same_test(name):
    (a2, a4), _ = high_temperature_coefficients(MODELS[name])
    assert slope(MODELS[name], (a2, 1.01 * a4)) != pytest.approx(6, abs=0.5)


def test_linear_network_in_closed_form():
    """Phi = 1/2 log(1 - m^2) + b m, m/(1 - m^2) = b = beta s: b^2/2 - b^4/4 at any width ratios."""
    model = TheoryModel.build("linear", depth=3, sigma_w=(1.3, 0.8, 1.1), width_ratios=(2.0, 0.5, 3.0))
    s2 = (1.3 * 0.8 * 1.1) ** 2
    (a2, a4), _ = high_temperature_coefficients(model)
    assert a2 == pytest.approx(s2 / 2, rel=1e-12)
    assert a4 == pytest.approx(-(s2**2) / 4, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [("tanh", {"sigma_w": 1.5}), ("relu", {"sigma_w": ROOT2, "sigma_b": 0.3}), ("sin", {"sigma_w": 1.2})],
)
def test_wide_layers_give_the_expansion_of_the_gaussian_field(name, options):
    """a_2 does not know the widths; a_4 differs from the field's by exactly 1/alpha."""
    beta = 0.3
    field = field_expansion(NetworkCovariance.build(name, depth=2, **options), beta)
    finite = [
        high_temperature(TheoryModel.build(name, depth=2, width_ratios=alpha, **options), beta) for alpha in (1e3, 2e3)
    ]
    differences = [h.free_entropy_density - field.free_entropy_density for h in finite]
    assert 1e-9 < abs(differences[0]) < 1e-4
    assert differences[0] / differences[1] == pytest.approx(2, rel=1e-4)
    assert finite[1].energy_density == pytest.approx(field.energy_density, abs=1e-4)


def test_one_layer_by_direct_averages():
    """L = 1 without biases: a_2 = E phi^2 / 2 - m^2/2, and a_4 from the cumulants of phi and E phi'."""
    z = np.linspace(-12, 12, 20001)
    w = np.exp(-z * z / 2)
    w /= w.sum()
    h = 1.5 * z
    phi, dphi = np.tanh(h), 1 / np.cosh(h) ** 2
    moments = [w @ phi**n for n in (2, 4)]
    wanted = ((moments[1] - 3 * moments[0] ** 2) / 0.6 - 2 * (1.5**2 * (w @ dphi) ** 2) ** 2) / 8
    (a2, a4), _ = high_temperature_coefficients(MODELS["tanh"])
    assert a2 == pytest.approx(moments[0] / 2, rel=1e-10)
    assert a4 == pytest.approx(wanted, rel=1e-9)


def test_energy_and_entropy_are_those_of_the_same_series():
    h, up, down = (high_temperature(MODELS["sin"], 0.3 + d) for d in (0.0, 1e-4, -1e-4))
    assert h.energy_density == pytest.approx((down.free_entropy_density - up.free_entropy_density) / 2e-4, rel=1e-6)
    assert h.entropy_density == pytest.approx(h.free_entropy_density + 0.3 * h.energy_density, rel=1e-12)


def test_errors(monkeypatch):
    with pytest.raises(UsageError, match="beta >= 0, found -1"):
        high_temperature(MODELS["sin"], -1.0)
    monkeypatch.setattr(module, "MAX_HALVINGS", 0)
    with pytest.raises(QuadratureError, match="coefficients still change"):
        high_temperature(MODELS["sin"], 0.1)
