"""Means within networks and laws of the overlap, against sums written out."""

import numpy as np
import pytest

from mcmc.analysis.measured import OverlapLaw, identity_a, network_means, overlap_law
from mcmc.errors import InsufficientDataError
from tests.support.synthetic import BETA, synthetic_run


def test_network_means_by_hand():
    data = synthetic_run(n_draws=30, n_networks=3)
    means = network_means(data)
    assert np.array_equal(means.beta, BETA)
    q = data.overlap.astype(np.float64)
    for d, k in np.ndindex(3, 3):
        assert means.energy[d, k] == pytest.approx(sum(data.energy[:, d, k].ravel()) / 60)
        for layer in (0, 1):
            values = q[:, d, k, 0, layer]
            assert means.overlap[d, k, layer] == pytest.approx(sum(values) / 30, rel=1e-6)
            assert means.overlap_square[d, k, layer] == pytest.approx(sum(values**2) / 30, rel=1e-5)
            r = sum(float(v) for v in data.self_overlap[:, d, k, :, layer].ravel()) / 60
            assert means.self_overlap[d, k, layer] == pytest.approx(r, rel=1e-12)


def test_identity_difference_uses_the_last_layer():
    data = synthetic_run(n_networks=3)
    means = network_means(data)
    wanted = means.energy + BETA * (means.self_overlap[:, :, 1] - means.overlap[:, :, 1])
    np.testing.assert_allclose(means.identity_difference(), wanted, rtol=1e-14)


def test_identity_a_is_zero_when_it_holds_and_what_it_is_off_by_otherwise():
    for violation in (0.0, 0.2):
        estimates = identity_a(network_means(synthetic_run(n_networks=40, violation=violation)))
        assert len(estimates) == 3
        for estimate in estimates:
            assert estimate.n_networks == 40
            assert estimate.agrees(violation, n_sigma=4)
            assert violation == 0 or not estimate.agrees(0.0, n_sigma=4)


def test_run_without_overlaps():
    with pytest.raises(InsufficientDataError, match="measured no overlaps"):
        network_means(synthetic_run(overlaps=False))


# --- P(q)


def test_law_is_the_average_of_the_histograms():
    data = synthetic_run(n_networks=6)
    law = overlap_law(data, 2, layer=1)
    per_network = np.stack(
        [np.histogram(data.overlap[:, d, 2, :, 1].astype(float), law.edges, density=True)[0] for d in range(6)]
    )
    np.testing.assert_allclose(law.density, per_network.mean(0), atol=0.2 / 40)
    np.testing.assert_allclose(law.density.sum() * 0.05, 1.0)
    np.testing.assert_allclose(law.stderr, per_network.std(0, ddof=1) / np.sqrt(6), atol=0.2)
    assert law.outside == 0
    np.testing.assert_allclose(law.centres, np.linspace(-0.975, 0.975, 40))


def test_what_falls_outside_is_counted():
    data = synthetic_run()
    counts = data.arrays["overlap_histogram/counts"]
    counts[:, 1, 0, -1] += 10
    law = overlap_law(data, 1)
    assert law.outside == pytest.approx(10 / 50)
    assert law.density.sum() * 0.05 == pytest.approx(1 - 10 / 50)


def test_one_network_has_a_law_without_error():
    law = overlap_law(synthetic_run(n_networks=1), 1)
    assert np.isnan(law.stderr).all()
    assert np.isfinite(law.density).all()


@pytest.mark.parametrize("n_bins", [200, 199, 60, 7])
@pytest.mark.parametrize("spread", [0.01, 0.3])
def test_coarsening_keeps_the_mass(n_bins, spread):
    edges = np.linspace(-1, 1, n_bins + 1)
    density = np.exp(-0.5 * ((edges[1:] + edges[:-1]) / 2 / spread) ** 2)
    law = OverlapLaw(edges, density, 0.1 * density, 0.0)
    coarse = law.coarsened(at_most=20)
    assert (coarse.density * np.diff(coarse.edges)).sum() == pytest.approx((density * np.diff(edges)).sum())
    assert (coarse.edges[0], coarse.edges[-1]) == (-1.0, 1.0)
    assert len(coarse.edges) == len(coarse.density) + 1 == len(coarse.stderr) + 1
    assert set(coarse.edges) <= set(edges)
    np.testing.assert_allclose(coarse.stderr, 0.1 * coarse.density)
