import dataclasses

import numpy as np
import pytest
import torch

from mcmc.errors import UsageError
from mcmc.exchange.ladder import BetaLadder


def test_linear_and_geometric_have_exact_ends():
    linear = BetaLadder.linear(0.0, 0.7, 8)
    np.testing.assert_allclose(np.diff(linear.numpy()), 0.1, rtol=1e-12)
    assert (linear.betas[0], linear.betas[-1]) == (0.0, 0.7)
    geometric = BetaLadder.geometric(0.1, 3.3, 9)
    ratios = geometric.numpy()[1:] / geometric.numpy()[:-1]
    np.testing.assert_allclose(ratios, 33.0 ** (1 / 8), rtol=1e-12)
    assert (geometric.betas[0], geometric.betas[-1]) == (0.1, 3.3)


def test_geometric_from_zero():
    ladder = BetaLadder.geometric(0.0, 2.0, 5, beta_first=0.25)
    np.testing.assert_allclose(ladder.betas, [0.0, 0.25, 0.5, 1.0, 2.0], rtol=1e-12)
    assert BetaLadder.geometric(0.0, 2.0, 2).betas == (0.0, 2.0)
    with pytest.raises(UsageError, match=r"needs 0 < beta_first < beta_max = 2.0, found beta_first = None"):
        BetaLadder.geometric(0.0, 2.0, 5)
    for beta_first in (0.0, 2.0):
        with pytest.raises(UsageError, match=f"found beta_first = {beta_first}"):
            BetaLadder.geometric(0.0, 2.0, 5, beta_first=beta_first)
    with pytest.raises(UsageError, match="beta_first is for beta_min = 0 only"):
        BetaLadder.geometric(0.1, 2.0, 5, beta_first=0.2)


def test_one_temperature_is_the_coldest():
    assert BetaLadder.linear(0.0, 1.5, 1).betas == (1.5,)
    assert BetaLadder.geometric(0.1, 1.5, 1).betas == (1.5,)
    assert BetaLadder.linear(2.0, 1.5, 1).betas == (1.5,), "no range, so no order"


def test_tensor_is_float64_and_the_ladder_is_frozen():
    ladder = BetaLadder((0.1, 0.2))
    assert ladder.tensor().dtype == torch.float64
    assert ladder.tensor().tolist() == [0.1, 0.2]
    assert hash(ladder) == hash(BetaLadder((0.1, 0.2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        ladder.betas = (1.0,)


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ((), "at least one beta"),
        ((0.1, 0.1), r"betas\[0\] = 0.1 and betas\[1\] = 0.1"),
        ((0.2, 0.1), "must increase"),
        ((0.1, 0.3, 0.25), r"betas\[1\] = 0.3 and betas\[2\] = 0.25"),
        ((-0.1, 0.1), r"finite and >= 0, found betas\[0\] = -0.1"),
        ((0.1, float("nan")), r"found betas\[1\] = nan"),
        ((0.1, float("inf")), r"found betas\[1\] = inf"),
    ],
)
def test_impossible_ladders_are_refused(betas, message):
    with pytest.raises(UsageError, match=message):
        BetaLadder(betas)


@pytest.mark.parametrize(("beta_min", "beta_max", "n"), [(1.0, 0.5, 4), (1.0, 1.0, 2), (-0.5, 1.0, 3), (0.1, 1.0, 0)])
def test_impossible_ranges_are_refused(beta_min, beta_max, n):
    message = "expected 0 <= beta_min < beta_max, found" if n else "n_temperatures must be at least 1, found 0"
    for constructor in (BetaLadder.linear, BetaLadder.geometric):
        with pytest.raises(UsageError, match=message):
            constructor(beta_min, beta_max, n)
