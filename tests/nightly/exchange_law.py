"""Replica exchange at fixed energies, solved exactly: a Markov chain over permutations and directions of travel.

Where energies belong to slots and never change, a ladder of K temperatures has K! permutations, and 3^K directions at
most. One round of one parity multiplies its law by a matrix of products of p and 1 - p. The stationary law of the
permutations, exp(-sum_k beta_k H(slot of k)), is an independent answer to both matrices.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy.sparse import csr_array

from mcmc.exchange.state import ExchangeState, initial_exchange_state
from tests.nightly.pvalues import Found, chi_square, joined, student, two_sided

State = tuple[tuple[int, ...], tuple[int, ...]]  # slot of each temperature, direction of each slot
# (energy (D, K, R), beta, state, round): one round of swaps in place
Round = Callable[[torch.Tensor, torch.Tensor, ExchangeState, int], None]


@dataclass(frozen=True)
class ExactExchange:
    """The chain of one ladder.

    Attributes:
        states:      all that can be reached, the initial one first.
        transition:  of parity 0 and 1, (M, M).
        accepted:    of parity 0 and 1, (M, K - 1) probability that a pair is exchanged.
        round_trips: of parity 0 and 1, (M,) expected number that ends in the round.
    """

    beta: np.ndarray
    energy: np.ndarray
    states: list[State]
    transition: tuple[csr_array, csr_array]
    accepted: tuple[np.ndarray, np.ndarray]
    round_trips: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, beta: np.ndarray, energy: np.ndarray) -> "ExactExchange":
        """By visiting every state from the initial one."""
        k = len(beta)
        start = (tuple(range(k)), (1, *[0] * (k - 2), -1))
        place, states, entries = {start: 0}, [start], ([], [])
        trips: tuple[list[float], list[float]] = ([], [])
        for state in states:  # grows while it is read
            for parity in (0, 1):
                expected = 0.0
                for after, probability, n_trips in _outcomes(state, beta, energy, parity):
                    if after not in place:
                        place[after] = len(states)
                        states.append(after)
                    entries[parity].append((place[state], place[after], probability))
                    expected += probability * n_trips
                trips[parity].append(expected)
        shape = (len(states), len(states))
        matrices = [csr_array((w, (i, j)), shape) for i, j, w in (zip(*e, strict=True) for e in entries)]
        accepted = [np.array([_acceptance(s, beta, energy, parity) for s, _ in states]) for parity in (0, 1)]
        return cls(beta, energy, states, tuple(matrices), tuple(accepted), tuple(map(np.array, trips)))

    def laws(self) -> Iterator[np.ndarray]:
        """(M,) before round 0, 1, 2, ..., parities alternating from 0."""
        law = np.zeros(len(self.states))
        law[0] = 1.0
        number = 0
        while True:
            yield law
            law = law @ self.transition[number % 2]
            number += 1


def _pairs(k: int, parity: int) -> range:
    return range(parity, k - 1, 2)


def _acceptance(slots: tuple[int, ...], beta: np.ndarray, energy: np.ndarray, parity: int) -> np.ndarray:
    p = np.zeros(len(beta) - 1)
    for i in _pairs(len(beta), parity):
        p[i] = math.exp(min(0.0, (beta[i] - beta[i + 1]) * (energy[slots[i]] - energy[slots[i + 1]])))
    return p


def _outcomes(state: State, beta: np.ndarray, energy: np.ndarray, parity: int) -> Iterator[tuple[State, float, int]]:
    """(state after, probability, round trips) for every set of accepted pairs."""
    slots, directions = state
    k, p = len(slots), _acceptance(slots, beta, energy, parity)
    for choice in product((True, False), repeat=len(_pairs(k, parity))):
        after, travel, probability, n_trips = list(slots), list(directions), 1.0, 0
        for i, is_accepted in zip(_pairs(k, parity), choice, strict=True):
            probability *= p[i] if is_accepted else 1 - p[i]
            if not is_accepted:
                continue
            after[i], after[i + 1] = after[i + 1], after[i]
            if i == 0:
                n_trips += travel[after[0]] == -1
                travel[after[0]] = 1
            if i + 1 == k - 1:
                travel[after[-1]] = -1
        if probability > 0:
            yield (tuple(after), tuple(travel)), probability, n_trips


def exchange_found(exact: ExactExchange, swap: Round, *, n_networks: int, n_replicas: int, n_rounds: int) -> Found:
    """Independent ladders at the same energies, every decision in one p-value at least.

    Of each round, the swaps of each pair are binomial; of rounds 1, 2, 4, 8, ..., the joint state before and after is
    multinomial; the counters and round trips of a ladder have a known mean.
    """
    k, n = len(exact.beta), n_networks * n_replicas
    state = initial_exchange_state(n_networks, k, n_replicas)
    energy = torch.from_numpy(exact.energy)[None, :, None].expand(n_networks, k, n_replicas).contiguous()
    beta = torch.from_numpy(exact.beta)
    place = {_code(np.array(s)[:, None], np.array(d)[:, None])[0]: i for i, (s, d) in enumerate(exact.states)}
    laws, found = exact.laws(), {}
    expected_count, expected_trips = np.zeros(k - 1), 0.0
    swaps = np.zeros((n_rounds, k - 1), dtype=np.int64)
    chance = np.zeros((n_rounds, k - 1))
    total = np.zeros(k - 1, dtype=np.int64)
    for number in range(n_rounds):
        law, parity = next(laws), number % 2
        is_looked_at = number + 1 & number == 0
        before = _places(state, place) if is_looked_at else None
        swap(energy, beta, state, number)
        chance[number] = law @ exact.accepted[parity]
        expected_count += chance[number]
        expected_trips += law @ exact.round_trips[parity]
        now = state.swap_count.sum((0, 2)).numpy()
        swaps[number], total = now - total, now
        if before is not None:
            joint = (exact.transition[parity] * law[:, None]).tocoo()
            seen = before * len(exact.states) + _places(state, place)
            found[f"states of round {number}"] = chi_square(seen, joint.row * len(exact.states) + joint.col, joint.data)
    is_tried = chance > 0
    found["swaps of a pair in a round"] = two_sided(swaps[is_tried], n, np.minimum(chance[is_tried], 1.0))
    by_ladder = {
        "swaps of a ladder": state.swap_count.double() - torch.from_numpy(expected_count)[None, :, None],
        "probabilities of a ladder": state.accept_sum - torch.from_numpy(expected_count)[None, :, None],
        "round trips of a ladder": state.round_trips.double().sum(1, keepdim=True) - expected_trips,
    }
    found |= {name: student(t.movedim(1, -1).reshape(n, -1).numpy()) for name, t in by_ladder.items()}
    return joined(found)


def _code(slots: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """A number for each column of (K, n) slots and directions."""
    k = len(slots)
    return (k ** np.arange(k)) @ slots + k**k * ((3 ** np.arange(k)) @ (directions + 1))


def _places(state: ExchangeState, place: dict[int, int]) -> np.ndarray:
    """(n,) place of every ladder among the states; -1 for one that no swap leads to."""
    k = state.shape[1]
    slots, directions = (
        t.movedim(1, 0).reshape(k, -1).numpy().astype(np.int64) for t in (state.slot_of_temp, state.direction)
    )
    table = np.full(k**k * 3**k, -1)
    table[list(place)] = list(place.values())
    return table[_code(slots, directions)]
