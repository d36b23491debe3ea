"""The ground state: closed form, the zero-temperature problem solved directly, infinite width, bounds, errors."""

import math
from functools import cache

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.gaussian_field import ground_state as field
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb import ground_state as module
from mcmc.theory.rsb.ground_state import ground_state
from mcmc.theory.rsb.thermodynamics import energy_bound

ROOT2 = math.sqrt(2)


@cache
def symmetric_state(name, sigma_w):
    return ground_state(TheoryModel.build(name, sigma_w=sigma_w), ansatz="rs")


def gaussian(n_nodes):
    z = np.linspace(-7, 7, n_nodes)
    w = np.exp(-z * z / 2)
    return z, w / w.sum()


def minimised(maxima, alpha, guess):
    """-e_0 = min over chi of 1/(2 chi) + alpha E max_h [ v phi(h)/sqrt(alpha) - (h - sigma_w t)^2/(2 sigma_w^2 chi) ].

    Phi_RS/beta of one layer at beta -> infinity, with 1 - q_0 = chi/beta.
    """
    found = minimize_scalar(
        lambda log_chi: 0.5 * math.exp(-log_chi) + alpha * maxima(math.exp(log_chi)),
        bounds=(math.log(guess) - 0.3, math.log(guess) + 0.3),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return -float(found.fun), math.exp(found.x)


def relu_maxima(alpha, sigma_w):
    (t, w), (v, _) = gaussian(301), gaussian(301)
    omega, u = sigma_w * t[:, None], v[None, :] / math.sqrt(alpha)

    def mean(chi):
        c2 = sigma_w**2 * chi
        right = np.where(omega + u * c2 > 0, u * omega + u * u * c2 / 2, -(omega**2) / (2 * c2))
        return float(w @ np.maximum(right, -(np.maximum(omega, 0) ** 2) / (2 * c2)) @ w)

    return mean


def smooth_maxima(phi, sigma_w):
    (t, w_t), (v, w_v) = gaussian(101), gaussian(201)
    h = np.linspace(-12, 12, 601)
    drive = v[:, None] * phi(h)

    def mean(chi):
        total = 0.0
        for t_i, w_i in zip(t[50:], w_t[50:] * np.where(t[50:] > 1e-9, 2, 1), strict=True):  # odd phi: even in (t, v)
            total += w_i * float(w_v @ np.max(drive - (h - sigma_w * t_i) ** 2 / (2 * sigma_w**2 * chi), axis=1))
        return total

    return mean


def test_linear_network_in_closed_form():
    """e_0 = -sigma_w^L, chi = 1/sigma_w^L at any width ratios."""
    model = TheoryModel.build("linear", depth=2, sigma_w=1.3, width_ratios=(2.0, 0.5))
    state = ground_state(model, ansatz="rs")
    assert abs(state.energy_density + 1.69) <= state.energy_error < 1e-4
    assert state.susceptibility == pytest.approx(1 / 1.69, rel=1e-4)
    assert state.phase == "RS"


@pytest.mark.parametrize(
    ("name", "sigma_w", "maxima", "chi"),
    [
        ("relu", ROOT2, relu_maxima(1.0, ROOT2), 1.0),
        ("tanh", 1.0, smooth_maxima(np.tanh, 1.0), 2.6),
        ("sin", 1.0, smooth_maxima(np.sin, 1.0), 2.35),
    ],
)
def test_replica_symmetric_limit_by_the_zero_temperature_problem(name, sigma_w, maxima, chi):
    state = symmetric_state(name, sigma_w)
    e, susceptibility = minimised(maxima, 1.0, chi)
    # doubling the test's own grids moves e by 2e-5 at most
    assert abs(state.energy_density - e) <= state.energy_error < 6e-4
    assert state.susceptibility == pytest.approx(susceptibility, rel=3e-3)
    assert -energy_bound(TheoryModel.build(name, sigma_w=sigma_w)) < state.energy_density < 0


def test_a_coldest_energy_in_the_place_of_the_limit_fails_the_same_test():
    state = symmetric_state("relu", ROOT2)
    e, _ = minimised(relu_maxima(1.0, ROOT2), 1.0, 1.0)
    assert abs(state.evidence["energy_densities"][-1] - e) > 100 * state.energy_error


@pytest.mark.parametrize("name", ["tanh", "sin"])
def test_wide_layers_tend_to_the_gaussian_field(name):
    """RS at sigma_w = 0.7, where the field is RS down to T = 0; the difference is halved by doubling the widths."""
    exact = field.ground_state(NetworkCovariance.build(name, sigma_w=0.7))
    assert exact.phase == "RS"
    states = [
        ground_state(TheoryModel.build(name, sigma_w=0.7, width_ratios=alpha), ansatz="rs") for alpha in (10.0, 1e3)
    ]
    differences = [s.energy_density - exact.energy_density for s in states]
    assert abs(differences[1]) <= states[1].energy_error + 1e-2 * 1.2 * abs(differences[0])
    assert abs(differences[0]) > 3 * abs(differences[1])


def test_one_step_of_a_discontinuous_transition():
    model = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
    state = ground_state(model)
    assert state.phase == "1RSB"
    assert state.energy_density == pytest.approx(-1.19462, abs=2e-4)
    symmetric = ground_state(model, ansatz="rs")
    # fewer steps are a lower bound
    assert symmetric.energy_density < state.energy_density - 0.01
    # beta x and beta (1 - q_EA) stay finite
    assert state.scaled_breaking[0] == pytest.approx(1.71, abs=0.01)
    assert state.susceptibility == pytest.approx(0.340, abs=0.002)


def test_the_bound_of_sin_is_that_of_its_readout():
    assert energy_bound(TheoryModel.build("sin", width_ratios=4.0)) == pytest.approx(2 * math.sqrt(2 / math.pi))
    assert energy_bound(TheoryModel.build("linear", sigma_w=0.5)) == pytest.approx(1.0)


def test_failures_are_named(monkeypatch):
    with pytest.raises(UsageError, match="unknown ansatz 'rsb'"):
        ground_state(TheoryModel.build("sin"), ansatz="rsb")

    def fails(model, beta, **options):
        raise ConvergenceError(f"residual 1.0e-02 at beta={beta:g}.", beta=beta, residual=1e-2)

    monkeypatch.setattr(module, "solve_rs", fails)
    with pytest.raises(
        ConvergenceError, match=r"only 0 of the 3 temperatures.*residual 1.0e-02 at beta=3.*Use"
    ) as caught:
        ground_state(TheoryModel.build("sin"), ansatz="rs")
    assert caught.value.residual == 1e-2
