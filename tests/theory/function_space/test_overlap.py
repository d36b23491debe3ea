"""Overlaps against the published recursions' numbers, an independent quadrature, and their own inverses."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.integrate import dblquad

from mcmc.errors import UsageError
from mcmc.theory.function_space.max_entropy import perturbation_at_inverse_temperature
from mcmc.theory.function_space.one_layer import exact_difference, learnt_row
from mcmc.theory.function_space.overlap import overlap_profile, perturbation_of_overlap, weight_correlation
from mcmc.theory.function_space.units import Unit, make_unit


@pytest.mark.parametrize(
    ("weights", "perturbation", "last"),
    [
        ("continuous", 0.1, 0.367782),
        ("continuous", 0.3, 0.221634),
        ("continuous", 0.5, 0.122264),
        ("continuous", 0.8, 0.023107),
        ("binary", 0.01, 0.285205),
        ("binary", 0.05, 0.151161),
        ("binary", 0.1, 0.082324),
        ("binary", 0.2, 0.023107),
    ],
)
def test_overlap_of_four_layers(weights, perturbation, last):
    profile = overlap_profile(weights, [perturbation] * 4)
    assert profile.overlap[-1] == pytest.approx(last, abs=5.1e-7)
    assert profile.error == pytest.approx((1 - last) / 2, abs=3e-7)


def test_every_layer():
    continuous, binary = overlap_profile("continuous", [0.3] * 4), overlap_profile("binary", [0.05] * 4)
    assert continuous.overlap == pytest.approx([0.806027, 0.558392, 0.357624, 0.221634], abs=5.1e-7)
    assert binary.overlap == pytest.approx([0.712867, 0.443442, 0.261353, 0.151161], abs=5.1e-7)


def test_fluctuations():
    variance = overlap_profile("continuous", [0.3] * 4).variance
    assert np.sqrt(variance) == pytest.approx([0.5919, 1.0021, 1.1786, 1.2372], abs=5.1e-5)


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.5, 0.085713), (1, 0.186324), (2, 0.274638), (5, 0.321802), (math.inf, 1 / 3)]
)
def test_one_layer_at_finite_temperature(beta, expected):
    unit = Unit.sign() if math.isinf(beta) else Unit.thermal(beta)
    assert unit.dual(np.array(0.5), 0)[0] == pytest.approx(expected, abs=5.1e-7)


def test_thermal_average_by_double_integration():
    """E tanh(beta h^) tanh(beta h) over the plane, at a lopsided correlation and a sigma that is not 1."""
    beta, sigma, c = 1.3, 0.8, 0.37

    def integrand(y, x):
        density = math.exp(-(x * x - 2 * c * x * y + y * y) / (2 * (1 - c * c))) / (2 * math.pi * math.sqrt(1 - c * c))
        return density * math.tanh(beta * sigma * x) * math.tanh(beta * sigma * y)

    exact, _ = dblquad(integrand, -8, 8, -8, 8, epsabs=1e-10)
    assert Unit.thermal(beta, sigma).dual(np.array(c), 0)[0] == pytest.approx(exact, abs=1e-9)


def test_thermal_layers():
    overlap = overlap_profile("continuous", [0.3] * 4, Unit.thermal(2.0)).overlap
    assert overlap == pytest.approx([0.5909, 0.31256, 0.16038, 0.08164], abs=5.1e-5)


@pytest.mark.parametrize("unit", [Unit.sign(), Unit.thermal(1.5), Unit.relu()], ids=lambda unit: unit.name)
def test_slope_is_the_derivative(unit):
    x, step = np.array(0.6), 1e-5
    slope = (unit.dual(x + step, 0)[0] - unit.dual(x - step, 0)[0]) / (2 * step)
    assert unit.dual(x, 1)[1] == pytest.approx(float(slope), rel=1e-8)


def test_relu_layers():
    profile = overlap_profile("continuous", [0.3] * 4, Unit.relu())
    assert profile.overlap == pytest.approx([0.95691, 0.92059, 0.89103, 0.86756], abs=5.1e-6)
    assert profile.variance is None


@pytest.mark.parametrize(("gamma", "expected"), [(-0.8, 0.77065), (0.0, 0.84999), (1.0, 0.89017)])
def test_relu_with_correlated_rows(gamma, expected):
    unit = Unit.relu(gamma)
    third = overlap_profile("continuous", [0.3] * 3, unit).overlap[-1]
    assert math.sqrt(1 - 0.3**2) * unit.mix(third) == pytest.approx(expected, abs=5.1e-6)


@pytest.mark.parametrize("weights", ["continuous", "binary"])
@pytest.mark.parametrize("perturbation", [[0.3, 0.05, 0.0, 0.4], [1e-7, 2e-6, 0.01, 0.2]])
def test_inverse(weights, perturbation):
    overlap = overlap_profile(weights, perturbation).overlap
    assert perturbation_of_overlap(weights, overlap) == pytest.approx(perturbation, rel=1e-6, abs=2e-8)


def test_exact_layers_do_not_fluctuate():
    profile = overlap_profile("binary", [0.0, 0.0, 0.1])
    assert profile.overlap[:2].tolist() == [1.0, 1.0]
    assert profile.variance == pytest.approx([0, 0, 1 - profile.overlap[2] ** 2])
    assert profile.wrong_units(1000)[2] == pytest.approx(1000 * profile.error)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: weight_correlation("continous", [0.1]), "Did you mean 'continuous'"),
        (lambda: weight_correlation("binary", [0.1, 0.6]), "layer 2: expected 0 to 0.5, found 0.6"),
        (lambda: weight_correlation("continuous", [float("nan")]), "found nan"),
        (lambda: weight_correlation("continuous", []), "at least one layer"),
        (lambda: perturbation_of_overlap("binary", [0.5, 0.6]), "overlap of layer 2"),
        (lambda: Unit.thermal(-1.0), "beta > 0"),
        (lambda: Unit.thermal(100.0), "Use sign units"),
        (lambda: Unit.relu(-1.1), "gamma >= -1"),
        (lambda: make_unit("sine"), "Did you mean 'sign'"),
        (lambda: make_unit("thermal"), "they need it"),
        (lambda: make_unit("sign", beta=1.0), "beta is for thermal"),
        (lambda: make_unit("sign", row_correlation=1.0), "for relu units"),
    ],
)
def test_errors(call, why):
    with pytest.raises(UsageError, match=why):
        call()


@pytest.mark.parametrize(("width", "flip"), [(3, 0.2), (5, 0.05), (5, 0.5)])
def test_one_binary_layer_by_enumeration(width, flip):
    """All signs w s of the reference and all sets of flipped weights."""
    terms = np.array(list(product((1, -1), repeat=width)))
    total = 0.0
    for flips in product((0, 1), repeat=width):
        weight = np.prod([flip if flipped else 1 - flip for flipped in flips])
        total += weight * np.mean(np.sign(terms.sum(1)) != np.sign(terms @ (1 - 2 * np.array(flips))))
    assert exact_difference(width, flip) == pytest.approx(total, abs=1e-13)


def test_one_binary_layer_approaches_the_recursion():
    """From below, and the difference falls like 1/N."""
    limit = overlap_profile("binary", [0.1]).error
    gaps = [limit - exact_difference(width, 0.1) for width in (101, 1001)]
    assert gaps[0] > gaps[1] > 0
    assert gaps[0] / gaps[1] == pytest.approx(1001 / 101, rel=0.1)
    with pytest.raises(UsageError, match="odd"):
        exact_difference(10, 0.1)


def test_rows_that_learn_on_their_own():
    """N = 2 and 3 in closed form, and the limit of maximal entropy."""
    a = 3.0 * 2 / math.pi
    assert learnt_row(3.0, 2)[0] == pytest.approx((1 / a - math.pi / math.expm1(a * math.pi)) / math.pi, rel=1e-9)
    b = 3.0 * 3 / math.pi  # sin cos and sin against exp(-b theta)
    decay = math.exp(-b * math.pi)
    assert learnt_row(3.0, 3)[1] == pytest.approx((1 - decay) / (4 + b * b) / ((1 + decay) / (1 + b * b)), rel=1e-9)
    wide = learnt_row(6.0, 4001)
    point = perturbation_at_inverse_temperature(6.0, 1)
    assert wide == pytest.approx((point.error, math.sqrt(1 - point.perturbation[0] ** 2)), abs=2e-4)
    with pytest.raises(UsageError, match="alpha >= 0"):
        learnt_row(-1.0, 5)
