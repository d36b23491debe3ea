"""Two inputs: maps, Jacobians and noises of the matrix Sigma against closed forms and differences."""

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.gaussian_field.dual_activation import dual_activation
from mcmc.theory.layers.fluctuations import layer_covariance
from mcmc.theory.layers.several import angle_slope, pair_step, pair_theory
from tests.theory.layers.cases import theory_of

FIRST = np.array([0.9, -0.3, 0.5])


def test_linear_noise_is_wishart():
    """N Cov(Sigma_ab, Sigma_cd) = sigma_w^4 (S_ac S_bd + S_ad S_bc)."""
    theory = theory_of("linear", 0.8, 0.1)
    mean, jacobian, noise = pair_step(theory, FIRST)
    assert mean == pytest.approx(0.1 + 0.8 * FIRST)
    assert jacobian == pytest.approx(0.8 * np.eye(3), abs=1e-11)
    aa, ab, bb = FIRST
    wishart = [[2 * aa**2, 2 * aa * ab, 2 * ab**2], [2 * aa * ab, aa * bb + ab**2, 2 * ab * bb]]
    wishart.append([2 * ab**2, 2 * ab * bb, 2 * bb**2])
    assert noise == pytest.approx(0.64 * np.array(wishart), rel=1e-11)


@pytest.mark.parametrize("name", ["relu", "tanh", "sin", "erf"])
def test_jacobian_by_differences(name):
    theory, h = theory_of(name, 1.4, 0.1), 1e-5
    _, jacobian, _ = pair_step(theory, FIRST)
    for i in range(3):
        step = h * np.eye(3)[i]
        column = (pair_step(theory, FIRST + step)[0] - pair_step(theory, FIRST - step)[0]) / (2 * h)
        assert jacobian[:, i] == pytest.approx(column, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_each_input_alone_is_the_theory_of_one(name):
    theory = theory_of(name, 1.4, 0.1)
    pair = pair_theory(theory, FIRST, 8)
    assert pair.mean[:, 2] == pytest.approx(theory.variances(FIRST[2], 8), rel=1e-10)
    assert pair.covariance[:, :, 0, 0] == pytest.approx(layer_covariance(theory, FIRST[0], 8), rel=1e-9, abs=1e-14)
    assert pair.covariance == pytest.approx(pair.covariance.transpose(1, 0, 3, 2), abs=1e-14)


def test_angle_slope_is_the_slope_of_the_correlation_map():
    """At c -> 1 with the variance at its fixed point; and the edge of chaos of tanh without bias is sigma_w = 1."""
    theory = theory_of("tanh", 1.5, 0.05)
    s = theory.fixed_point
    h = 1e-5
    below = pair_step(theory, np.array([s, s * (1 - h), s]))[0]
    assert (1 - below[1] / s) / h == pytest.approx(angle_slope(theory, s), rel=1e-4)
    assert angle_slope(theory_of("tanh", 1.0, 0.0), 1e-9) == pytest.approx(1, abs=1e-6)
    dual, _ = dual_activation(theory.activation, s)
    assert angle_slope(theory, s) == pytest.approx(1.5 * dual(np.array(s), 1)[1], rel=1e-11)


def test_linear_correlation_keeps_its_spread_formula():
    """Var c of two N-vectors, (1 - c^2)^2/N, after one layer of a linear network without bias."""
    pair = pair_theory(theory_of("linear", 1.0, 0.0), FIRST, 3)
    c = pair.correlation[0]
    assert pair.correlation_covariance[1, 1] == pytest.approx((1 - c**2) ** 2, rel=1e-10)
    assert pair.correlation_covariance[2, 2] == pytest.approx(2 * (1 - c**2) ** 2, rel=1e-10)


@pytest.mark.parametrize("first", [(1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (0.0, 0.0, 1.0)])
def test_degenerate_pairs_are_refused(first):
    with pytest.raises(UsageError, match="two different inputs"):
        pair_theory(theory_of("tanh", 1.5, 0.05), np.array(first), 3)
