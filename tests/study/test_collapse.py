"""Finite-size scaling of synthetic sizes whose scaling function, exponents and beta_c are known."""

import numpy as np
import pytest

from mcmc.errors import ConvergenceError, InsufficientDataError
from mcmc.study.collapse import SizeCurve, collapse, collapse_measure

SIZES = (32, 64, 128, 256)
BETA_C, A, B = 1.7, 0.35, 0.22
TRUTH = {"beta_c": BETA_C, "a": A, "b": B}


def lopsided(x):
    """Rises fast on one side, slowly on the other, with a bump: no symmetry to hide a sign behind."""
    return 1 / (1 + np.exp(-1.3 * x)) + 0.25 * np.exp(-((x - 1.2) ** 2)) + 0.05 * np.maximum(x, 0)


def symmetric(x):
    return np.exp(-(x**2) / 8)


def sizes_of(scaling, *, seed=0, error=0.01, b=B, n_resamples=60, skew=0.0):
    """(S) curves; skew moves each size by skew ln N_0, which is no scaling."""
    rng = np.random.default_rng(seed)
    curves = []
    for n in SIZES:
        beta = np.linspace(1.2, 2.4, 25)
        y = n**-b * scaling((beta - BETA_C) * n**A) + skew * np.log(n)
        scale = error * n**-b
        value = y + scale * rng.normal(size=len(beta))
        curves.append(SizeCurve(n, beta, value, value + scale * rng.normal(size=(n_resamples, len(beta)))))
    return curves


def distances(found):
    return {
        name: (getattr(found, name) - truth) / error
        for (name, truth), error in zip(TRUTH.items(), found.stderr, strict=True)
    }


@pytest.mark.parametrize("scaling", [lopsided, symmetric])
def test_known_exponents_come_back(scaling):
    found = collapse(sizes_of(scaling), beta_c=1.8, a=0.5, b=0.1, n_resamples=40)
    assert max(map(abs, distances(found).values())) < 3.5
    assert found.stderr[0] < 0.01
    assert found.stderr[1] < 0.03
    assert 0.6 < found.quality < 1.5
    assert found.is_good


@pytest.mark.statistical
def test_errors_are_those_of_repeated_studies():
    """16 studies: the scatter of each parameter is its quoted error, within what 16 can tell (chi^2, 0.1 %)."""
    studies = [collapse(sizes_of(lopsided, seed=s), beta_c=BETA_C, a=A, b=B, n_resamples=15) for s in range(16)]
    squares = np.array([list(distances(found).values()) for found in studies]) ** 2
    assert (squares.sum(0) > 3.94).all()
    assert (squares.sum(0) < 39.3).all()
    halved = 4 * squares  # errors half as large as they should be, which the same test must catch
    assert (halved.sum(0) > 39.3).any()


def test_a_fixed_exponent_stays():
    found = collapse(sizes_of(lopsided, b=0.0), beta_c=1.8, a=0.5, b=0.0, fix_b=True, n_resamples=20)
    assert found.b == 0
    assert found.stderr[2] == 0
    assert abs(found.a - A) < 4 * found.stderr[1]


def test_sizes_that_follow_no_common_curve_are_noticed():
    found = collapse(sizes_of(lopsided, skew=0.05), beta_c=BETA_C, a=A, b=0.0, fix_b=True, n_resamples=5)
    assert not found.is_good
    assert found.to_json()["is_good"] is False


def test_the_measure_is_one_at_the_truth_and_larger_elsewhere():
    curves = sizes_of(lopsided)
    values, errors = [c.value for c in curves], [c.resamples.std(0) for c in curves]
    at_truth = collapse_measure(curves, values, errors, BETA_C, A, B)
    assert 0.6 < at_truth < 1.5
    for wrong in ((BETA_C + 0.1, A, B), (BETA_C, A + 0.15, B), (BETA_C, A, B + 0.1), (BETA_C, A, -B)):
        assert collapse_measure(curves, values, errors, *wrong) > 2 * at_truth
    assert collapse_measure(curves, values, errors, 50.0, A, B) == np.inf  # no two sizes share an x


def test_too_few_sizes_or_temperatures():
    curves = sizes_of(lopsided)
    with pytest.raises(InsufficientDataError, match="at least 3 sizes, found 2"):
        collapse(curves[:2], beta_c=BETA_C)
    short = [SizeCurve(c.n_inputs, c.beta[:3], c.value[:3], c.resamples[:, :3]) for c in curves]
    with pytest.raises(InsufficientDataError, match="4 temperatures"):
        collapse(short, beta_c=BETA_C)
    bare = [SizeCurve(c.n_inputs, c.beta, c.value, np.tile(c.value, (5, 1))) for c in curves]
    with pytest.raises(InsufficientDataError, match="an error each"):
        collapse(bare, beta_c=BETA_C)


def test_a_start_far_from_the_data_says_so():
    with pytest.raises(ConvergenceError, match="Start nearer to where the sizes cross"):
        collapse(sizes_of(lopsided), beta_c=80.0)
