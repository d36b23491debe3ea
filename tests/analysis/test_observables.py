"""Nonlinear functions of network averages, on overlaps of a known law."""

import numpy as np
import pytest

from mcmc.analysis.bootstrap import NetworkBootstrap
from mcmc.analysis.estimate import controlled_average
from mcmc.analysis.measured import network_means
from mcmc.analysis.observables import observables, overlap_peak
from mcmc.errors import InsufficientDataError
from mcmc.io.schema import Key
from tests.support.synthetic import BETA, synthetic_run


def by_name(data):
    return {observable.name: observable for observable in observables(data)}


def with_overlaps(data, overlap):
    """The same run with other overlaps (n, D, K, 1, 2), histograms and moments too."""
    edges = np.linspace(-1, 1, 201)
    data.arrays[Key.OVERLAP] = overlap.astype(np.float32)
    data.arrays[Key.MOMENT_SUM] = np.stack([(overlap**m).sum((0, 3)) for m in (1, 2, 3, 4)], axis=-1)
    data.arrays[Key.EDGES] = np.tile(edges, (2, 1))
    counts = np.zeros((*overlap.shape[1:3], 2, 202), dtype=np.int64)
    for d, k, layer in np.ndindex(*counts.shape[:3]):
        counts[d, k, layer, 1:-1], _ = np.histogram(overlap[:, d, k, 0, layer], bins=edges)
    data.arrays[Key.HISTOGRAM] = counts
    return data


def test_gaussian_overlaps():
    """Mean m, width 0.1: <q^4> = m^4 + 6 m^2 s^2 + 3 s^4."""
    found = by_name(synthetic_run(n_networks=40, n_draws=200))
    for k, m in enumerate(0.3 * BETA):
        second, fourth = m**2 + 0.01, m**4 + 6 * m**2 * 0.01 + 3e-4
        for layer in (0, 1):
            exact = {
                "overlap": m,
                "overlap_moment_2": second,
                "overlap_moment_3": m**3 + 3 * m * 0.01,
                "overlap_moment_4": fourth,
                "overlap_width": 0.1,
                "binder": 0.5 * (3 - fourth / second**2),
            }
            for name, value in exact.items():
                resampled = found[f"{name}_{layer}"].resampled
                assert abs(resampled.value[k] - value) < 4.5 * resampled.stderr[k], (name, k)
                assert resampled.resamples.shape == (1000, 3)


def test_energy_is_controlled_and_the_gain_is_stated():
    data = synthetic_run(n_networks=40)
    means = network_means(data)
    energy = by_name(data)["energy_density"]
    exact = controlled_average(means.energy[:, 2], means.identity_difference()[:, 2])
    assert energy.resampled.value[2] == pytest.approx(exact.value, rel=1e-9)
    assert energy.resampled.stderr[2] == pytest.approx(exact.stderr, rel=0.2)
    assert energy.gain[0] == 1.0
    plain = means.energy[:, 2].std(ddof=1) / np.sqrt(40)
    assert energy.gain[2] == pytest.approx((plain / exact.stderr) ** 2, rel=0.3)
    assert energy.gain[2] > 2


def test_peak_of_one_state():
    rng = np.random.default_rng(0)
    overlap = rng.normal(0.437, 0.08, (400, 30, 3, 1, 2))
    data = with_overlaps(synthetic_run(n_networks=30, n_draws=400), overlap)
    peak = by_name(data)["overlap_peak_0"].resampled
    assert np.abs(peak.value - 0.437).max() < 0.01
    assert (peak.stderr < 0.01).all()
    assert np.abs(peak.value - 0.437).max() < 5 * peak.stderr.max()


def test_outermost_of_two_peaks():
    """One step of breaking: q = 0.2 with weight 0.6, q = 0.8 with weight 0.4."""
    rng = np.random.default_rng(1)
    inner = rng.random((400, 30, 3, 1, 2)) < 0.6
    overlap = np.where(inner, rng.normal(0.2, 0.05, inner.shape), rng.normal(0.8, 0.05, inner.shape))
    data = with_overlaps(synthetic_run(n_networks=30, n_draws=400), overlap)
    assert np.abs(overlap_peak(data, NetworkBootstrap(30), 0).value - 0.8).max() < 0.02


def test_no_peak_between_the_edges_is_no_number():
    data = synthetic_run()
    data.arrays[Key.HISTOGRAM][:] = 0
    data.arrays[Key.HISTOGRAM][..., -1] = 40
    assert np.isnan(overlap_peak(data, NetworkBootstrap(12), 0).value).all()


@pytest.mark.parametrize("changes", [{"n_networks": 3}, {"overlaps": False}])
def test_too_little_data(changes):
    with pytest.raises(InsufficientDataError):
        observables(synthetic_run(**changes))
