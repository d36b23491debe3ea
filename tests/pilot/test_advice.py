"""What the pilot recommends, and the command that writes it down."""

import json
import tomllib

import numpy as np
import pytest

from mcmc.config import load_config, parse_config
from mcmc.exchange.barrier import fewest_temperatures
from mcmc.pilot import advice
from mcmc.pilot.advice import advise
from tests.support.cli import invoke
from tests.support.runs import as_toml, small_config, small_data

RUN = {
    "model": {"activation": "tanh", "n_inputs": 32, "n_networks": 8},
    "sampler": {"n_leapfrog": 1, "target_acceptance": 0.98},
    "tempering": {"beta_max": 6.0, "n_temperatures": 9, "n_replicas": 2},
    "run": {"n_burn_in": 300, "seed": 3},
}


@pytest.fixture(scope="module")
def found():
    return advise(small_config(**RUN), n_gradients=600)


def test_a_poor_sampler_is_improved(found):
    """One short step at an acceptance of 0.98 is a poor start; the tuned sampler costs a fraction of it."""
    assert found.gain[-1] > 2
    assert found.after.seconds.sum() == min(cost.seconds.sum() for cost in found.tried)
    assert found.config.model.n_networks == RUN["model"]["n_networks"]


def test_number_of_temperatures_follows_the_barrier(found):
    assert found.barrier is not None
    assert found.config.tempering.n_temperatures == fewest_temperatures(found.barrier)
    assert len(found.betas) == found.config.tempering.n_temperatures


def test_a_given_ladder_stays():
    betas = [0.0, 1.0, 2.0]
    given = {"tempering": {"betas": betas, "n_replicas": 2}, "run": {"n_burn_in": 100}}
    config = parse_config({"model": {**RUN["model"], "width_ratios": [1.0]}, **given})
    assert advise(config, n_gradients=100).betas == tuple(betas)


def test_shortest_of_the_nearly_best():
    costs = np.array([[1.04, 3.0], [1.0, 2.0], [0.999, 1.0]])
    assert advice._shortest_nearly_best(costs).tolist() == [0, 2]


def test_command_writes_a_configuration_that_runs(capsys, tmp_path):
    source, tuned = tmp_path / "run.toml", tmp_path / "tuned.toml"
    source.write_text(as_toml(small_data(**RUN)))
    answer = invoke(capsys, "tune", str(source), "--gradients", "100", "--out", str(tuned), "--json")
    assert answer.status == 0, answer.err
    facts = json.loads(answer.out)
    config = load_config(tuned)
    assert config.sampler.model_dump(mode="json") == facts["sampler"]
    assert config.tempering.n_temperatures == facts["n_temperatures"] == len(facts["temperatures"])
    given = load_config(source)
    assert (config.model, config.run, config.output) == (given.model, given.run, given.output)
    assert tomllib.loads(tuned.read_text())
    again = invoke(capsys, "tune", str(source), "--out", str(tuned))
    assert again.status == 2
    assert "exists" in again.err


def test_too_short_a_pilot_is_refused(capsys, tmp_path):
    source = tmp_path / "run.toml"
    source.write_text(as_toml(small_data(**RUN)))
    answer = invoke(capsys, "tune", str(source), "--gradients", "3")
    assert answer.status == 2
    assert "at least 100" in answer.err
