import pytest

from mcmc.exchange.pairs import deo_pairs


@pytest.mark.parametrize(
    ("n_temperatures", "parity", "expected"),
    [
        (1, 0, []),
        (1, 1, []),
        (2, 0, [(0, 1)]),
        (2, 1, []),
        (5, 0, [(0, 1), (2, 3)]),
        (5, 1, [(1, 2), (3, 4)]),
        (6, 0, [(0, 1), (2, 3), (4, 5)]),
        (6, 1, [(1, 2), (3, 4)]),
    ],
)
def test_pairs_of_one_parity(n_temperatures, parity, expected):
    assert deo_pairs(n_temperatures, parity) == expected


@pytest.mark.parametrize("n_temperatures", range(1, 12))
def test_two_parities_hold_every_neighbour_once(n_temperatures):
    both = deo_pairs(n_temperatures, 0) + deo_pairs(n_temperatures, 1)
    assert sorted(both) == [(i, i + 1) for i in range(n_temperatures - 1)]


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="parity must be 0 or 1, found 2"):
        deo_pairs(4, 2)
    with pytest.raises(ValueError, match="n_temperatures must be at least 1, found 0"):
        deo_pairs(0, 0)
