"""The flow at infinite depth: closed forms, the approach of finite depths with its order, identities, broken twins."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from mcmc.errors import ConfigError, ConvergenceError, UsageError
from mcmc.theory.linear import solve_linear
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.rs import solve_rs
from mcmc.theory.shaped import flow
from mcmc.theory.shaped.flow import conserved, flow_velocity, solve_flow
from mcmc.theory.shaped.model import ShapedModel

TANH = ShapedModel("shaped_tanh", 1.0)
RELU = ShapedModel("shaped_relu", 0.7, {"c_plus": 0.6, "c_minus": -0.6})
DEPTHS = (4, 8, 16)
Q0 = 3  # place of q(0) among the observables
QUICK = Quadrature(max_refinements=0)


def observables(solution, tau):
    """(Phi, e, lambda, q(tau), r(tau)) of the limit."""
    return np.array(
        [
            solution.free_entropy_density,
            solution.energy_density,
            solution.replicon,
            *solution.overlap(tau),
            *solution.self_overlap(tau)[1:],
        ]
    )


def finite_observables(model, beta, depth, n_tau):
    saddle = solve_rs(model.at_depth(depth), beta, tol=1e-8, quadrature=QUICK)
    assert saddle.quadrature_error < 1e-7
    places = [round(depth * i / (n_tau - 1)) for i in range(n_tau)]
    q, r = np.array(saddle.overlap)[places], np.array(saddle.self_overlap)[places]
    return np.array([saddle.free_entropy_density, saddle.energy_density, saddle.pivots[-1], *q, *r[1:]])


def orders(distances):
    """Exponents p of distance ~ L^-p between neighbouring depths, of the last pair: (n,)."""
    return np.log2(np.abs(distances[-2]) / np.abs(distances[-1]))


@pytest.fixture(scope="module")
def finite():
    """{model: observables at each of DEPTHS} at beta = 2, tau = 0, 1/2, 1."""
    return {m.activation: [finite_observables(m, 2.0, depth, 3) for depth in DEPTHS] for m in (TANH, RELU)}


def assert_limit_of(sequence, limit):
    """The distance falls like 1/L; without its terms 1/L and 1/L^2 (Richardson's rule) little of it is left."""
    distances = np.array(sequence) - limit
    extrapolated = np.abs(8 * distances[-1] - 6 * distances[-2] + distances[-3]) / 3
    # q_0 of tanh hardly moves: its terms 1/L and 1/L^2 nearly cancel, and what is left, c_3/512, is held by its size
    assert extrapolated[Q0] < 0.1 / 512
    moving = np.arange(len(limit)) != Q0
    assert np.all(np.abs(orders(distances) - 1)[moving] < 0.25)
    assert np.all((extrapolated < 0.1 * np.abs(distances[-1]))[moving])


@pytest.mark.parametrize("model", [TANH, RELU], ids=lambda m: m.activation)
def test_finite_depths_approach_the_flow_like_one_over_depth(model, finite):
    limit = observables(solve_flow(model, 2.0), np.array([0.0, 0.5, 1.0]))
    assert_limit_of(finite[model.activation], limit)


@pytest.mark.parametrize("fault", ["no tilt", "no width", "half the drift"])
def test_a_wrong_flow_is_not_approached(fault, finite, monkeypatch):
    model = TANH
    true_velocity = flow.flow_velocity

    def wrong(model, y):
        velocity = true_velocity(model, y)
        if fault == "no tilt":
            velocity[3] = 0
        return velocity

    monkeypatch.setattr(flow, "flow_velocity", wrong)
    if fault == "no width":
        model = ShapedModel("shaped_tanh", math.inf)
    if fault == "half the drift":
        model = ShapedModel("shaped_tanh", 1.0, {"shape": math.sqrt(2)})
    limit = observables(solve_flow(model, 2.0), np.array([0.0, 0.5, 1.0]))
    with pytest.raises(AssertionError):
        assert_limit_of(finite["shaped_tanh"], limit)


def test_a_lopsided_relu_is_approached_like_one_over_the_square_root():
    """What is left is the kink of the activation at L itself, sqrt(L) (a_+ - a_-)/2, not yet its limit delta."""
    params, beta = {"c_plus": 0.0, "c_minus": -1.2}, 2.0
    model = ShapedModel("shaped_relu", 0.7, params)
    limit = solve_flow(model, beta).free_entropy_density
    distances, with_own_kink = [], []
    for depth in DEPTHS:
        network = model.at_depth(depth)
        negative, positive = network.activation.slopes
        kink = math.sqrt(depth) * (positive - negative) / 2
        own = ShapedModel("shaped_relu", 0.7, {"c_plus": kink, "c_minus": -kink})
        phi = solve_rs(network, beta, tol=1e-8, quadrature=QUICK).free_entropy_density
        distances.append(phi - limit)
        with_own_kink.append(phi - solve_flow(own, beta).free_entropy_density)
    assert orders(with_own_kink) == pytest.approx(1, abs=0.1)
    assert 0.2 < orders(distances) < 0.7
    # Phi_L - Phi = -(c_+ + c_-)/2 delta dPhi/d delta / sqrt(L) + O(1/L), from sqrt(L) (a_+ - a_-)/2 = delta (1 - ...)
    delta, h = 0.6, 1e-3
    above, below = (
        solve_flow(ShapedModel("shaped_relu", 0.7, {"c_plus": d, "c_minus": -d}), beta).free_entropy_density
        for d in (delta + h, delta - h)
    )
    slope = -0.5 * (params["c_plus"] + params["c_minus"]) * delta * (above - below) / (2 * h)
    scaled = [distance * math.sqrt(depth) for distance, depth in zip(distances, DEPTHS, strict=True)]
    root = math.sqrt(2)
    assert (root * scaled[-1] - scaled[-2]) / (root - 1) == pytest.approx(slope, rel=0.15)


@pytest.mark.parametrize("a", [0.3, 2.0, math.inf])
@pytest.mark.parametrize("beta", [0.0, 1.0, 30.0])
def test_linear_is_the_closed_form_at_any_depth(a, beta):
    solution = solve_flow(ShapedModel("linear", a), beta)
    exact = solve_linear(ShapedModel("linear", 1.0).at_depth(1), beta)
    tau = np.linspace(0, 1, 5)
    assert solution.free_entropy_density == pytest.approx(exact.free_entropy_density, abs=1e-8)
    assert solution.energy_density == pytest.approx(exact.energy_density, abs=1e-8)
    np.testing.assert_allclose(solution.overlap(tau), exact.overlap[0] * (1 + tau / a), atol=1e-8)
    assert solution.replicon == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("beta", [0.5, 4.0, 16.0])
@pytest.mark.parametrize("model", [TANH, RELU], ids=lambda m: m.activation)
def test_identities(model, beta):
    """The energy is the slope of Phi; h is conserved; the ends and the flow itself hold, by another integrator."""
    solution, h = solve_flow(model, beta), 1e-3 * beta
    above, below = (solve_flow(model, beta + d).free_entropy_density for d in (h, -h))
    assert (above - below) / (2 * h) == pytest.approx(-solution.energy_density, abs=1e-5)
    assert solution.conserved_error < 1e-8
    y = solution.path(np.linspace(0, 1, 9))
    q0, d0, s0, _ = y[:, 0]
    assert q0 + d0 == pytest.approx(1, abs=1e-10)
    assert q0 / (1 - q0) ** 2 == pytest.approx(s0, rel=1e-8)
    # shooting from the input is unstable at low temperature: half of the way is enough to hold the equations
    shot = solve_ivp(lambda _, y: flow_velocity(model, y), (0, 0.5), y[:, 0], method="DOP853", rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(shot.y[:, -1], y[:, 4], rtol=1e-5, atol=1e-7 * beta)
    assert np.ptp(conserved(model, shot.y)) < 1e-8 * (1 + beta**2)


def test_beta_zero():
    solution = solve_flow(ShapedModel("shaped_tanh", 0.5), 0.0)
    assert solution.energy_density == 0
    assert solution.free_entropy_density == pytest.approx(0, abs=1e-12)
    tau = np.linspace(0, 1, 5)
    np.testing.assert_allclose(solution.self_overlap(tau), 1 / (1 + 2 * tau), atol=1e-9)  # r' = -2 r^2


@pytest.mark.parametrize("beta", [-1.0, math.inf, math.nan])
def test_beta_out_of_range(beta):
    with pytest.raises(UsageError, match="beta >= 0"):
        solve_flow(TANH, beta)


@pytest.mark.parametrize("a", [0.0, -1.0, math.nan])
def test_width_out_of_range(a):
    with pytest.raises(ConfigError, match="width_per_depth"):
        ShapedModel("shaped_tanh", a)


def test_no_solution_names_beta_and_residual(monkeypatch):
    monkeypatch.setattr(flow, "MAX_NODES", 40)
    with pytest.raises(ConvergenceError, match="beta=8") as caught:
        solve_flow(TANH, 8.0)
    assert caught.value.residual > 1e-10
