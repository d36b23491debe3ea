"""Who is at which temperature: the one place that knows the order of temperatures and of slots."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor


@dataclass
class ExchangeState:
    """The permutations and counters of replica exchange for D networks, K temperatures, R real replicas.

    Temperature index k grows with beta (0 is the hottest). A slot is a place in memory; the walker in it keeps its
    positions while its temperature changes. Ladders of different networks or replicas never mix.

    Fields (written by `exchange` only):
        slot_of_temp: (D, K, R) int64, the slot that is at temperature k;  temp_of_slot: its inverse along axis 1.
        direction:    (D, K, R) int8 by slot: end of the ladder visited last, +1 hottest, -1 coldest, 0 neither yet.
        round_trips:  (D, K, R) int64 by slot: trips hot -> cold -> hot, counted on arrival at the hottest from the
                      coldest. A walker that has not been hottest before counts its first arrival too: one too many
                      at most, and none once the counters are reset after burn-in.
        accept_sum:   (D, K - 1, R) float64: sum over attempts of min(1, exp(log r)), by lower temperature index.
        swap_count:   (D, K - 1, R) int64: accepted swaps.
        n_attempts:   (K - 1,) numpy int64: attempts, the same for every ladder.
    """

    slot_of_temp: Tensor
    temp_of_slot: Tensor
    direction: Tensor
    round_trips: Tensor
    accept_sum: Tensor
    swap_count: Tensor
    n_attempts: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, K, R)."""
        d, k, r = self.slot_of_temp.shape
        return d, k, r

    @property
    def device(self) -> torch.device:
        return self.slot_of_temp.device


def initial_exchange_state(
    n_networks: int, n_temperatures: int, n_replicas: int, device: torch.device | str = "cpu"
) -> ExchangeState:
    """Slot k at temperature k everywhere, the walkers at the two ends marked as coming from there, counters zero."""
    if n_temperatures < 1:
        raise ValueError(f"n_temperatures must be at least 1, found {n_temperatures}")
    d, k, r = n_networks, n_temperatures, n_replicas
    identity = torch.arange(k, device=device)[None, :, None].expand(d, k, r)
    direction = torch.zeros((d, k, r), dtype=torch.int8, device=device)
    if k > 1:  # a single temperature has no ends to travel between
        direction[:, 0] = 1
        direction[:, -1] = -1
    return ExchangeState(
        slot_of_temp=identity.clone(),
        temp_of_slot=identity.clone(),
        direction=direction,
        round_trips=torch.zeros((d, k, r), dtype=torch.int64, device=device),
        accept_sum=torch.zeros((d, k - 1, r), dtype=torch.float64, device=device),
        swap_count=torch.zeros((d, k - 1, r), dtype=torch.int64, device=device),
        n_attempts=np.zeros(k - 1, dtype=np.int64),
    )


def reset_statistics(state: ExchangeState) -> None:
    """Sets the counters to zero, in place; permutations and directions stay, because they are where the walkers are."""
    for counter in (state.round_trips, state.accept_sum, state.swap_count):
        counter.zero_()
    state.n_attempts[:] = 0


def count_attempts(state: ExchangeState, parity: int, times: int = 1) -> None:
    """Notes that every pair of that parity was tried once more, or so many times more."""
    state.n_attempts[parity::2] += times


def check_invariants(state: ExchangeState) -> None:
    """Raises AssertionError unless the permutations are inverse of each other and every counter is possible.

    The `accept_sum` may be NaN (an energy was); every other impossibility is a bug of ours.
    """
    d, k, r = state.shape
    identity = torch.arange(k, device=state.device)[None, :, None].expand(d, k, r)
    assert torch.equal(state.slot_of_temp.sort(dim=1).values, identity), "slot_of_temp is not a permutation"
    assert torch.equal(state.temp_of_slot.gather(1, state.slot_of_temp), identity), "temp_of_slot is not its inverse"
    attempts = torch.from_numpy(state.n_attempts).to(state.device)[None, :, None]
    assert bool((state.swap_count >= 0).all()), "negative swap_count"
    assert bool((state.swap_count <= attempts).all()), "more swaps than attempts"
    assert not bool((state.accept_sum < 0).any()), "negative accept_sum"
    # each p is at most 1 and a sum of n of them is off by at most n roundings of n
    assert not bool((state.accept_sum > attempts * (1 + 2.3e-16 * attempts)).any()), "accept_sum above the attempts"
    assert bool((state.direction.abs() <= 1).all()), "direction outside -1, 0, +1"
    assert bool((state.round_trips >= 0).all()), "negative round_trips"


def _along_axis_1(index: Tensor, values: Tensor) -> Tensor:
    if values.shape[:3] != index.shape:
        raise ValueError(f"values must start with the axes (D, K, R) = {list(index.shape)}, found {list(values.shape)}")
    if values.dim() == 3:
        return values.gather(1, index)
    d, k, r = index.shape
    network = torch.arange(0, d * k * r, k * r, device=index.device).view(d, 1, 1)
    rows = network + index * r + torch.arange(r, device=index.device)
    # whole rows: an index for each of their numbers takes longer to read than the numbers
    return values.reshape(d * k * r, *values.shape[3:]).index_select(0, rows.flatten()).view(values.shape)


def to_temperature_order(values_by_slot: Tensor, state: ExchangeState, networks: slice = slice(None)) -> Tensor:
    """(D, K, R, ...) by slot -> the same values by temperature; of some of the networks if these are given."""
    return _along_axis_1(state.slot_of_temp[networks], values_by_slot)


def to_slot_order(values_by_temperature: Tensor, state: ExchangeState) -> Tensor:
    """(K,) or (D, K, R, ...) by temperature -> (D, K, R, ...), the values by slot."""
    if values_by_temperature.dim() == 1:
        return values_by_temperature[state.temp_of_slot]
    return _along_axis_1(state.temp_of_slot, values_by_temperature)


def beta_of_slot(beta: Tensor, state: ExchangeState) -> Tensor:
    """(K,) increasing inverse temperatures -> (D, K, R), the one that each slot is at."""
    if beta.shape != (state.shape[1],):
        raise ValueError(f"beta must have shape [{state.shape[1]}], found {list(beta.shape)}")
    return to_slot_order(beta, state)


def state_dict(state: ExchangeState) -> dict[str, np.ndarray]:
    """Copies of all fields as numpy arrays, by field name, for a checkpoint."""
    arrays = {}
    for field in fields(state):
        value = getattr(state, field.name)
        arrays[field.name] = value.cpu().numpy().copy() if isinstance(value, Tensor) else value.copy()
    return arrays


def from_state_dict(arrays: Mapping[str, np.ndarray], device: torch.device | str = "cpu") -> ExchangeState:
    """The state that `state_dict` saved, bit for bit, checked to be a possible one."""
    names = [field.name for field in fields(ExchangeState)]
    if sorted(arrays) != sorted(names):
        raise ValueError(f"expected the arrays {sorted(names)}, found {sorted(arrays)}")
    tensors = {name: torch.from_numpy(np.array(arrays[name])).to(device) for name in names if name != "n_attempts"}
    state = ExchangeState(**tensors, n_attempts=np.array(arrays["n_attempts"], dtype=np.int64))
    check_invariants(state)
    return state
