"""Draws of many replicas in memory: the loop of production, and only what came after burn-in."""

import numpy as np
import pytest
import torch

from mcmc.exchange.state import to_temperature_order
from mcmc.run.replicas import draw_replicas
from tests.support.runs import small_config


@pytest.fixture(scope="module")
def draws():
    config = small_config(tempering={"n_replicas": 5}, sampler={"step_size": 0.3, "steps_per_sweep": 2})
    return draw_replicas(config, n_burn_in=7, n_draws=6)


def test_shapes(draws):
    assert draws.energy.shape == (6, 3, 4, 5)
    assert draws.overlap.shape == (6, 3, 4, 2)  # the fifth replica has no partner
    assert (draws.energy.dtype, draws.overlap.dtype) == (np.float64, np.float64)


def test_last_draw_is_the_state_at_the_end(draws):
    simulation = draws.simulation
    measured = simulation.measure()
    np.testing.assert_allclose(draws.energy[-1], measured.energy.numpy() / 8, rtol=1e-12)
    pairs = measured.overlaps.between[..., 0].numpy()  # (0,1) (0,2) (0,3) (0,4) (1,2) (1,3) (1,4) (2,3) ...
    np.testing.assert_allclose(draws.overlap[-1], pairs[..., [0, 7]], rtol=1e-5, atol=1e-7)  # float32 products there
    again = to_temperature_order(simulation.energy_by_slot(), simulation.exchange).numpy() / 8
    np.testing.assert_allclose(draws.energy[-1], again, rtol=1e-12)


def test_diagnostics_are_of_the_draws_alone(draws):
    assert int(draws.simulation.diagnostics.tensors["n_steps"]) == 6 * 2
    assert draws.simulation.sweep == 7 + 6


def test_nothing_is_adapted(draws):
    assert draws.simulation.tuner.step_size.tolist() == pytest.approx([0.3] * 4, rel=1e-15)
    assert draws.simulation.ladder.betas == (0.0, 1.0, 2.0, 3.0)


def test_blocks_do_not_matter(draws):
    config = small_config(
        tempering={"n_replicas": 5}, sampler={"step_size": 0.3, "steps_per_sweep": 2}, run={"block_networks": 2}
    )
    blocks = draw_replicas(config, n_burn_in=7, n_draws=6)
    assert torch.equal(torch.from_numpy(blocks.energy), torch.from_numpy(draws.energy))
    assert np.array_equal(blocks.overlap, draws.overlap)
