"""What the pilot measures: costs that know a good trajectory from a bad one, on chains taken over exactly."""

import numpy as np
import pytest
import torch

from mcmc.exchange.state import to_temperature_order
from mcmc.pilot.trajectories import equilibrate, measure_cost, restarted
from tests.support.runs import small_config


@pytest.fixture(scope="module")
def base():
    return equilibrate(
        small_config(
            model={"activation": "tanh", "n_inputs": 32, "n_networks": 8},
            tempering={"beta_max": 4.0, "n_temperatures": 4, "n_replicas": 2},
            run={"n_burn_in": 200},
        )
    )


def changed(base, **sampler):
    return base.config.sampler.model_copy(update=sampler)


def test_restarted_chains_are_those_of_the_base_in_temperature_order(base):
    wanted = to_temperature_order(base.energy_by_slot(), base.exchange)
    assert not torch.equal(wanted, base.energy_by_slot())  # the base has exchanged, or this shows nothing
    found = restarted(base, changed(base, kernel="mala"), exchange=False)
    assert torch.allclose(found.energy_by_slot(), wanted, rtol=1e-5, atol=1e-4)
    assert found.ladder.betas == base.ladder.betas


def test_a_crawling_trajectory_costs_more(base):
    """One leapfrog step of fixed small size needs many more draws than a tuned trajectory, at every beta > 0."""
    good = measure_cost(base, changed(base, n_leapfrog=6), n_gradients=1200)
    bad = measure_cost(base, changed(base, n_leapfrog=1, step_size=0.05), n_gradients=1200)
    gradients = [cost.gradients_per_draw * np.fmax(cost.energy, cost.overlap) for cost in (good, bad)]
    assert (gradients[1][1:] > 3 * gradients[0][1:]).all(), gradients


def test_a_trajectory_of_iid_draws_costs_one_draw(base):
    """At beta = 0 every draw is a fresh uniform point: one draw for an effective one."""
    cost = measure_cost(base, changed(base, n_leapfrog=2), n_gradients=2000)
    assert base.ladder.betas[0] == 0
    assert cost.energy[0] == pytest.approx(1.0, abs=0.1)
    assert cost.overlap[0] == pytest.approx(1.0, abs=0.1)
    assert (cost.gradients_per_draw == 2).all()
    assert cost.seconds_per_draw > 0


def test_a_single_replica_has_no_overlap(base):
    config = base.config.model_copy(
        update={
            "tempering": base.config.tempering.model_copy(update={"n_replicas": 1}),
            "output": base.config.output.model_copy(update={"overlaps": False}),
        }
    )
    cost = measure_cost(equilibrate(config), config.sampler, n_gradients=600)
    assert np.isnan(cost.overlap).all()
    assert np.isfinite(cost.seconds).all()
