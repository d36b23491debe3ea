"""Gaussian smoothing in the logarithm: against dense quadrature, its adjoint, and its limits."""

import math

import numpy as np
import pytest
import torch

from mcmc.theory.rsb.smoothing import Axis, Smoother, gaussian_taps, initial_measure, positive_taps

STEEP = 6.0  # log cosh(STEEP w): singular at a distance of pi/(2 STEEP)
STEP = math.pi / (2 * STEEP) / 5
OPEN = Axis.symmetric(6.0, STEP)
RATIOS = [0.1, 0.5, 1.0, 1.59, 1.61, 3.0, 8.0]


def wall(w):
    """A lopsided log cosh: slopes STEEP - 2 and STEEP + 2."""
    return np.logaddexp(STEEP * w, -STEEP * w) + 2 * w


def dense_average(function, at, std):
    z = np.linspace(-12, 12, 6001)
    exponent = function(at[:, None] + std * z) - 0.5 * z**2
    top = exponent.max(1, keepdims=True)
    weight = np.exp(exponent - top)
    log_mean = top[:, 0] + np.log(weight.sum(1) * (z[1] - z[0]) / math.sqrt(2 * math.pi))
    tilted = (weight * np.sin(at[:, None] + std * z)).sum(1) / weight.sum(1)
    return log_mean, tilted


def smoothed(std, x=0.7, axis=OPEN):
    w = axis.nodes
    exponent = torch.from_numpy(x * wall(w.numpy()))[None]
    upper, (mean,) = Smoother(axis, std).up(exponent, [torch.sin(w)[None]])
    return upper[0].numpy(), mean[0].numpy()


@pytest.mark.parametrize("ratio", RATIOS)
def test_log_average_and_tilted_mean_agree_with_dense_quadrature(ratio):
    inside = np.abs(OPEN.nodes.numpy()) < 1.5
    log_mean, tilted = dense_average(lambda w: 0.7 * wall(w), OPEN.nodes.numpy()[inside], ratio * STEP)
    upper, mean = smoothed(ratio * STEP)
    np.testing.assert_allclose(upper[inside], log_mean, atol=3e-9)
    np.testing.assert_allclose(mean[inside], tilted, atol=3e-9)


def test_the_positive_three_point_rule_fails_the_same_comparison(monkeypatch):
    monkeypatch.setattr("mcmc.theory.rsb.smoothing.gaussian_taps", positive_taps)
    with pytest.raises(AssertionError):
        test_log_average_and_tilted_mean_agree_with_dense_quadrature(0.5)


@pytest.mark.parametrize("axis", [OPEN, Axis.circle(2 * math.pi, 0.05)], ids=["open", "circle"])
@pytest.mark.parametrize("ratio", [*RATIOS, 40.0])
def test_down_is_the_adjoint_of_up(axis, ratio):
    w = axis.nodes
    exponent = torch.stack([torch.sin(w + 0.3) * 8, torch.cos(w) * 2])
    field = torch.stack([torch.cos(w - 1), torch.sin(2 * w)])
    smoother = Smoother(axis, ratio * axis.step)
    upper, (mean,) = smoother.up(exponent, [field])
    measure = initial_measure(axis, 0.3).expand(2, -1)
    pushed = smoother.down(measure, upper, exponent)
    centred = slice(None) if axis.period else w.abs() < 6 - 10 * ratio * axis.step
    if axis.period or ratio < 20:
        torch.testing.assert_close((pushed * field).sum(1), (measure * mean).sum(1), atol=1e-9, rtol=0)
        torch.testing.assert_close(pushed.sum(1), torch.ones(2, dtype=torch.float64), atol=1e-9, rtol=0)
    assert bool(torch.isfinite(pushed[:, centred]).all())


def test_zero_width_is_the_identity_exactly():
    exponent, field = torch.randn(3, OPEN.n_nodes).double(), torch.randn(3, OPEN.n_nodes).double()
    upper, (mean,) = Smoother(OPEN, 0.0).up(exponent, [field])
    assert torch.equal(upper, exponent)
    assert torch.equal(mean, field)


@pytest.mark.parametrize("ratio", [0.01, 0.7, 1.5, 1.7, 20.0])
def test_taps_have_the_moments_of_a_gaussian(ratio):
    taps = gaussian_taps(ratio)
    m = torch.arange(len(taps), dtype=torch.float64) - len(taps) // 2
    moments = [float(taps @ (m / ratio) ** n) for n in (0, 1, 2, 4)]
    np.testing.assert_allclose(moments, [1, 0, 1, 3], atol=1e-9)


def test_exponents_that_range_over_more_than_float64_keep_their_relative_accuracy():
    axis = Axis.symmetric(100.0, 0.05)
    w = axis.nodes
    exponent = torch.logaddexp(10 * w, -10 * w)  # 700 more at the ends than at the centre, and beyond
    upper, _ = Smoother(axis, 0.2).up(exponent[None], [])
    far = (w > 5) & (w < 90)
    torch.testing.assert_close(upper[0][far], 10 * w[far] + 0.5 * (10 * 0.2) ** 2, atol=1e-10, rtol=0)


def test_a_narrow_measure_at_zero_keeps_its_variance_on_the_smallest_axis():
    axis = Axis.symmetric(0.1, 0.3)
    measure = initial_measure(axis, 0.05)
    assert float(measure.sum()) == pytest.approx(1, abs=1e-12)
    assert float(measure @ axis.nodes**2) == pytest.approx(0.05**2, rel=1e-9)
