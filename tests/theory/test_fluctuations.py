"""N_0 Var(q^l) against laws that are known exactly, without replicas."""

import math

import numpy as np
import pytest
import torch
from scipy.special import roots_genlaguerre

from mcmc.errors import ConvergenceError
from mcmc.theory import fluctuations
from mcmc.theory.fluctuations import overlap_fluctuations
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs


def von_mises_fisher_limit(model, beta):
    """Thermal and disorder part of N_0 Var(q^0) for phi = id.

    Given |g| the two replicas have independent magnetisations m_i along g, Var m = (1-m^2)^2/(1+m^2)/N_0, and
    perpendicular parts of overlap variance (1-q)^2/N_0; q = m^2. Then ln |g|^2 has variance 2 (1 + sum_l 1/alpha_l)/N_0
    (|g|^2 is a product of L + 1 independent chi^2) and dq/dln|g|^2 = q (1-q)/(1+q).
    """
    s = beta * math.prod(model.sigma_w)
    m = 2 * s / (1 + math.sqrt(1 + 4 * s * s))
    q = m * m
    thermal = (1 - q) ** 2 * (1 + 2 * q / (1 + q))
    disorder = 2 * (1 + sum(1 / alpha for alpha in model.width_ratios)) * (q * (1 - q) / (1 + q)) ** 2
    return thermal, disorder


LINEAR = [
    TheoryModel.build("linear"),
    TheoryModel.build("linear", width_ratios=2.0, sigma_w=1.3),
    TheoryModel.build("linear", depth=2, width_ratios=(0.5, 3.0), sigma_w=(1.2, 0.7)),
    TheoryModel.build("linear", depth=3, width_ratios=(0.5, 3.0, 1.5), sigma_w=(1.2, 0.7, 1.1)),
]


def assert_von_mises_fisher(model, beta):
    computed = overlap_fluctuations(model, solve_rs(model, beta))
    thermal, disorder = von_mises_fisher_limit(model, beta)
    assert computed.thermal[0] == pytest.approx(thermal, abs=1e-7)
    assert computed.disorder[0] == pytest.approx(disorder, abs=1e-7)
    assert computed.total[0] == pytest.approx(thermal + disorder, abs=1e-7)
    assert computed.quadrature_error < 1e-6


@pytest.mark.parametrize("beta", [0.0, 0.8, 3.0])
@pytest.mark.parametrize("model", LINEAR, ids=("L1", "L1-wide", "L2", "L3"))
def test_linear_networks(model, beta):
    assert_von_mises_fisher(model, beta)


def finite_variance(n0, alpha, sigma_w, beta):
    """N_0 Var(q^0) of a linear network of one layer at finite N_0, to quadrature accuracy.

    |g|^2 = sigma_w^2 (chi^2_{N_1}/N_1) chi^2_{N_0} exactly; given kappa = beta sqrt(N_0) |g| the cosine t of x with g
    has density exp(kappa t) (1-t^2)^{(N_0-3)/2}, so that E[q] = E[t]^2, E[q^2] = E[t^2]^2 + (1 - E[t^2])^2/(N_0 - 1).
    """
    n1 = int(alpha * n0)
    t = np.tanh(np.linspace(-6, 6, 20001))
    q = q_squared = 0.0
    (x1, w1), (x0, w0) = (roots_genlaguerre(12, n / 2 - 1) for n in (n1, n0))
    for a, weight_a in zip(2 * x1 / n1, w1 / w1.sum(), strict=True):
        for b, weight_b in zip(2 * x0 / n0, w0 / w0.sum(), strict=True):
            kappa = beta * n0 * sigma_w * math.sqrt(a * b)
            log_density = kappa * t + (n0 - 1) / 2 * np.log1p(-t * t)  # one power more: dt = (1 - t^2) ds
            density = np.exp(log_density - log_density.max())
            density /= density.sum()
            first, second = density @ t, density @ t**2
            q += weight_a * weight_b * first**2
            q_squared += weight_a * weight_b * (second**2 + (1 - second) ** 2 / (n0 - 1))
    return n0 * (q_squared - q**2)


def test_linear_network_at_finite_width():
    """Exact N_0 Var(q) at N_0 = 50 and 100, extrapolated in 1/N_0, meets the prediction; the single sizes do not."""
    alpha, sigma_w, beta = 2.0, 1.3, 1.0
    model = TheoryModel.build("linear", width_ratios=alpha, sigma_w=sigma_w)
    predicted = overlap_fluctuations(model, solve_rs(model, beta)).total[0]
    small, large = (finite_variance(n0, alpha, sigma_w, beta) for n0 in (50, 100))
    assert 2 * large - small == pytest.approx(predicted, abs=2e-3)
    assert abs(large - predicted) > 2e-3


