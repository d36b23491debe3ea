"""The one-layer recursion against nested quadratures that share nothing with it, away from the saddle point."""

import math

import numpy as np
import pytest

from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb.equations import Unknowns, breaking_derivatives, forward_pass, free_entropy, updated_unknowns
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.sphere import sphere_overlaps
from tests.theory.rsb import nested

PHIS = {"sin": np.sin, "tanh": np.tanh, "relu": lambda h: np.maximum(h, 0)}
CASES = [("sin", 2.0, 3.0, 2.0), ("tanh", 1.0, 4.0, 0.5), ("relu", math.sqrt(2), 2.0, 1.0)]
Q, X = (0.25, 0.6), 0.45
FINE = RsbGrid(resolution=7.0).refined()


def passed(name, sigma_w, beta, alpha, q=Q, x=X):
    model = TheoryModel.build(name, sigma_w=sigma_w, width_ratios=alpha)
    return model, forward_pass(model, beta, Unknowns(q, ()), (x,), FINE, second=True)


@pytest.mark.parametrize(("name", "sigma_w", "beta", "alpha"), CASES)
def test_phi_agrees_with_nested_quadrature(name, sigma_w, beta, alpha):
    model, result = passed(name, sigma_w, beta, alpha)
    # at the kink a trapezoid in xi converges only with the square of its step; a field u moves xi to u c
    kinked = name == "relu"
    nodes = {"n": (61, 29, 61, 2001), "cutoffs": (7, 8, 14, 22)} if kinked else {}
    direct = nested.free_entropy(PHIS[name], beta, alpha=alpha, sigma_w=sigma_w, q=Q, x=X, **nodes)
    assert free_entropy(model, result) == pytest.approx(direct, abs=2e-5 if kinked else 2e-7)


def test_a_tilt_with_the_wrong_breaking_point_fails_the_same_comparison():
    model, result = passed(*CASES[0], x=X + 0.01)
    direct = nested.free_entropy(np.sin, 3.0, alpha=2.0, sigma_w=2.0, q=Q, x=X)
    assert free_entropy(model, result) != pytest.approx(direct, abs=2e-5)


def test_derivatives_of_phi_by_finite_differences_of_nested_quadrature():
    name, sigma_w, beta, alpha = CASES[0]
    model, result = passed(name, sigma_w, beta, alpha)

    def phi(q=Q, x=X, b=beta):
        return nested.free_entropy(np.sin, b, alpha=alpha, sigma_w=sigma_w, q=q, x=x)

    step = 1e-4
    dx = (phi(x=X + step) - phi(x=X - step)) / (2 * step)
    assert breaking_derivatives(model, result)[0] == pytest.approx(dx, abs=2e-7)
    # d Phi/dq[i] = 1/2 (x_{i+1} - x_i) (M_i of the sphere - M_i of the layer): the layer's M_i from the difference
    fields = [alpha * sigma_w**2 * value for value in result.layers[0].d_omega_squared]
    d1, d0 = 1 - Q[1], 1 - Q[1] + X * (Q[1] - Q[0])
    sphere = [Q[0] / d0**2, Q[0] / d0**2 + (1 / d1 - 1 / d0) / X]
    for i, weight in enumerate((X, 1 - X)):
        up, down = list(Q), list(Q)
        up[i] += step
        down[i] -= step
        dq = (phi(q=up) - phi(q=down)) / (2 * step)
        assert 0.5 * weight * (sphere[i] - fields[i]) == pytest.approx(dq, abs=1e-6)
    assert updated_unknowns(model, result).overlap == sphere_overlaps(tuple(fields), (X,))
    # d Phi/d beta = beta (r_L - sum w q_L) at fixed order parameters of the input
    de = (phi(b=beta + step) - phi(b=beta - step)) / (2 * step)
    weights = np.array([X, 1 - X])
    assert beta * float(weights @ (result.self_overlap[1] - np.array(result.overlap[1]))) == pytest.approx(de, abs=1e-6)


def test_second_derivatives_of_an_outer_level_by_finite_differences():
    # E_{P_0} (d_omega^2 g_0)^2 with q_0 -> 0 is a function of the mean input alone: shift it with a bias instead
    _, result = passed("tanh", 1.0, 4.0, 0.5, q=(1e-12, 0.5))
    values = []
    xi, w = nested.gaussian(201)
    z, w_z = nested.gaussian(121)
    v, w_v = nested.gaussian(161)
    for shift in (-1e-3, 0.0, 1e-3):
        h = shift + math.sqrt(0.5) * (z[:, None] + xi)
        g = [math.log(w_z @ np.exp(X * np.log(np.exp(4 * a / math.sqrt(0.5) * np.tanh(h)) @ w))) / X for a in v]
        values.append(np.array(g))
    curvature = (values[0] - 2 * values[1] + values[2]) / 1e-6
    assert result.layers[0].d_omega2_squared[0] == pytest.approx(float(w_v @ curvature**2), rel=1e-5)
