"""Overlaps between temperatures: linear networks, where they are products of exact means, and what the files keep."""

import json

import numpy as np
import pytest
import torch

from mcmc.analysis.cross import cross_temperature
from mcmc.config import parse_config
from mcmc.errors import ConfigError
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from mcmc.run.build import build_system
from mcmc.systems.mlp.exact import linear_field, von_mises_fisher
from tests.support.cli import invoke
from tests.support.runs import finished, small_config, small_data


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory):
    """A lopsided ladder: the coldest temperature is far from the others."""
    config = small_config(
        model={"activation": "linear", "n_inputs": 10, "n_networks": 8},
        tempering={"betas": [0.0, 0.4, 0.9, 2.5], "beta_max": 2.5, "n_temperatures": 4, "n_replicas": 3},
        run={"n_burn_in": 100, "n_sweeps": 1200, "measure_every": 2},
        output={"segment_sweeps": 600, "cross_temperature": True},
    )
    path = tmp_path_factory.mktemp("cross") / "run"
    finished(config, path)
    return path


@pytest.fixture(scope="module")
def data(run_directory):
    return read_run(run_directory)


def exact_means(data):
    """(D, K) <x.g>/(|g| sqrt(N_0)) of each network: <q_kk'> is the product of two of them."""
    networks = build_system(data.config, torch.device("cpu")).networks
    norms = torch.linalg.vector_norm(linear_field(networks).double(), dim=1)
    found = [[von_mises_fisher(float(g), 10, float(b), n_nodes=200).overlap ** 0.5 for b in data.beta] for g in norms]
    return np.array(found)


def z_scores(measured, exact):
    """Distances from exact values over networks, (K, K), in errors from the scatter of the differences."""
    difference = measured - exact
    return difference.mean(0) / (difference.std(0, ddof=1) / np.sqrt(len(difference)))


def test_linear_networks_have_products_of_means(data):
    sums = data.arrays[Key.CROSS_MOMENT_SUM][..., 0]
    measured = sums / (data.overlap.shape[0] * data.overlap.shape[3])
    mean = exact_means(data)
    exact = mean[:, :, None] * mean[:, None, :]
    assert np.abs(z_scores(measured, exact)).max() < 6  # Student's t of 7 degrees of freedom, ten numbers
    reversed_order = measured[:, ::-1]  # the twin: one of the two positions in another order of temperatures
    assert np.abs(z_scores(reversed_order, exact)).max() > 20


def test_diagonal_is_the_sum_of_the_histogram(data):
    diagonal = np.diagonal(data.arrays[Key.CROSS_MOMENT_SUM], axis1=1, axis2=2)
    assert np.allclose(diagonal.transpose(0, 2, 1), data.arrays[Key.MOMENT_SUM][:, :, 0], rtol=1e-5, atol=1e-4)


def test_correlation_of_linear_networks_is_one(data):
    """Up to the spread of |g| between networks, which moves a ratio of averages below 1 by little."""
    found = cross_temperature(data)
    mean = exact_means(data)
    average = (mean[:, :, None] * mean[:, None, :]).mean(0)
    expected = average / np.sqrt(np.outer(np.diag(average), np.diag(average)))
    cold = slice(1, None)
    distance = (found.correlation.value - expected)[cold, cold]
    assert np.abs(distance / np.maximum(found.correlation.stderr[cold, cold], 1e-3)).max() < 5
    assert expected[1, 3] > 0.97


def test_command(run_directory, capsys):
    answer = invoke(capsys, "overlap", str(run_directory), "--json")
    assert answer.status == 0
    (record,) = json.loads(answer.out)["runs"]
    crossed = record["cross_temperature"]
    assert np.shape(crossed["mean"]) == (4, 4)
    assert (run_directory / "cross_temperature.png").stat().st_size > 5000
    answer = invoke(capsys, "overlap", str(run_directory))
    assert answer.status == 0
    assert "overlaps between temperatures" in answer.out


def test_without_overlaps_it_is_refused():
    with pytest.raises(ConfigError, match=r"output\.cross_temperature = true needs output\.overlaps = true"):
        parse_config(small_data(output={"overlaps": False, "cross_temperature": True}))


def test_runs_that_do_not_ask_keep_their_hash():
    assert "cross_temperature" not in small_config().physics()["output"]
    asked = small_config(output={"cross_temperature": True})
    assert asked.physics_hash() != small_config().physics_hash()
    assert parse_config(asked.physics()).output.cross_temperature
