"""Variances over networks of overlaps whose laws were chosen, and bands that cover."""

import numpy as np
import pytest

from mcmc.analysis.bootstrap import NetworkBootstrap
from mcmc.analysis.samples import sampled_law, self_averaging
from mcmc.io.schema import Key
from tests.support.synthetic import synthetic_run

DISORDER, THERMAL = 0.06, 0.1


def overlaps_run(*, n_networks=200, n_draws=120, seed=0):
    """q^0 and q^1 with a mean of each network: Var_J = DISORDER^2, 4 DISORDER^2; noise of draws THERMAL."""
    rng = np.random.default_rng(seed)
    data = synthetic_run(n_networks=n_networks, n_draws=n_draws, seed=seed)
    shape = data.overlap.shape
    mean = 0.2 + DISORDER * rng.standard_normal(shape[1:]) * np.array([1.0, 2.0])
    q = mean + THERMAL * rng.standard_normal(shape)
    data.arrays[Key.OVERLAP] = q.astype(np.float32)
    data.arrays[Key.MOMENT_SUM] = np.stack([(q**m).sum((0, 3)) for m in (1, 2, 3, 4)], axis=-1)
    return data


def test_the_noise_within_networks_is_not_in_the_disorder():
    """20 draws a half: the variance of the means would be too large by THERMAL^2/40, 7 % of DISORDER^2."""
    found = [self_averaging(overlaps_run(seed=s, n_draws=40), NetworkBootstrap(200)) for s in range(20)]
    for layer, variance in enumerate((DISORDER**2, 4 * DISORDER**2)):
        values = np.array([one.disorder.value[:, layer] for one in found])
        stderr = values.std(ddof=1) / np.sqrt(values.size)
        assert abs(values.mean() - variance) < 4 * stderr
        assert stderr < 0.025 * variance
        assert np.mean([one.disorder.stderr[:, layer] for one in found]) == pytest.approx(values.std(), rel=0.25)
        share = np.array([one.share.value[:, layer] for one in found])
        assert abs(share.mean() - variance / (variance + THERMAL**2)) < 4 * share.std() / np.sqrt(share.size)
        assert np.mean([one.share.stderr[:, layer] for one in found]) == pytest.approx(share.std(), rel=0.25)
        total = np.array([one.total.value[:, layer] for one in found])
        assert total.mean() == pytest.approx(variance + THERMAL**2, rel=0.03)


def test_networks_that_are_all_alike():
    data = overlaps_run()
    data.arrays[Key.OVERLAP] = np.random.default_rng(1).normal(0.2, 0.1, data.overlap.shape).astype(np.float32)
    found = self_averaging(data, NetworkBootstrap(200)).disorder
    assert np.abs(found.value).max() < 4.5 * found.stderr.max()


def test_law_and_band():
    """The average is that of the single laws; at 40 of 100 networks, 68 % of bins of the truth lie in the band."""
    inside = []
    for seed in range(8):
        data = synthetic_run(seed=seed, n_networks=40, n_draws=400)
        law = sampled_law(data, 1, 0, NetworkBootstrap(40), at_most=20)
        np.testing.assert_allclose(law.average.value, law.per_network.mean(0))
        np.testing.assert_allclose((law.per_network * np.diff(law.edges)).sum(1), 1.0)
        centres = 0.5 * (law.edges[1:] + law.edges[:-1])
        truth = np.exp(-0.5 * ((centres - 0.15) / 0.1) ** 2) / (0.1 * np.sqrt(2 * np.pi))
        lower, upper = law.average.band()
        inside.append(((lower <= truth) & (truth <= upper))[np.abs(centres - 0.15) < 0.2])
    assert 0.5 < np.concatenate(inside).mean() < 0.8
