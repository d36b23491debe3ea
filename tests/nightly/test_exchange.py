"""10^8 decisions of the compiled exchange against exact permutation statistics, and rules with a fault, caught."""

from itertools import islice

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.exchange import ops
from mcmc.rng import Purpose, Streams
from tests.nightly.conftest import IS_FULL, seed_of
from tests.nightly.exchange_law import ExactExchange, exchange_found
from tests.nightly.pvalues import limit

pytestmark = [
    pytest.mark.statistical,
    pytest.mark.skipif(native.BACKEND == "reference", reason=f"no extension: {native.extension_error}"),
]

N_RULES = 2
SHAPES = {  # networks, replicas, rounds: times 3/2 decisions a round for four temperatures
    "count_and_swap_": (4000, 25, 668) if IS_FULL else (400, 25, 68),  # 1.002e8, 1.02e6
    "deo_swap_": (2000, 25, 134) if IS_FULL else (200, 25, 34),
}


def ladder(seed: int) -> ExactExchange:
    """Four temperatures and lopsided energies, new ones for every seed."""
    fresh = np.random.default_rng(seed)
    beta = 0.2 + np.cumsum(fresh.uniform(0.2, 0.8, 4))
    return ExactExchange.of(beta, fresh.permutation([-1.3, 0.2, 0.9, 3.1]) + fresh.uniform(-0.3, 0.3, 4))


def production_rule(seed: int, n_networks: int, n_replicas: int):
    """The operator that a sweep calls: uniforms are drawn inside, statistics are counted along."""
    streams = Streams.of(seed, range(n_networks), range(n_replicas))
    statistics = torch.zeros((n_networks, 4 * n_replicas, 4), dtype=torch.float64)
    sums = torch.zeros((4, n_networks, 4, n_replicas), dtype=torch.float64)

    def swap(energy, beta, state, number):
        ops.count_and_swap(statistics, energy, beta, state, streams, number, number % 2, sums)

    return swap


def plain_rule(seed: int, n_networks: int, n_replicas: int, change=lambda u, energy, beta: (u, energy, beta)):
    """The operator that takes its uniforms as an argument."""
    streams = Streams.of(seed, range(n_networks), range(n_replicas))

    def swap(energy, beta, state, number):
        u = streams.uniform(Purpose.SWAP, number, (4 - number % 2) // 2).transpose(1, 2)
        u, energy, beta = change(u, energy, beta)
        ops.swap_pairs(u.contiguous(), energy, beta, state, number % 2, backend="extension")

    return swap


RULES = {"count_and_swap_": production_rule, "deo_swap_": plain_rule}
assert len(RULES) == N_RULES


def found_by(rule: str, seed: int, **others):
    n_networks, n_replicas, n_rounds = SHAPES[rule]
    swap = RULES[rule](seed, n_networks, n_replicas, **others)
    return exchange_found(ladder(seed), swap, n_networks=n_networks, n_replicas=n_replicas, n_rounds=n_rounds)


@pytest.mark.parametrize("rule", RULES)
def test_exchange(rule, judge):
    seed = seed_of("exchange", rule)
    judge(found_by(rule, seed), N_RULES, "exchange", f"{rule}, four temperatures", "on", seed)


@pytest.mark.parametrize(
    "change",
    [
        lambda u, energy, beta: (u, -energy, beta),
        lambda u, energy, beta: (u[:, :1].expand_as(u), energy, beta),
        lambda u, energy, beta: (u[:1].expand_as(u), energy, beta),
        lambda u, energy, beta: (u, energy, 1.02 * beta),
        lambda u, energy, beta: (torch.round(u * 256) / 256, energy, beta),
    ],
    ids=["wrong sign", "one number for all pairs", "one number for all networks", "2 % colder", "8 bits"],
)
def test_fault_is_caught(change):
    seed = seed_of("exchange fault")
    assert found_by("deo_swap_", seed, change=change).p < limit(N_RULES)


def test_exact_chain_has_the_exact_stationary_law():
    """exp(-sum_k beta_k H) over permutations, which no matrix was made from."""
    exact = ladder(3)
    slots = np.array([s for s, _ in exact.states])
    permutations, of_state = np.unique(slots, axis=0, return_inverse=True)
    law = np.exp(-(exact.energy[permutations] * exact.beta).sum(1))
    law /= law.sum()
    found = next(islice(exact.laws(), 4000, None))
    np.testing.assert_allclose(np.bincount(of_state.ravel(), found), law, rtol=1e-8)
