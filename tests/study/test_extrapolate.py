"""N_0 -> infinity: exact powers come back, the quoted interval covers the truth as often as it says, errors of the
wrong kind do not."""

from dataclasses import replace

import numpy as np
import pytest

from mcmc.analysis.bootstrap import NetworkBootstrap
from mcmc.errors import InsufficientDataError
from mcmc.study.extrapolate import Extrapolation, extrapolate

N_STUDIES = 500
LIMIT = -0.5
N_CHAINS = 4


def synthetic(sizes, n_networks, exponent, amplitude, *, seed, unit="network"):
    """Extrapolations of N_STUDIES studies of a + b N^-w with scatter 0.5 / sqrt(N) between networks.

    unit: what the bootstrap draws again; "chain" takes the chains of a network, which share its weights, for
        independent.
    """
    rng = np.random.default_rng(seed)
    values, resamples = [], []
    for size, n in zip(sizes, n_networks, strict=True):
        quenched = rng.normal(0, 0.5 / np.sqrt(size), (n, N_STUDIES))
        chains = np.repeat(quenched, N_CHAINS, axis=0) + rng.normal(0, 0.1 / np.sqrt(size), (n * N_CHAINS, N_STUDIES))
        units = chains if unit == "chain" else chains.reshape(n, N_CHAINS, -1).mean(1)
        drawn = NetworkBootstrap(len(units), n_resamples=400, seed=size).mean(units)
        values.append(LIMIT + amplitude * size**-exponent + drawn.value)
        resamples.append(values[-1] + drawn.deviations)
    value, resample = np.stack(values, -1), np.stack(resamples, -1)
    return [extrapolate(np.array(sizes), value[i], resample[:, i], leave_out=False) for i in range(N_STUDIES)]


def coverage(found):
    return float(np.mean([e.lower <= LIMIT <= e.upper for e in found]))


def without_spread(found: Extrapolation) -> Extrapolation:
    """The interval of the heaviest fit alone: no error for not knowing the model."""
    best = found.fits[0]
    return replace(found, value=best.value, lower=best.value - best.stderr, upper=best.value + best.stderr)


FOUR, FIVE = (32, 64, 128, 256), (16, 32, 64, 128, 256)


# corrections of 1 to 40 errors at the smallest size: from the barely seen to the exactly known exponent
@pytest.mark.statistical
@pytest.mark.parametrize(
    ("sizes", "exponent", "amplitude"), [(FOUR, 1, 1.0), (FIVE, 1, 1.0), (FIVE, 2 / 3, 1.0), (FOUR, 2 / 3, 3.0)]
)
def test_one_sigma_covers_68_percent(sizes, exponent, amplitude):
    found = synthetic(sizes, [64] * len(sizes), exponent, amplitude, seed=3)
    assert 0.64 < coverage(found) < 0.72
    assert coverage([without_spread(e) for e in found]) < 0.60  # the fault that the same test must catch


@pytest.mark.statistical
def test_a_bootstrap_over_chains_is_caught():
    found = synthetic(FOUR, [64] * 4, 1, 1.0, seed=3, unit="chain")
    assert coverage(found) < 0.60


@pytest.mark.statistical
def test_where_the_exponent_stays_open_the_interval_is_wider_not_narrower():
    """A true 2/3 lies between the other exponents: the mixture covers more than it says."""
    found = synthetic(FOUR, [64] * 4, 2 / 3, 0.3, seed=3)
    assert coverage(found) > 0.72


def exact(sizes, exponent, *, error=1e-5, seed=0):
    """Values on the power law up to an error, with resamples of that scatter."""
    sizes = np.array(sizes)
    rng = np.random.default_rng(seed)
    value = LIMIT + 0.7 * sizes**-exponent + error * rng.normal(size=len(sizes))
    return sizes, value, value + error * rng.normal(size=(500, len(sizes)))


