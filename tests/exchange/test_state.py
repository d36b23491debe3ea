import numpy as np
import pytest
import torch

from mcmc.exchange.state import (
    beta_of_slot,
    check_invariants,
    from_state_dict,
    initial_exchange_state,
    reset_statistics,
    state_dict,
    to_slot_order,
    to_temperature_order,
)
from tests.exchange.cases import assert_same_state, copy_state, swap_case


@pytest.mark.parametrize(("d", "k", "r"), [(3, 5, 2), (1, 1, 1), (0, 4, 1), (2, 2, 3)])
def test_initial_state(d, k, r):
    state = initial_exchange_state(d, k, r)
    check_invariants(state)
    assert state.shape == (d, k, r)
    assert state.accept_sum.shape == (d, k - 1, r)
    assert state.n_attempts.shape == (k - 1,)
    if k > 1:
        assert (state.direction[:, 0] == 1).all()
        assert (state.direction[:, -1] == -1).all()
        assert (state.direction[:, 1:-1] == 0).all()
    else:
        assert (state.direction == 0).all()


def test_orders_are_inverse_of_each_other():
    state = swap_case(4, 6, 3, 0).state
    values = torch.randn(4, 6, 3, 2)
    assert torch.equal(to_slot_order(to_temperature_order(values, state), state), values)
    assert torch.equal(to_temperature_order(to_slot_order(values, state), state), values)


def test_orders_follow_the_definition():
    state = swap_case(2, 5, 2, 0).state
    by_slot = torch.randn(2, 5, 2)
    by_temperature = to_temperature_order(by_slot, state)
    for d in range(2):
        for k in range(5):
            for r in range(2):
                assert by_temperature[d, k, r] == by_slot[d, state.slot_of_temp[d, k, r], r]


def test_beta_of_slot_is_the_ladder_in_temperature_order():
    state = swap_case(3, 4, 2, 0).state
    beta = torch.tensor([0.0, 0.3, 0.5, 2.0], dtype=torch.float64)
    by_slot = beta_of_slot(beta, state)
    assert by_slot.shape == (3, 4, 2)
    assert torch.equal(to_temperature_order(by_slot, state), beta[None, :, None].expand(3, 4, 2))


def test_shapes_are_checked():
    state = initial_exchange_state(3, 4, 2)
    with pytest.raises(ValueError, match=r"beta must have shape \[4\], found \[5\]"):
        beta_of_slot(torch.zeros(5), state)
    with pytest.raises(ValueError, match=r"\(D, K, R\) = \[3, 4, 2\], found \[3, 4, 1\]"):
        to_temperature_order(torch.zeros(3, 4, 1), state)
    with pytest.raises(ValueError, match="n_temperatures must be at least 1, found 0"):
        initial_exchange_state(1, 0, 1)


def test_reset_keeps_the_walkers_where_they_are():
    state = swap_case(3, 5, 2, 0).state
    before = copy_state(state)
    reset_statistics(state)
    assert torch.equal(state.slot_of_temp, before.slot_of_temp)
    assert torch.equal(state.direction, before.direction)
    assert int(state.round_trips.sum()) == 0
    assert float(state.accept_sum.sum()) == 0.0
    assert int(state.swap_count.sum()) == 0
    assert (state.n_attempts == 0).all()


def test_state_survives_a_checkpoint_bit_for_bit():
    state = swap_case(3, 5, 2, 0).state
    arrays = state_dict(state)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    restored = from_state_dict(arrays)
    assert_same_state(restored, state)
    state.round_trips += 1  # the saved arrays and the restored tensors are copies
    assert (restored.round_trips + 1 == state.round_trips).all()
    assert (arrays["round_trips"] == restored.round_trips.numpy()).all()


def test_missing_array_is_named():
    arrays = state_dict(initial_exchange_state(1, 2, 1))
    del arrays["direction"]
    with pytest.raises(ValueError, match="direction"):
        from_state_dict(arrays)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("slot_of_temp", 1, "not a permutation"),
        ("temp_of_slot", 1, "not its inverse"),
        ("direction", 2, "direction outside"),
        ("round_trips", -1, "negative round_trips"),
        ("swap_count", 10**6, "more swaps than attempts"),
        ("accept_sum", 1e6, "above the attempts"),
        ("accept_sum", -1.0, "negative accept_sum"),
    ],
)
def test_invariants_catch_an_impossible_state(name, value, message):
    state = initial_exchange_state(2, 3, 2)
    getattr(state, name)[1, 0, 1] = value
    with pytest.raises(AssertionError, match=message):
        check_invariants(state)
