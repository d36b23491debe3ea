"""Exchange leaves the joint law of all temperatures invariant, and accepts at the exact rate.

Target: density of states g(H) = 1 on H >= 0, so H at inverse temperature beta is exponential with mean 1/beta:
lopsided, exactly drawn, and the mean acceptance of a pair is the overlap integral

    a(b, c) = E[min(1, exp((b - c)(H_b - H_c)))] = 2 P(H_b < H_c) = 2 b / (b + c)        for b < c,

because detailed balance makes the two halves of the integral equal.
"""

import numpy as np
import pytest
import torch
from scipy import stats

from mcmc.exchange import ops
from mcmc.exchange.barrier import measure_barrier, rejection_by_network, rejection_rates
from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import beta_of_slot, initial_exchange_state, reset_statistics, to_temperature_order
from tests.exchange.cases import uniforms

BETA = torch.tensor([0.4, 0.7, 1.0, 1.9, 2.5], dtype=torch.float64)
EXACT_ACCEPTANCE = (2 * BETA[:-1] / (BETA[:-1] + BETA[1:])).numpy()
N_SIGMA = 5.0
MIN_P = 1e-6


def reversed_exchange(u, energy, beta, state, parity):
    """The published mistake: the sign of the log ratio turned around."""
    ops.exchange(u, -energy, beta, state, parity)


def exponential_draws(shape, generator) -> torch.Tensor:
    return -torch.log1p(-torch.rand(shape, dtype=torch.float64, generator=generator))


def energies_after_swaps(exchange, n_sweeps: int = 7, d: int = 6000, seed: int = 11) -> torch.Tensor:
    """Exact draws at every temperature, then swaps alone -> (D, K) energies by temperature."""
    k = BETA.shape[0]
    generator = torch.Generator().manual_seed(seed)
    state = initial_exchange_state(d, k, 1)
    energy = exponential_draws((d, k, 1), generator) / BETA[None, :, None]
    for sweep in range(n_sweeps):
        exchange(uniforms(d, k, 1, sweep % 2, generator), energy, BETA, state, sweep % 2)
    return to_temperature_order(energy, state)[..., 0]


def stationarity_p_value(by_temperature: torch.Tensor) -> float:
    """Smallest p-value, times their number: Kolmogorov-Smirnov at each temperature, rank correlation of each two."""
    scaled = (by_temperature * BETA).numpy()
    p_values = [stats.kstest(column, "expon").pvalue for column in scaled.T]
    p_values += list(stats.spearmanr(scaled).pvalue[np.triu_indices(scaled.shape[1], 1)])
    return float(min(p_values)) * len(p_values)


@pytest.mark.statistical
def test_exchange_leaves_the_joint_law_invariant():
    assert stationarity_p_value(energies_after_swaps(ops.exchange)) > MIN_P


@pytest.mark.statistical
def test_reversed_sign_is_caught():
    assert stationarity_p_value(energies_after_swaps(reversed_exchange)) < MIN_P


def forgetful_ladders(exchange, n_sweeps: int, d: int, seed: int):
    """Ladders whose walkers draw a fresh energy before every swap; counters of the second half of the sweeps."""
    k = BETA.shape[0]
    generator = torch.Generator().manual_seed(seed)
    state = initial_exchange_state(d, k, 1)
    for sweep in range(n_sweeps):
        if sweep == n_sweeps // 2:
            reset_statistics(state)
        energy = exponential_draws((d, k, 1), generator) / beta_of_slot(BETA, state)
        exchange(uniforms(d, k, 1, sweep % 2, generator), energy, BETA, state, sweep % 2)
    return state


def acceptance_z(state, total) -> np.ndarray:
    """Deviations of the acceptances of each pair from the overlap integral, in errors from the scatter of ladders."""
    by_ladder = total.double().numpy()[:, :, 0] / state.n_attempts
    stderr = by_ladder.std(axis=0, ddof=1) / np.sqrt(by_ladder.shape[0])
    assert (stderr < 0.01).all(), "too few attempts to tell"
    return (by_ladder.mean(axis=0) - EXACT_ACCEPTANCE) / stderr


@pytest.mark.statistical
def test_acceptance_is_the_overlap_integral():
    state = forgetful_ladders(ops.exchange, 400, 200, seed=5)
    assert (np.abs(acceptance_z(state, state.accept_sum)) < N_SIGMA).all()
    assert (np.abs(acceptance_z(state, state.swap_count)) < N_SIGMA).all()
    assert rejection_by_network(state).shape == (200, 4)
    expected = 1 - state.accept_sum.mean((0, 2)).numpy() / state.n_attempts
    np.testing.assert_allclose(rejection_rates(state), expected, rtol=1e-12)


@pytest.mark.statistical
def test_reversed_sign_shows_in_the_acceptance():
    state = forgetful_ladders(reversed_exchange, 400, 200, seed=5)
    assert (np.abs(acceptance_z(state, state.accept_sum)) > N_SIGMA).any()


@pytest.mark.statistical
def test_round_trip_rate_is_the_predicted_one():
    """Energies drawn afresh make the walk along the ladder the one of the formula, so it is exact here."""
    n_sweeps, d = 3000, 250
    state = forgetful_ladders(ops.exchange, n_sweeps, d, seed=6)
    predicted = measure_barrier(BetaLadder(tuple(BETA.tolist())), 1 - EXACT_ACCEPTANCE).round_trip_rate
    by_ladder = state.round_trips.sum(dim=(1, 2)).double().numpy() / (n_sweeps - n_sweeps // 2)
    z = (by_ladder.mean() - predicted) / (by_ladder.std(ddof=1) / np.sqrt(d))
    assert abs(z) < N_SIGMA, f"measured {by_ladder.mean():.5f}, predicted {predicted:.5f}, z = {z:.1f}"
