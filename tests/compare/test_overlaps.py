"""The report on P(q): moments of the smeared law, distances by layer, and the share between networks."""

import json

import numpy as np
import pytest

from mcmc.compare.finite_size import OverlapKernel
from mcmc.compare.overlaps import kernel_moments, overlap_report
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from tests.support.broken_phase import FULL, ONE_STEP, run_with_law, with_prediction
from tests.support.runs import finished, small_config


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Sixty-four wide enough networks: Gaussian fluctuations hold."""
    path = tmp_path_factory.mktemp("overlaps") / "run"
    finished(
        small_config(
            model={"activation": "tanh", "n_inputs": 32, "n_networks": 64, "sigma_w": 1.0},
            tempering={"beta_max": 2.0, "n_temperatures": 4},
            run={"n_burn_in": 100, "n_sweeps": 400, "measure_every": 2, "seed": 3},
            output={"segment_sweeps": 200},
        ),
        path,
    )
    return overlap_report(read_run(path))


def test_moments_of_the_smeared_law():
    rng = np.random.default_rng(0)
    kernel = OverlapKernel(np.array([[0.1, 0.6]]), np.array([0.3, 0.7]), np.array([[0.05, 0.15]]), "fitted")
    which = rng.random(2_000_000) < 0.3
    q = np.where(which, 0.1, 0.6) + np.where(which, 0.05, 0.15) * rng.standard_normal(which.size)
    for m, predicted in enumerate(kernel_moments(kernel)[0], start=1):
        assert (q**m).mean() == pytest.approx(predicted, abs=5 * (q**m).std() / np.sqrt(q.size))


def test_the_share_between_networks_is_the_predicted_one(report):
    """Theory of the fluctuations, no fitted number; its last temperature tells a share of half or double."""
    share = report.averaging.share
    for k in range(4):
        for layer in (0, 1):
            predicted = report.predicted_share(k, layer)
            assert abs(share.value[k, layer] - predicted) < 4 * share.stderr[k, layer] + 0.003
    for layer in (0, 1):
        predicted = report.predicted_share(3, layer)
        assert abs(share.value[3, layer] - 2 * predicted) > 4 * share.stderr[3, layer]
        assert abs(share.value[3, layer]) > 4 * share.stderr[3, layer]


def test_z_scores_and_distances(report):
    assert np.abs(report.z_scores[:, :, 0]).max() < 5
    for k in range(4):
        for layer in (0, 1):
            distance = report.distances[k][layer]
            assert distance.value < 0.02 + 4 * distance.stderr
            assert distance.value == distance.symmetric_value
    assert report.distances[3][0].value != report.distances[3][1].value
    # moments far from the prediction are told
    data = report.comparison.data
    data.arrays[Key.MOMENT_SUM][..., 3, :, 0] += 0.05 * 200
    shifted = overlap_report(data)
    data.arrays[Key.MOMENT_SUM][..., 3, :, 0] -= 0.05 * 200
    assert np.abs(shifted.z_scores[3, :, 0]).min() > 3


def test_json(report):
    record = json.loads(json.dumps(report.to_json()))
    assert (record["n_inputs"], record["n_networks"], len(record["laws"])) == (32, 64, 8)
    row = record["laws"][-1]
    assert (row["layer"], row["ansatz"], row["smearing"]) == (1, "rs", "predicted")
    assert len(row["moments"]) == len(row["moment_z_scores"]) == 4
    assert 0 < row["predicted_disorder_share"] < 1
    assert row["predicted_disorder_variance"] > 0


@pytest.mark.parametrize("given", [ONE_STEP, FULL], ids=["1rsb", "full"])
def test_a_broken_phase(monkeypatch, given):
    """The law that was drawn is nearer than the symmetric one; a third of the variance is expected between networks."""
    with_prediction(monkeypatch, given)
    report = overlap_report(run_with_law(given))
    cold = report.distances[-1][0]
    assert cold.value < 3 * cold.noise
    assert cold.symmetric_value > 3 * cold.value
    assert np.abs(report.z_scores[-1, 0]).max() < 4
    assert report.fluctuations[-1] is None
    assert report.predicted_share(2, 0) == pytest.approx(1 / 3)
    assert report.averaging.share.value[-1, 0] < 0.2  # these networks are all alike, and it says so
    *_, row = report.to_json()["laws"]
    assert (row["ansatz"], row["predicted_disorder_variance"]) == (given.ansatz, None)
