"""Identities of the exchange move that hold for any energies and any uniforms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mcmc import native
from mcmc.exchange import ops
from mcmc.exchange.pairs import deo_pairs
from mcmc.exchange.state import (
    beta_of_slot,
    check_invariants,
    initial_exchange_state,
    reset_statistics,
    to_temperature_order,
)
from tests.exchange.cases import assert_same_state, copy_state, swap_case, uniforms

BACKENDS = ["reference"] + (["extension"] if native.BACKEND == "extension" else [])


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def walk_by_hand(k: int, n_sweeps: int) -> np.ndarray:
    """Temperature of each walker after each sweep when every swap is accepted, one walker at a time."""
    temperature = np.arange(k)
    history = [temperature.copy()]
    for sweep in range(n_sweeps):
        for i, j in deo_pairs(k, sweep % 2):
            at_i, at_j = np.flatnonzero(temperature == i)[0], np.flatnonzero(temperature == j)[0]
            temperature[at_i], temperature[at_j] = j, i
        history.append(temperature.copy())
    return np.array(history)


def always_accepted(k: int, n_sweeps: int, state, backend: str) -> None:
    d, _, r = state.shape
    beta = torch.linspace(0.0, 1.0, k, dtype=torch.float64)
    energy = torch.zeros((d, k, r), dtype=torch.float64)  # equal energies: log r = 0, p = 1
    for sweep in range(n_sweeps):
        u = torch.full((d, (k - sweep % 2) // 2, r), 1 - 2.0**-53, dtype=torch.float64)
        ops.exchange(u, energy, beta, state, sweep % 2, backend=backend)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 8, 9])
def test_always_accepted_has_period_2k(k, backend):
    state = initial_exchange_state(2, k, 3)
    identity = state.slot_of_temp.clone()
    always_accepted(k, 2 * k, state, backend)
    assert torch.equal(state.slot_of_temp, identity)
    # and no shorter one: the state of the walk is (permutation, parity), so only even numbers of sweeps count
    for n_sweeps in range(2, 2 * k, 2):
        early = initial_exchange_state(2, k, 3)
        always_accepted(k, n_sweeps, early, backend)
        assert not torch.equal(early.slot_of_temp, identity), f"period {n_sweeps}"


@pytest.mark.parametrize("k", [2, 3, 6, 7])
def test_always_accepted_makes_one_round_trip_a_period(k, backend):
    state = initial_exchange_state(2, k, 3)
    always_accepted(k, 2 * k, state, backend)
    reset_statistics(state)
    always_accepted(k, 2 * k, state, backend)
    assert (state.round_trips == 1).all()
    assert state.n_attempts.tolist() == [k] * (k - 1)
    assert (state.swap_count == k).all()
    assert (state.accept_sum == k).all()


@pytest.mark.parametrize("k", [2, 3, 5, 6])
def test_round_trips_and_directions_follow_the_walkers(k, backend):
    """Against a second count, made by hand from the walkers' histories."""
    n_sweeps = 5 * k + 1
    history = walk_by_hand(k, n_sweeps)
    state = initial_exchange_state(1, k, 1)
    always_accepted(k, n_sweeps, state, backend)
    assert state.temp_of_slot[0, :, 0].tolist() == history[-1].tolist()
    for walker in range(k):
        direction, trips = (1 if walker == 0 else -1 if walker == k - 1 else 0), 0
        for before, now in zip(history[:-1, walker], history[1:, walker], strict=True):
            if before == now:
                continue
            if now == 0:
                trips += direction == -1
                direction = 1
            elif now == k - 1:
                direction = -1
        assert int(state.direction[0, walker, 0]) == direction
        assert int(state.round_trips[0, walker, 0]) == trips


def test_never_accepted_leaves_everything(backend):
    state = swap_case(3, 6, 2, 0).state
    reset_statistics(state)
    before = copy_state(state)
    beta = torch.linspace(0.0, 1.0, 6, dtype=torch.float64)
    # the colder the higher: log r = -(1/5) 10^6 for each pair
    energy = beta_of_slot(torch.arange(6, dtype=torch.float64) * 1e6, state)
    energy = -energy  # (beta_i - beta_j) < 0 and H_i - H_j = +10^6
    ops.exchange(torch.full((3, 3, 2), 1e-300, dtype=torch.float64), energy, beta, state, 0, backend=backend)
    assert torch.equal(state.slot_of_temp, before.slot_of_temp)
    assert int(state.swap_count.sum()) == 0
    assert float(state.accept_sum.sum()) == 0.0
    assert state.n_attempts.tolist() == [1, 0, 1, 0, 1]


