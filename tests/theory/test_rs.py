"""The replica-symmetric saddle point: independent integration, limits, large beta, errors; a broken twin fails."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory import rs
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.rs import solve_rs
from mcmc.theory.rs_equations import sphere_overlap


def dense_free_entropy(phi, q, beta, sigma_w):
    """Phi_RS(q_0) of one hidden layer, alpha = 1, on plain dense grids of t, y and xi: shares no code with the solver.

    For L = 1, S_1 = R_1 = beta^2 and Phi = 1/2 [log(1-q) + q/(1-q)] + E_{t,y} log E_xi exp(beta y phi(h)).
    """
    t, y = np.linspace(-6, 6, 73), np.linspace(-6.5, 6.5, 261)
    weight_t, weight_y = np.exp(-t * t / 2), np.exp(-y * y / 2)
    weight_t, weight_y = weight_t / weight_t.sum(), weight_y / weight_y.sum()
    c = sigma_w * math.sqrt(1 - q)
    xi = np.linspace(-8, 8 + 7 * beta * c, 601)
    log_step = math.log((xi[1] - xi[0]) / math.sqrt(2 * math.pi))
    total = 0.0
    for t_i, weight in zip(t, weight_t, strict=True):
        activation = phi(sigma_w * math.sqrt(q) * t_i + c * xi)
        log_z = logsumexp(beta * y[:, None] * activation - xi**2 / 2, axis=1) + log_step
        total += weight * (weight_y @ log_z)
    return 0.5 * (math.log1p(-q) + q / (1 - q)) + total


@pytest.mark.parametrize(
    ("name", "phi", "sigma_w"),
    [("relu", lambda h: np.maximum(h, 0), math.sqrt(2)), ("tanh", np.tanh, 1.0)],
)
def test_stationary_point_of_an_independent_phi(name, phi, sigma_w):
    """Phi at the saddle point, and that Phi is stationary there, by dense integration at beta = 4."""
    beta, h = 4.0, 0.003
    saddle = solve_rs(TheoryModel.build(name, sigma_w=sigma_w), beta)
    q = saddle.overlap[0]
    below, here, above = (dense_free_entropy(phi, q + d, beta, sigma_w) for d in (-h, 0.0, h))
    assert here == pytest.approx(saddle.free_entropy_density, abs=2e-6)
    slope, curvature = (above - below) / (2 * h), (above - 2 * here + below) / h**2
    assert abs(slope / curvature) < 2e-4  # distance of q from the stationary point of the dense Phi


@pytest.mark.parametrize(
    ("name", "sigma_w", "bound"),
    [("tanh", 1.0, math.sqrt(2 / math.pi)), ("sin", 1.0, math.sqrt(2 / math.pi)), ("relu", math.sqrt(2), 1.0)],
)
def test_one_layer_up_to_beta_16(name, sigma_w, bound):
    """Converged, resolved, both energy routes agree and |e| stays below the readout's bound E|v| sup|phi| (1: relu)."""
    saddle = solve_rs(TheoryModel.build(name, sigma_w=sigma_w), 16.0)
    assert saddle.resolved
    assert saddle.residual <= 1e-10
    assert saddle.energy_density_readout == pytest.approx(saddle.energy_density, abs=1e-8)
    assert 0 < -saddle.energy_density < bound
    assert 0.8 < saddle.overlap[0] < 1


@pytest.mark.parametrize("sigma_b", [0.0, 0.5])
def test_beta_zero(sigma_b):
    """No energy scale: q_0 = 0 and Phi = e = 0; the layers overlap through their shared biases only."""
    model = TheoryModel.build("tanh", depth=2, sigma_w=1.3, sigma_b=sigma_b)
    saddle = solve_rs(model, 0.0)
    assert saddle.overlap[0] == 0
    assert saddle.energy_density == saddle.energy_density_readout == 0
    assert saddle.free_entropy_density == pytest.approx(0, abs=1e-12)
    assert saddle.stable
    assert saddle.pivots == pytest.approx((1.0, 1.0), abs=1e-12)
    z = np.linspace(-8, 8, 401)
    weights = np.exp(-z * z / 2)
    weights /= weights.sum()
    r1 = weights @ np.tanh(math.sqrt(1.3**2 + sigma_b**2) * z) ** 2
    q1 = weights @ (np.tanh(sigma_b * z[:, None] + 1.3 * z) @ weights) ** 2
    assert saddle.self_overlap[1] == pytest.approx(r1, abs=1e-8)
    assert saddle.overlap[1] == pytest.approx(q1, abs=1e-8)
    assert (saddle.overlap[1] > 0.01) == (sigma_b > 0)


