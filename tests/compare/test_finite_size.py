"""The width of P(q) at finite N_0: predicted from the saddle point, held against an exact finite-N_0 answer."""

import numpy as np
import pytest
from scipy.stats import norm

from mcmc.analysis.measured import OverlapLaw
from mcmc.compare.finite_size import GINZBURG_MINIMUM, OverlapKernel, fitted_widths, overlap_kernel
from mcmc.compare.prediction import Prediction
from mcmc.systems.mlp.exact import von_mises_fisher
from mcmc.theory.fluctuations import overlap_fluctuations
from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from tests.support.linear_overlap import conditional_moments, exact_overlap_variance

UNKNOWN = np.full(4, np.nan)
RATIOS = {"L1": (1.0,), "L1 narrow": (0.5,), "L2": (1.0, 2.0)}


def test_the_exact_answer_by_another_quadrature():
    """Bessel functions against the one-dimensional integral over the sphere."""
    for kappa in (0.3, 4.0, 40.0):
        mean, _ = conditional_moments(np.array([kappa]), 16)
        assert mean[0] == pytest.approx(von_mises_fisher(kappa / 4.0, 16, 1.0, n_nodes=400).overlap, rel=1e-10)


def test_the_exact_answer_at_high_temperature():
    """beta -> 0: Var q = 1/N_0, all of it thermal."""
    total, disorder = exact_overlap_variance(1e-4, (20, 20))
    assert total == pytest.approx(1 / 20, rel=1e-5)
    assert disorder < 1e-10


@pytest.mark.parametrize("ratios", RATIOS.values(), ids=RATIOS.keys())
@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("sigma_w", [1.0, 0.8])
def test_predicted_variance_is_the_limit_of_the_exact_one(ratios, beta, sigma_w):
    """N_0 Var(q) of linear networks: a difference O(1/N_0), gone when extrapolated; likewise over networks alone."""
    model = TheoryModel.build("linear", depth=len(ratios), width_ratios=ratios, sigma_w=sigma_w)
    predicted = overlap_fluctuations(model, solve_linear(model, beta))
    n_nodes = 24 if len(ratios) == 1 else 12
    exact = {}
    for n in (32, 64, 128):
        widths = (n, *(int(ratio * n) for ratio in ratios))
        exact[n] = n * np.array(exact_overlap_variance(beta, widths, sigma_w=sigma_w, n_nodes=n_nodes))
    limit = np.array([predicted.total[0], predicted.disorder[0]])
    # the 1/N_0^2 term remains: (8 f(4n) - 6 f(2n) + f(n))/3 removes both
    extrapolated = (8 * exact[128] - 6 * exact[64] + exact[32]) / 3
    np.testing.assert_allclose(extrapolated, limit, rtol=2e-4, atol=2e-6)
    differences = [np.abs(exact[n] - limit).max() for n in (32, 64, 128)]
    assert differences[1] / differences[0] == pytest.approx(0.5, abs=0.12)
    assert differences[2] / differences[1] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_kernel_of_a_linear_network(beta):
    """Centre of the saddle point, width within the O(1/N_0) of the exact one."""
    model = TheoryModel.build("linear")
    saddle = solve_linear(model, beta)
    kernel = overlap_kernel(model, Prediction(saddle), 128, measured_width=UNKNOWN[:2], laws=[])
    assert kernel.origin == "predicted"
    assert tuple(kernel.centre[:, 0]) == saddle.overlap
    assert kernel.weight.tolist() == [1.0]
    total, _ = exact_overlap_variance(beta, (128, 128))
    assert kernel.width[0, 0] == pytest.approx(np.sqrt(total), rel=0.01)
    assert np.isfinite(kernel.width[1, 0])


def test_width_shrinks_as_one_over_the_root():
    model = TheoryModel.build("tanh", depth=2)
    saddle = solve_rs(model, 1.0)
    small, large = (
        overlap_kernel(model, Prediction(saddle), n, measured_width=UNKNOWN[:3], laws=[]).width for n in (100, 400)
    )
    np.testing.assert_allclose(small, 2 * large)