def test_sign_cold_takes_the_lower_energy(backend):
    """One pair: the colder temperature always accepts the lower energy, and rarely a much higher one."""
    beta = torch.tensor([0.5, 2.0], dtype=torch.float64)
    u = torch.full((1, 1, 1), 0.5, dtype=torch.float64)
    for energies, is_accepted, p in (([-3.0, 1.0], True, 1.0), ([1.0, -3.0], False, np.exp(-6.0))):
        state = initial_exchange_state(1, 2, 1)
        energy = torch.tensor(energies, dtype=torch.float64).reshape(1, 2, 1)
        ops.exchange(u, energy, beta, state, 0, backend=backend)
        assert bool(state.swap_count.item()) is is_accepted
        assert state.accept_sum.item() == pytest.approx(p, rel=1e-15)


def test_ladders_do_not_mix(backend):
    """A swap in one network and replica leaves the others as they are."""
    state = initial_exchange_state(3, 4, 2)
    beta = torch.linspace(0.0, 3.0, 4, dtype=torch.float64)
    energy = -beta_of_slot(torch.arange(4, dtype=torch.float64) * 1e6, state)  # no swap anywhere
    energy[1, :, 1] = -energy[1, :, 1]  # every swap here
    ops.exchange(torch.full((3, 2, 2), 0.5, dtype=torch.float64), energy, beta, state, 0, backend=backend)
    assert state.swap_count.sum(dim=1).tolist() == [[0, 0], [0, 2], [0, 0]]
    assert state.slot_of_temp[1, :, 1].tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize("energies", [[float("nan"), 0.0], [0.0, float("nan")], [float("inf"), float("inf")]])
def test_nan_is_never_a_quiet_rejection(energies, backend):
    state = initial_exchange_state(1, 4, 1)
    energy = torch.tensor([*energies, -1.0, -1.0], dtype=torch.float64).reshape(1, 4, 1)
    beta = torch.linspace(0.1, 1.0, 4, dtype=torch.float64)
    ops.exchange(torch.full((1, 2, 1), 1e-9, dtype=torch.float64), energy, beta, state, 0, backend=backend)
    assert state.accept_sum[0, :, 0].isnan().tolist() == [True, False, False]
    assert state.slot_of_temp[0, :, 0].tolist() == [0, 1, 3, 2]  # the bad pair untouched, the good one swapped
    check_invariants(state)


def test_one_infinite_energy_belongs_at_the_hottest(backend):
    beta = torch.tensor([0.1, 1.0], dtype=torch.float64)
    for energies, swaps in (([0.0, float("inf")], 1), ([float("inf"), 0.0], 0)):
        state = initial_exchange_state(1, 2, 1)
        energy = torch.tensor(energies, dtype=torch.float64).reshape(1, 2, 1)
        ops.exchange(torch.full((1, 1, 1), 0.5, dtype=torch.float64), energy, beta, state, 0, backend=backend)
        assert int(state.swap_count.sum()) == swaps
        assert float(state.accept_sum.sum()) == swaps


energies = st.sampled_from([-5.0, -1.0, 0.0, 0.1, 0.1, 3.0, 700.0, -2000.0, float("inf"), float("nan")])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), k=st.integers(1, 7), r=st.integers(1, 3), n_sweeps=st.integers(1, 12))
def test_any_sequence_of_swaps_keeps_the_invariants(data, k, r, n_sweeps):
    state = initial_exchange_state(2, k, r)
    twin = initial_exchange_state(2, k, r)
    beta = torch.linspace(0.0, 2.0, k, dtype=torch.float64) + 0.05
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**20)))
    for _ in range(n_sweeps):
        parity = data.draw(st.integers(0, 1))
        values = data.draw(st.lists(energies, min_size=2 * k * r, max_size=2 * k * r))
        energy = torch.tensor(values, dtype=torch.float64).reshape(2, k, r)
        u = uniforms(2, k, r, parity, generator)
        before = to_temperature_order(energy, state)
        ops.exchange(u, energy, beta, state, parity)
        ops.exchange(u, energy, beta, twin, parity, backend="reference")
        check_invariants(state)
        assert_same_state(state, twin)
        after = to_temperature_order(energy, state)
        torch.testing.assert_close(before.sort(dim=1).values, after.sort(dim=1).values, rtol=0, atol=0, equal_nan=True)


def test_backend_argument_is_checked():
    case = swap_case(1, 2, 1, 0)
    with pytest.raises(ValueError, match="'extension' or 'reference', found 'fast'"):
        ops.deo_swap_(**case.arguments(), backend="fast")