def test_high_temperature_series():
    """Phi = beta^2/2 (r - q) at beta -> 0 with r = E tanh(sigma_w z)^2, up to beta^4."""
    z = np.linspace(-8, 8, 401)
    weights = np.exp(-z * z / 2)
    r = (weights / weights.sum()) @ np.tanh(z) ** 2
    beta = 0.01
    saddle = solve_rs(TheoryModel.build("tanh"), beta)
    assert saddle.free_entropy_density == pytest.approx(beta**2 / 2 * r, rel=1e-3)
    assert saddle.energy_density == pytest.approx(-beta * r, rel=1e-3)


def test_the_solution_does_not_depend_on_where_it_is_started():
    model = TheoryModel.build("sin", depth=2, sigma_w=(1.2, 0.9), width_ratios=(0.8, 1.7))
    from_zero = solve_rs(model, 3.0)
    from_below = solve_rs(model, 3.0, initial=solve_rs(model, 0.3))
    from_above = solve_rs(model, 3.0, initial=solve_rs(model, 5.0))
    for other in (from_below, from_above):
        assert other.overlap == pytest.approx(from_zero.overlap, abs=1e-8)
        assert other.free_entropy_density == pytest.approx(from_zero.free_entropy_density, abs=1e-8)


def test_biases_of_a_linear_layer():
    """phi = id, one layer: the bias adds v.b sigma_b to the energy of every x, which moves neither Phi, e nor q_0."""
    plain = solve_rs(TheoryModel.build("linear", sigma_w=1.2), 2.0)
    biased = solve_rs(TheoryModel.build("linear", sigma_w=1.2, sigma_b=0.7), 2.0)
    assert biased.free_entropy_density == pytest.approx(plain.free_entropy_density, abs=2e-8)
    assert biased.energy_density == pytest.approx(plain.energy_density, abs=2e-8)
    assert biased.overlap[0] == pytest.approx(plain.overlap[0], abs=2e-8)
    # <phi> = omega + c^2 u: the layer overlap gains the variance of the bias
    assert biased.overlap[1] == pytest.approx(plain.overlap[1] + 0.7**2, abs=2e-8)


def assert_energy_is_the_slope_of_phi(model, beta):
    """dPhi/dbeta = -e: holds only where Phi is stationary in every order parameter."""
    h = 2e-3
    quick = Quadrature(max_refinements=0)
    above, below = (solve_rs(model, beta + d, quadrature=quick).free_entropy_density for d in (h, -h))
    saddle = solve_rs(model, beta, quadrature=quick)
    assert (above - below) / (2 * h) == pytest.approx(-saddle.energy_density, abs=1e-5)


def test_a_sign_error_in_the_saddle_equations_is_caught(monkeypatch):
    """A twin with R - S of the wrong sign converges, and fails the identity that the true equations satisfy."""
    model = TheoryModel.build("sin", depth=2)
    assert_energy_is_the_slope_of_phi(model, 2.0)
    true_update = rs.updated_unknowns

    def broken_update(model, result):
        x = true_update(model, result)
        x[2::2] *= -1
        return x

    monkeypatch.setattr(rs, "updated_unknowns", broken_update)
    with pytest.raises(AssertionError):
        assert_energy_is_the_slope_of_phi(model, 2.0)


@pytest.mark.parametrize("beta", [-1.0, math.inf, math.nan])
def test_beta_out_of_range(beta):
    with pytest.raises(UsageError, match="beta >= 0"):
        solve_rs(TheoryModel.build("tanh"), beta)


def test_initial_of_another_depth():
    with pytest.raises(UsageError, match="hidden layers"):
        solve_rs(TheoryModel.build("tanh", depth=2), 1.0, initial=solve_rs(TheoryModel.build("tanh"), 1.0))


def test_not_converged_carries_its_numbers():
    with pytest.raises(ConvergenceError, match="after 3 iterations") as caught:
        solve_rs(TheoryModel.build("tanh", depth=2), 4.0, max_iter=3)
    error = caught.value
    assert error.n_iter == 3
    assert error.residual > error.tol > 0
    assert 0 < error.beta <= 4


def test_a_diverging_average_names_beta_and_layer():
    """relu with a tilt of the hidden layer beyond 1/c^2, handed to the solver as its starting point."""
    model = TheoryModel.build("relu", depth=2, sigma_w=math.sqrt(2))
    good = solve_rs(model, 1.0)
    fields = {**vars(good), "conjugate_self_overlap": (5.0, good.conjugate_self_overlap[1])}
    with pytest.raises(QuadratureError, match="layer 1") as caught:
        solve_rs(model, 1.0, initial=type(good)(**fields))
    assert caught.value.beta == 1.0
    assert caught.value.layer == 1
    assert caught.value.positivity < 0


def test_sphere_overlap_at_both_ends():
    for q in (1e-14, 1e-3, 0.5, 1 - 1e-6):
        assert sphere_overlap(q / (1 - q) ** 2) == pytest.approx(q, rel=1e-12)
    assert sphere_overlap(0.0) == 0