def layer_recursion_at_beta_zero(model, n_nodes=80, h=1e-3):
    """N_0 Var(q^l) for uniform x, x' by propagating the covariance of (q, r, r') from layer to layer.

    Given the layer below, the neurons are independent: (q, r, r')^l has the mean K(q, r, r') of the dual activation and
    covariance Cov(phi phi', phi^2, phi'^2)/N_l. The Jacobian of K is taken by central differences.
    """
    z, w = np.polynomial.hermite_e.hermegauss(n_nodes)
    w2 = np.outer(w, w) / w.sum() ** 2

    def phi(h):
        return model.activation.phi(torch.from_numpy(h)).numpy()

    def kernel(state, layer):
        sw2, sb2 = model.weight_variance(layer), model.bias_variance(layer)
        s_12, s_11, s_22 = sw2 * state + sb2
        first = math.sqrt(s_11) * z[:, None] + 0 * z
        second = s_12 / math.sqrt(s_11) * z[:, None] + math.sqrt(s_22 - s_12**2 / s_11) * z
        a, b = phi(first), phi(second)
        values = np.stack([a * b, a * a, b * b])
        mean = (values * w2).sum((1, 2))
        centred = values - mean[:, None, None]
        return mean, np.einsum("iab,jab,ab->ij", centred, centred, w2)

    state, covariance = np.array([0.0, 1.0, 1.0]), np.diag([1.0, 0.0, 0.0])
    variances = [1.0]
    for layer in range(1, model.depth + 1):
        mean, noise = kernel(state, layer)
        jacobian = np.stack(
            [(kernel(state + d, layer)[0] - kernel(state - d, layer)[0]) / (2 * h) for d in h * np.eye(3)], axis=1
        )
        covariance = jacobian @ covariance @ jacobian.T + noise / model.alpha(layer)
        state = mean
        variances.append(covariance[0, 0])
    return variances


@pytest.mark.parametrize(
    "model",
    [
        TheoryModel.build("tanh", width_ratios=0.7),
        TheoryModel.build(
            "erf", depth=3, width_ratios=(0.7, 2.0, 1.1), sigma_w=(1.4, 0.9, 1.2), sigma_b=(0.0, 0.4, 0.3)
        ),
        TheoryModel.build("sin", depth=2, width_ratios=(2.0, 0.5), sigma_w=1.3, sigma_b=0.6),
    ],
    ids=lambda m: f"{m.activation.name}-L{m.depth}",
)
def test_layer_overlaps_of_the_uniform_measure(model):
    """beta = 0, every layer, with biases: the diagonal order parameters take part, and their coupling is tested."""
    computed = overlap_fluctuations(model, solve_rs(model, 0.0))
    assert computed.total == pytest.approx(layer_recursion_at_beta_zero(model), rel=1e-5)
    assert computed.total[0] == pytest.approx(1, abs=1e-12)


def test_total_is_thermal_plus_disorder_and_both_are_positive():
    model = TheoryModel.build("relu", depth=2, sigma_w=math.sqrt(2), width_ratios=(0.8, 1.3))
    computed = overlap_fluctuations(model, solve_rs(model, 0.7))
    for total, thermal, disorder in zip(computed.total, computed.thermal, computed.disorder, strict=True):
        assert total == pytest.approx(thermal + disorder, rel=1e-12)
        assert thermal > 0
        assert disorder > 0


def test_a_wrong_sector_is_caught(monkeypatch):
    """A twin that forgets the O(n) difference of the longitudinal and the anomalous sector."""
    zero = property(lambda self: np.zeros_like(self.anomalous))
    monkeypatch.setattr(fluctuations._Hessian, "longitudinal_minus_anomalous", zero)
    with pytest.raises(AssertionError):
        assert_von_mises_fisher(LINEAR[0], 0.8)


def test_simulated_widths():
    """Numbers of a simulation done once: HMC on the sphere, 600 (400) networks of N_0 = 64 with 4 replicas each.

    Standard errors over networks; the finite-size correction at N_0 = 64 is below them.
    """
    for model, beta, thermal, total in (
        (TheoryModel.build("tanh"), 1.0, ((0.8580, 0.0016), (0.24656, 0.00067)), ((0.9058, 0.0030), (0.2891, 0.0025))),
        (
            TheoryModel.build("tanh", depth=2),
            2.0,
            ((0.7694, 0.0024), (0.1955, 0.0011), (0.09505, 0.00071)),
            ((0.8319, 0.0052), (0.2390, 0.0034), (0.1404, 0.0030)),
        ),
    ):
        computed = overlap_fluctuations(model, solve_rs(model, beta))
        for predicted, measured in ((computed.thermal, thermal), (computed.total, total)):
            for value, (mean, error) in zip(predicted, measured, strict=True):
                assert abs(value - mean) < 3 * error


def test_unstable_saddle_point_is_refused():
    model = TheoryModel.build("sin")
    with pytest.raises(ConvergenceError, match="unstable") as caught:
        overlap_fluctuations(model, solve_rs(model, 8.0))
    assert min(caught.value.pivots) < 0
