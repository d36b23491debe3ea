import numpy as np
import pytest
import torch
from scipy.special import erf

from mcmc.errors import InsufficientDataError, NonFiniteEnergyError, UsageError
from mcmc.exchange.barrier import (
    dense_barrier,
    equalise,
    fewest_temperatures,
    measure_barrier,
    recommended_n_temperatures,
    rejection_rates,
    round_trips_for_work,
)
from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import initial_exchange_state


def exponential_rejection(betas) -> np.ndarray:
    """Exact rejections of the target with H ~ Exp(beta): 1 - 2 b / (b + c)."""
    b, c = np.asarray(betas[:-1]), np.asarray(betas[1:])
    return (c - b) / (c + b)


def test_barrier_of_the_exponential_target_tends_to_its_closed_form():
    """Its local barrier is 1 / (2 beta), so Lambda = log(beta_max / beta_min) / 2, approached as 1/K^2."""
    exact = 0.5 * np.log(50.0)
    errors = []
    for k in (20, 40):
        ladder = BetaLadder.geometric(0.1, 5.0, k)
        errors.append(exact - measure_barrier(ladder, exponential_rejection(ladder.betas)).global_barrier)
    assert 0 < errors[1] < errors[0] < 0.01
    assert errors[0] / errors[1] == pytest.approx((39 / 19) ** 2, rel=0.02)


def test_cumulative_is_monotone_and_local_is_its_slope():
    ladder = BetaLadder.geometric(0.1, 5.0, 30)
    barrier = measure_barrier(ladder, exponential_rejection(ladder.betas))
    beta = np.linspace(0.1, 5.0, 500)
    assert (np.diff(barrier.cumulative_at(beta)) > 0).all()
    np.testing.assert_allclose(barrier.cumulative_at(ladder.numpy()), barrier.cumulative, rtol=1e-12, atol=1e-12)
    inner = beta[(beta > 0.3) & (beta < 4.0)]
    np.testing.assert_allclose(barrier.local(inner), 0.5 / inner, rtol=0.02)


def test_equalise_finds_the_geometric_ladder():
    """For H ~ Exp(beta) equal rejections mean equal ratios, which a few rounds find from equal steps."""
    ladder = BetaLadder.linear(0.1, 5.0, 12)
    for _ in range(6):
        ladder = equalise(ladder, exponential_rejection(ladder.betas))
    np.testing.assert_allclose(ladder.betas, BetaLadder.geometric(0.1, 5.0, 12).betas, rtol=1e-3)
    assert (ladder.betas[0], ladder.betas[-1]) == (0.1, 5.0)


def test_equalise_leaves_an_equalised_ladder():
    ladder = BetaLadder.geometric(0.2, 3.0, 7)
    np.testing.assert_allclose(equalise(ladder, np.full(6, 0.3)).betas, ladder.betas, rtol=1e-12)


def test_equalise_can_change_the_number_of_temperatures():
    ladder = BetaLadder.geometric(0.2, 3.0, 7)
    finer = equalise(ladder, exponential_rejection(ladder.betas), n_temperatures=13)
    assert finer.n_temperatures == 13
    rejection = exponential_rejection(finer.betas)
    assert rejection.max() / rejection.min() < 1.1  # equal up to the one-sided slopes at the ends of the interpolation


@pytest.mark.parametrize(
    ("rejection", "n_floored", "n_saturated"),
    [([0.0, 0.0, 0.0], 3, 0), ([1.0, 1.0, 1.0], 0, 3), ([0.0, 1.0, 0.3], 1, 1), ([0.2, 0.4, 0.0], 1, 0)],
)
def test_extreme_rejections_are_floored_and_reported(rejection, n_floored, n_saturated):
    ladder = BetaLadder.linear(0.0, 1.0, 4)
    barrier = measure_barrier(ladder, np.array(rejection))
    assert (barrier.n_floored, barrier.n_saturated) == (n_floored, n_saturated)
    assert barrier.global_barrier == pytest.approx(sum(rejection))
    report = barrier.report()
    assert ("never swap" in report) == (n_saturated > 0)
    assert ("always swap" in report) == (n_floored > 0)
    new = equalise(ladder, np.array(rejection))  # BetaLadder itself refuses anything that does not increase
    assert (new.betas[0], new.betas[-1]) == (0.0, 1.0)


def test_temperatures_move_towards_a_saturated_pair():
    ladder = BetaLadder.linear(0.0, 1.0, 5)
    new = equalise(ladder, np.array([0.1, 1.0, 0.1, 0.1]))
    assert sum(0.25 < beta < 0.5 for beta in new.betas) == 3


def test_one_and_two_temperatures():
    single = BetaLadder((1.0,))
    barrier = measure_barrier(single, np.zeros(0))
    assert barrier.global_barrier == 0.0
    assert equalise(single, np.zeros(0)) is single
    with pytest.raises(UsageError, match="at least 2, found 0"):
        equalise(single, np.zeros(0), 0)
    with pytest.raises(UsageError, match="single temperature"):
        barrier.cumulative_at(1.0)
    pair = BetaLadder((0.0, 1.0))
    assert equalise(pair, np.array([0.4])) == pair


def test_round_trip_rate():
    ladder = BetaLadder.linear(0.0, 1.0, 4)
    assert measure_barrier(ladder, np.zeros(3)).round_trip_rate == 0.5  # K walkers, one trip each in 2 K sweeps
    assert measure_barrier(ladder, np.full(3, 0.5)).round_trip_rate == pytest.approx(1 / 8)
    assert measure_barrier(ladder, np.array([0.5, 1.0, 0.5])).round_trip_rate == 0.0


