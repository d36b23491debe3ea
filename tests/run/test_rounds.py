"""The burn-in schedule."""

from itertools import pairwise

import pytest

from mcmc.run.rounds import SHORTEST_ROUND, Round, burn_in_rounds


def test_none():
    assert burn_in_rounds(0) == []


def test_known_schedule():
    assert burn_in_rounds(500) == [
        Round(0, 62, 62, False),
        Round(62, 125, 125, False),
        Round(125, 250, 250, False),
        Round(250, 500, 375, True),
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 19, 20, 79, 80, 81, 100, 499, 500, 1000, 12345, 10**6])
def test_rounds_fill_the_burn_in(n):
    rounds = burn_in_rounds(n)
    assert [r.start for r in rounds] == [0, *(r.stop for r in rounds[:-1])]
    assert rounds[-1].stop == n
    lengths = [r.stop - r.start for r in rounds]
    assert all(2 * a <= 2 * b + 3 for a, b in pairwise(lengths)), "rounds do not shrink"
    assert len(rounds) <= 7
    assert len(rounds) == 1 or min(lengths) >= SHORTEST_ROUND
    assert [r.is_last for r in rounds] == [False] * (len(rounds) - 1) + [True]


@pytest.mark.parametrize("n", [1, 80, 500, 997])
def test_step_sizes_adapt_in_all_of_a_round_but_half_of_the_last(n):
    *earlier, last = burn_in_rounds(n)
    assert all(r.tune_stop == r.stop for r in earlier)
    assert last.start < last.tune_stop <= last.stop
    assert last.tune_stop - last.start == (last.stop - last.start + 1) // 2
    for r in (*earlier, last):
        counted = [sweep for sweep in range(r.start, r.tune_stop) if r.counts(sweep)]
        assert counted == list(range(r.tune_stop - len(counted), r.tune_stop)), "the later part is what counts"
        assert abs(2 * len(counted) - (r.tune_stop - r.start)) <= 1