@pytest.mark.parametrize("exponent", [1.0, 2 / 3, 1 / 3])
def test_the_exponent_is_a_result(exponent):
    found = extrapolate(*exact(FIVE, exponent))
    assert found.exponent == pytest.approx(exponent, abs=0.01)
    assert abs(found.n_sigma(LIMIT)) < 3
    assert found.stderr < 1e-3
    named = next(fit for fit in found.fits if fit.exponent_stderr is None)
    assert named.exponent == pytest.approx(exponent)
    others = [fit.weight for fit in found.fits if fit.exponent_stderr is None and fit is not named]
    assert max(others) < 1e-6


def test_a_free_exponent_that_is_none_of_the_named():
    found = extrapolate(*exact(FIVE, 1.4))
    assert found.fits[0].exponent_stderr is not None
    assert abs(found.exponent - 1.4) < 3 * found.fits[0].exponent_stderr
    assert found.fits[0].weight > 0.999


def test_gradients_are_those_of_the_fit():
    """Finite differences: exact for a fixed exponent, first order for a free one."""
    sizes, value, resamples = exact(FIVE, 0.8, error=1e-3)
    fits = {fit.exponent_stderr is None and fit.exponent: fit for fit in extrapolate(sizes, value, resamples).fits}
    for i, step in enumerate(np.eye(len(sizes)) * 1e-5):
        moved = extrapolate(sizes, value + step, resamples + step).fits
        for fit in moved:
            before = fits[fit.exponent_stderr is None and fit.exponent]
            slope = (fit.value - before.value) / 1e-5
            assert slope == pytest.approx(before.gradient[i], rel=0.05, abs=1e-3)


def test_errors_of_a_fit_are_those_of_least_squares():
    """Independent sizes: var a = (X^T C^-1 X)^-1, here by hand for two parameters."""
    sizes, value, resamples = exact(FOUR, 1.0, error=1e-3, seed=4)
    fit = next(fit for fit in extrapolate(sizes, value, resamples).fits if fit.exponent == 1.0)
    w, x = 1 / resamples.var(0, ddof=1), 1 / sizes
    determinant = w.sum() * (w * x**2).sum() - (w * x).sum() ** 2
    assert fit.value == pytest.approx(
        ((w * x**2).sum() * (w * value).sum() - (w * x).sum() * (w * x * value).sum()) / determinant
    )
    assert fit.stderr == pytest.approx(np.sqrt((w * x**2).sum() / determinant), rel=0.15)  # 500 resamples of 4 sizes


def test_a_smallest_size_that_fits_nothing_is_dropped_and_told():
    sizes, value, resamples = exact((8, *FIVE), 1.0, error=1e-3)
    shift = np.where(sizes == 8, 0.1, 0.0)
    found = extrapolate(sizes, value + shift, resamples + shift)
    assert found.dropped == [8]
    assert found.sizes.tolist() == list(FIVE)
    assert abs(found.n_sigma(LIMIT)) < 3
    assert found.without_smallest is not None
    assert found.without_smallest.sizes.tolist() == list(FIVE[1:])


def test_resamples_keep_what_two_quantities_share():
    sizes, value, resamples = exact(FOUR, 1.0, error=1e-3)
    first, second = extrapolate(sizes, value, resamples), extrapolate(sizes, 2 * value + 1, 2 * resamples + 1)
    assert np.corrcoef(first.resamples, second.resamples)[0, 1] > 0.999
    assert second.value == pytest.approx(2 * first.value + 1)
    assert second.stderr == pytest.approx(2 * first.stderr)


def test_three_sizes_are_needed_for_an_exponent_and_two_for_anything():
    sizes, value, resamples = exact(FIVE, 1.0)
    two = extrapolate(sizes[:2], value[:2], resamples[:, :2])
    assert all(fit.exponent_stderr is None for fit in two.fits)
    assert two.p_value is None
    assert two.without_smallest is None
    assert {fit.weight for fit in two.fits} == {1 / 3}  # nothing tells the exponents apart
    with pytest.raises(InsufficientDataError, match=r"at least 2 sizes .* found 1: add to study.n_inputs"):
        extrapolate(sizes[:1], value[:1], resamples[:, :1])


def test_a_value_without_error_is_refused():
    sizes, value, resamples = exact(FIVE, 1.0)
    resamples[:, 2] = value[2]
    with pytest.raises(InsufficientDataError, match="no error at N_0 = 64"):
        extrapolate(sizes, value, resamples)