@pytest.mark.parametrize(("barrier", "n"), [(0.0, 1), (0.4, 2), (1.0, 3), (9.8, 21)])
def test_recommended_number_of_temperatures(barrier, n):
    assert recommended_n_temperatures(barrier) == n


def test_dense_barrier_of_gaussian_energies():
    """H ~ N(-sigma^2 beta, sigma^2): Lambda = sigma beta_max / sqrt(pi), from few and unevenly spaced temperatures."""
    sigma, n = 1.3, 400_000
    generator = np.random.default_rng(7)
    betas = np.array([0.0, 0.3, 1.9, 2.6, 4.0])
    energy = generator.normal(-(sigma**2) * betas, sigma, (n, len(betas)))
    log_ratio = np.diff(betas) * np.diff(energy, axis=1)
    rejection = 1.0 - np.exp(np.minimum(log_ratio, 0.0)).mean(axis=0)
    exact = sigma * betas[-1] / np.sqrt(np.pi)
    assert dense_barrier(rejection) == pytest.approx(exact, rel=0.005)
    assert rejection.sum() < 0.85 * exact  # what the sum of the rejections would have said


def trips_of_walkers(rejection: float, n_temperatures: int, n_sweeps: int) -> float:
    """Round trips of all walkers a sweep, by moving them: deterministic even and odd pairs, swaps refused at random."""
    generator = np.random.default_rng(n_temperatures)
    walker_at, came_from_cold = np.arange(n_temperatures), np.zeros(n_temperatures, dtype=bool)
    n_trips = 0
    for sweep in range(n_sweeps):
        for k in range(sweep % 2, n_temperatures - 1, 2):
            if generator.random() >= rejection:
                walker_at[k], walker_at[k + 1] = walker_at[k + 1], walker_at[k]
        hot, cold = walker_at[0], walker_at[-1]
        n_trips += came_from_cold[hot]
        came_from_cold[hot], came_from_cold[cold] = False, True
    return n_trips / n_sweeps


@pytest.mark.parametrize("n_temperatures", [4, 6, 11])
def test_round_trips_are_those_of_walkers(n_temperatures):
    dense = 3.4
    rejection = erf(np.sqrt(np.pi) / 2 * dense / (n_temperatures - 1))
    trips = trips_of_walkers(rejection, n_temperatures, 60_000)
    assert round_trips_for_work(dense, n_temperatures) * n_temperatures == pytest.approx(trips, rel=0.06)


def test_fewest_temperatures():
    """Nearly the best number of round trips, and one temperature less is not; two where nothing is rejected."""
    assert fewest_temperatures(0.0) == 2
    for dense in (1.0, 3.4, 7.07, 20.0):
        trips = {k: round_trips_for_work(dense, k) for k in range(2, 80)}
        n = fewest_temperatures(dense)
        assert trips[n] >= 0.9 * max(trips.values())
        assert trips[n - 1] < 0.9 * max(trips.values())
    with pytest.raises(UsageError, match="found 1"):
        round_trips_for_work(1.0, 1)


@pytest.mark.parametrize("impossible", [-1.0, np.inf, np.nan])
def test_impossible_barriers_are_refused(impossible):
    for number_for in (recommended_n_temperatures, fewest_temperatures):
        with pytest.raises(UsageError, match=f"finite and >= 0, found {impossible}"):
            number_for(impossible)


@pytest.mark.parametrize("impossible", [-0.2, 1.2, np.nan])
def test_impossible_rejections_are_refused(impossible):
    with pytest.raises(UsageError, match=rf"found rejection\[2\] = {impossible}") as caught:
        measure_barrier(BetaLadder.linear(0.0, 1.0, 5), np.array([0.0, 1.0, impossible, 0.5]))
    assert caught.value.pair == 2


def test_nothing_is_said_outside_the_ladder():
    barrier = measure_barrier(BetaLadder.linear(1.0, 2.0, 4), np.full(3, 0.2))
    assert np.isnan(barrier.cumulative_at(np.array([0.9, 2.1]))).all()


def test_the_shape_that_is_wanted_is_told():
    with pytest.raises(UsageError, match=r"must have shape \(3,\), found \(2,\)"):
        measure_barrier(BetaLadder.linear(0.0, 1.0, 4), np.zeros(2))


def test_one_attempt_of_each_pair_is_enough_and_rounding_makes_no_negative_rejection():
    state = initial_exchange_state(2, 3, 1)
    state.n_attempts[:] = 1
    state.accept_sum[:] = 1 + 2.0**-52
    assert rejection_rates(state).tolist() == [0.0, 0.0]


def test_rejection_without_attempts_is_an_error():
    state = initial_exchange_state(2, 3, 1)
    state.n_attempts[0] = 3
    with pytest.raises(InsufficientDataError, match="temperatures 1 and 2 have none") as caught:
        rejection_rates(state)
    assert caught.value.pair == 1


def test_nan_acceptance_names_its_place():
    state = initial_exchange_state(4, 3, 2)
    state.n_attempts[:] = 3
    state.accept_sum[2, 1, 1] = torch.nan
    with pytest.raises(NonFiniteEnergyError, match="temperatures 1 and 2 was NaN in network 2") as caught:
        rejection_rates(state)
    assert (caught.value.network, caught.value.pair, caught.value.replica) == (2, 1, 1)