@pytest.mark.parametrize(
    ("activation", "sigma_w", "beta", "n_inputs"),
    [("sin", 1.0, 8.0, 10_000), ("sin", 1.0, 4.0, 128)],  # unstable; stable, but too near for so few inputs
)
def test_where_gaussian_fluctuations_fail_the_width_is_fitted(activation, sigma_w, beta, n_inputs):
    model = TheoryModel.build(activation, sigma_w=sigma_w)
    saddle = solve_rs(model, beta)
    assert min(saddle.pivots) ** 3 * n_inputs < GINZBURG_MINIMUM
    measured = np.array([0.123, 0.456])
    kernel = overlap_kernel(model, Prediction(saddle), n_inputs, measured_width=measured, laws=[])
    assert kernel.origin == "fitted"
    assert np.array_equal(kernel.width[:, 0], measured)


TWO = OverlapKernel(
    np.array([[0.2, 0.8], [0.1, 0.3]]), np.array([0.7, 0.3]), np.array([[0.1, 0.03], [0.025, 0.02]]), "fitted"
)
EDGES = np.linspace(-1, 1, 401)


def law_of(kernel, layer=0):
    """The measured law of a run that has the law of the kernel."""
    return OverlapLaw(EDGES, kernel.bin_probability(EDGES, layer) / np.diff(EDGES), np.zeros(400), 0.0)


def test_bin_probabilities():
    kernel = OverlapKernel(np.array([[0.3], [0.0]]), np.ones(1), np.array([[0.1], [1.0]]), "predicted")
    edges = np.linspace(-1, 1, 21)
    probability = kernel.bin_probability(edges, 0)
    assert probability.sum() == pytest.approx(1.0, abs=1e-11)
    assert probability[13] == pytest.approx(norm.cdf(1.0) - norm.cdf(0.0))
    assert kernel.bin_probability(edges, 1).sum() == pytest.approx(norm.cdf(1) - norm.cdf(-1))


@pytest.mark.parametrize("layer", [0, 1])
def test_law_of_two_levels_has_mass_mean_and_width_of_both(layer):
    law, middles = law_of(TWO, layer), 0.5 * (EDGES[1:] + EDGES[:-1])
    mass = law.density * np.diff(EDGES)
    mean = TWO.centre[layer] @ TWO.weight
    assert mass.sum() == pytest.approx(1.0, abs=1e-9)
    assert mass @ middles == pytest.approx(mean, abs=1e-6)
    assert np.sqrt(mass @ (middles - mean) ** 2) == pytest.approx(TWO.total_width[layer], rel=1e-3)
    below = 0.5 if layer == 0 else 0.2  # between the levels
    assert TWO.distribution([below], layer)[0] == pytest.approx(0.7, abs=2e-3), "the weight of the lower level"


def test_fitted_widths_are_found_again():
    """From a law that is a sum of such Gaussians, whatever their weights."""
    for layer in (0, 1):
        found = fitted_widths(law_of(TWO, layer), TWO.centre[layer], TWO.weight)
        np.testing.assert_allclose(found, TWO.width[layer], rtol=0.01)


def test_many_levels_share_a_width():
    levels, weights = np.linspace(0.5, 0.6, 11), np.full(11, 1 / 11)
    kernel = OverlapKernel(levels[None], weights, np.full((1, 11), 0.07), "fitted")
    found = fitted_widths(law_of(kernel), levels, weights)
    np.testing.assert_allclose(found, 0.07, rtol=2e-3)
    assert np.ptp(found) == 0


def test_a_law_narrower_than_the_levels_still_has_widths():
    narrow = OverlapKernel(np.array([[0.2]]), np.ones(1), np.array([[0.01]]), "fitted")
    found = fitted_widths(law_of(narrow), TWO.centre[0], TWO.weight)
    assert np.isfinite(found).all()
    assert (found > 0).all()
