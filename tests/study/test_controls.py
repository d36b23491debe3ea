"""Controls of a study: their means are zero, and slopes from other sizes move no average and hide no error."""

import numpy as np
import pytest

from mcmc.config import ModelConfig
from mcmc.study.controls import controlled_by_other_sizes, weight_controls

LOPSIDED = (
    {"activation": "relu", "n_inputs": 6, "width_ratios": [1.0], "sigma_w": 1.7},
    {"activation": "tanh", "n_inputs": 5, "width_ratios": [2.0], "sigma_b": 0.3},
    {"activation": "relu", "n_inputs": 6, "width_ratios": [0.5, 2.0]},
    {"activation": "tanh", "n_inputs": 4, "width_ratios": [1.5, 0.5, 1.0]},
)
N_NETWORKS = 2000


def n_sigma(controls):
    """(C,) distances of the means from zero in standard errors."""
    return controls.mean(0) / (controls.std(0, ddof=1) / np.sqrt(len(controls)))


@pytest.mark.parametrize("model", LOPSIDED, ids=lambda model: f"L{len(model['width_ratios'])}-{model['activation']}")
def test_means_are_zero(model):
    config = ModelConfig(**model, n_networks=N_NETWORKS)
    controls = weight_controls(config, 20, np.arange(N_NETWORKS))
    assert np.abs(n_sigma(controls)).max() < 4
    is_odd = config.activation == "tanh" and not config.sigma_b
    n_even = 6 + config.depth
    assert controls.shape[1] == n_even + (0 if is_odd else 5)
    # the twin with the mean of a wide network: |W W^T|^2 without the loop of order 1/N_1
    fourth = n_even - 1 if is_odd else n_even + 2
    controls[:, fourth] += 1 / config.widths[1]
    assert np.abs(n_sigma(controls))[fourth] > 4


def test_a_network_has_its_controls_whatever_the_others_are():
    config = ModelConfig(**LOPSIDED[2], n_networks=40)
    alone = weight_controls(config, 3, np.array([17]))
    assert np.array_equal(weight_controls(config, 3, np.arange(40))[17:18], alone)


def synthetic_study(rng, n_networks, sizes):
    """Values of mean 1 that depend on two controls, on one of them squared, on a third of no use, and on noise."""
    values, controls = [], []
    for n, size in zip(n_networks, sizes, strict=True):
        z = rng.normal(size=(n, 1, 3)) / np.sqrt(size)
        y = 1 + 2 * z[..., 0] - z[..., 1] + size**0.5 * (z[..., 0] ** 2 - 1 / size)
        values.append(y + 0.5 * rng.normal(size=(n, 1)) / np.sqrt(size))
        controls.append(z)
    return values, controls


def fitted_to_itself(values, controls):
    """The twin: slopes of each size from its own networks."""
    found = []
    for y, z in zip(values, controls, strict=True):
        centred = z[:, 0] - z[:, 0].mean(0)
        slope = np.linalg.lstsq(centred, y[:, 0] - y[:, 0].mean(), rcond=None)[0]
        found.append(y - z @ slope)
    return found


def pulls(method, n_networks=(12, 10, 10), sizes=(16, 32, 64), n_studies=1500):
    """Deviations of the averages from the truth in units of the error quoted, (studies, sizes)."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(n_studies):
        reduced = method(*synthetic_study(rng, n_networks, sizes))
        errors = [y.std(ddof=1) / np.sqrt(len(y)) for y in reduced]
        found.append([(y.mean() - 1) / error for y, error in zip(reduced, errors, strict=True)])
    return np.array(found)


def known_slopes(values, controls):
    """What no fit can better: the slopes with which the study was made."""
    return [y - 2 * z[..., 0] + z[..., 1] for y, z in zip(values, controls, strict=True)]


def test_errors_are_what_they_say():
    """Ten networks of skewed values know their error badly even when slopes are known; not worse than that."""
    known = pulls(known_slopes)
    by_others = pulls(lambda values, controls: controlled_by_other_sizes(values, controls, (16, 32, 64)))
    assert (by_others.std(0) / known.std(0)).max() < 1.05
    assert (pulls(fitted_to_itself).std(0) / known.std(0)).min() > 1.3


def test_controls_that_explain_cut_the_error():
    rng = np.random.default_rng(4)
    values, controls = synthetic_study(rng, (400, 300, 200), (16, 32, 64))
    reduced = controlled_by_other_sizes(values, controls, (16, 32, 64))
    for y, left in zip(values, reduced, strict=True):
        assert left.var() < 0.5 * y.var()


def test_no_control_without_ten_networks_for_its_slope():
    rng = np.random.default_rng(4)
    values, controls = synthetic_study(rng, (9, 400), (16, 32))
    reduced = controlled_by_other_sizes(values, controls, (16, 32))
    assert np.array_equal(reduced[1], values[1])  # nine others
    assert not np.array_equal(reduced[0], values[0])


def test_a_control_that_is_always_zero_is_no_harm():
    rng = np.random.default_rng(4)
    values, controls = synthetic_study(rng, (40, 40), (16, 32))
    none = [np.concatenate([np.zeros_like(z[..., :1]), z], axis=2) for z in controls]
    with_none = controlled_by_other_sizes(values, none, (16, 32))
    for left, right in zip(with_none, controlled_by_other_sizes(values, controls, (16, 32)), strict=True):
        assert np.allclose(left, right, rtol=0, atol=1e-12)
