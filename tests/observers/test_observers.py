"""Every observer against numpy on the same draws; two halves merged are the whole; reset forgets."""

import numpy as np
import pytest
import torch

from mcmc.io.schema import Key
from mcmc.observers.acceptance import StepDiagnostics
from mcmc.observers.base import Measurement, StepStatistics
from mcmc.observers.cross import CrossTemperature, cross_moments
from mcmc.observers.histogram import OverlapHistogram
from mcmc.observers.identity import IdentityA, WeightIdentities
from mcmc.observers.series import Series
from mcmc.systems.base import Overlaps, WeightIdentity

D, K, R, L, N_SITES, N_BINS, N_DRAWS = 3, 4, 3, 2, 16, 10, 7
P = R * (R - 1) // 2
SHAPE, CPU = (D, K, R), torch.device("cpu")
RANGES = [(-1.0, 1.0), (-0.5, 0.5), (-2.0, 2.0)]
BETA = torch.tensor([0.0, 0.3, 1.1, 2.5], dtype=torch.float64)


def measurement(seed: int) -> Measurement:
    """Random numbers in the shape of a measured sweep; some overlaps lie outside of every range."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=g, dtype=torch.float64)

    identity = WeightIdentity(draw(D, K, L), draw(D, K, L))
    overlaps = Overlaps(0.6 * draw(D, K, P, L + 1), draw(D, K, R, L + 1) ** 2, identity)
    return Measurement(BETA, 10 * draw(*SHAPE), N_SITES, overlaps)


def statistics(seed: int, n_steps: int) -> StepStatistics:
    g = torch.Generator().manual_seed(100 + seed)
    return StepStatistics(*(torch.randn(SHAPE, generator=g, dtype=torch.float64) for _ in range(4)), n_steps)


DRAWS = [measurement(seed) for seed in range(N_DRAWS)]
STEPS = [statistics(seed, seed + 1) for seed in range(N_DRAWS)]
MAKE = {
    "series": lambda: Series(N_DRAWS, SHAPE, L + 1, CPU),
    "histogram": lambda: OverlapHistogram(D, K, RANGES, N_BINS, CPU),
    "identity": lambda: IdentityA(D, K, CPU),
    "weight_identity": lambda: WeightIdentities(D, K, L, CPU),
    "steps": lambda: StepDiagnostics(SHAPE, CPU),
}


def seen(name, which=slice(None)):
    """An observer that has seen some of the draws."""
    observer = MAKE[name]()
    for one in (STEPS if name == "steps" else DRAWS)[which]:
        observer.observe(one)
    return observer


@pytest.mark.parametrize("name", ["series", "histogram", "identity", "weight_identity"])
@pytest.mark.parametrize("cut", [0, 1, 3, N_DRAWS])
def test_several_at_a_time_are_the_same_bits(name, cut):
    def stacked(draws):
        energy = torch.stack([one.energy for one in draws])
        between, within = (torch.stack([one.overlaps[i] for one in draws]) for i in (0, 1))
        identity = (torch.stack([one.overlaps.weight_identity[i] for one in draws]) for i in (0, 1))
        return Measurement(BETA, energy, N_SITES, Overlaps(between, within, WeightIdentity(*identity)))

    found, wanted = MAKE[name](), seen(name)
    for draws in (DRAWS[:cut], DRAWS[cut:]):
        if draws:
            found.observe_all(stacked(draws))
    for key, tensor in wanted.tensors.items():
        assert torch.equal(found.tensors[key], tensor), key


def assert_same_result(found, wanted, *, rtol):
    assert found.keys() == wanted.keys()
    for key in wanted:
        assert found[key].dtype == wanted[key].dtype
        np.testing.assert_allclose(found[key], wanted[key], rtol=rtol, atol=1e-13, err_msg=key)


# --- against numpy


def test_series():
    result = seen("series").result()
    assert result.keys() == {Key.ENERGY, Key.OVERLAP, Key.SELF_OVERLAP}
    for n, one in enumerate(DRAWS):
        assert np.array_equal(result[Key.ENERGY][n], one.energy.numpy() / N_SITES)
        assert np.array_equal(result[Key.OVERLAP][n], one.overlaps.between.numpy().astype(np.float32))
        assert np.array_equal(result[Key.SELF_OVERLAP][n], one.overlaps.within.numpy().astype(np.float32))
    assert result[Key.ENERGY].dtype == np.float64


def test_series_gives_only_what_was_seen():
    result = seen("series", slice(3)).result()
    assert {key: len(array) for key, array in result.items()} == dict.fromkeys(result, 3)


def test_series_without_overlaps():
    series = Series(2, SHAPE, None, CPU)
    series.observe(DRAWS[0]._replace(overlaps=None))
    assert series.result().keys() == {Key.ENERGY}


def test_series_that_is_full_says_so():
    series = Series(1, SHAPE, L + 1, CPU)
    series.observe(DRAWS[0])
    with pytest.raises(IndexError):
        series.observe(DRAWS[1])


def test_histogram():
    result = seen("histogram").result()
    q = np.stack([one.overlaps.between.numpy() for one in DRAWS])  # (n, D, K, P, L+1)
    for layer, (lower, upper) in enumerate(RANGES):
        edges = np.linspace(lower, upper, N_BINS + 1)
        np.testing.assert_allclose(result[Key.EDGES][layer], edges)
        for d, k in np.ndindex(D, K):
            values = q[:, d, k, :, layer].ravel()
            inside, _ = np.histogram(values, bins=edges)
            wanted = [(values < lower).sum(), *inside, (values > upper).sum()]
            assert result[Key.HISTOGRAM][d, k, layer].tolist() == wanted
            powers = [(values**m).sum() for m in (1, 2, 3, 4)]
            np.testing.assert_allclose(result[Key.MOMENT_SUM][d, k, layer], powers, rtol=1e-13)
    assert (result[Key.HISTOGRAM][..., [0, -1]] > 0).any(), "the test reaches the outer bins"
    assert (result[Key.HISTOGRAM].sum(-1) == N_DRAWS * P).all()
    assert result[Key.HISTOGRAM].dtype == np.int64


@pytest.mark.parametrize(("value", "bin_number"), [(-1.0, 1), (-1.0001, 0), (1.0, N_BINS), (1.0001, N_BINS + 1)])
def test_edges_of_the_range(value, bin_number):
    """Both ends are inside, as the overlap 1 of a state with itself must be."""
    one = DRAWS[0]
    one = one._replace(overlaps=one.overlaps._replace(between=torch.full((D, K, P, L + 1), value).double()))
    histogram = MAKE["histogram"]()
    histogram.observe(one)
    counts = histogram.result()[Key.HISTOGRAM][:, :, 0]
    assert (counts[..., bin_number] == P).all()


def test_identity():
    """Left: mean of H/N_0 over draws and replicas. Right: -beta times (mean r^L less mean q^L over pairs)."""
    result = seen("identity").result()
    energy = np.mean([one.energy.numpy() for one in DRAWS], axis=(0, 3)) / N_SITES
    within = np.mean([one.overlaps.within.numpy()[..., -1] for one in DRAWS], axis=(0, 3))
    between = np.mean([one.overlaps.between.numpy()[..., -1] for one in DRAWS], axis=(0, 3))
    np.testing.assert_allclose(result[Key.IDENTITY_ENERGY], energy, rtol=1e-12)
    np.testing.assert_allclose(result[Key.IDENTITY_OVERLAP], -BETA.numpy() * (within - between), rtol=1e-12)
    assert np.abs(result[Key.IDENTITY_OVERLAP][:, 1:]).min() > 1e-3


def test_weight_identity():
    result = seen("weight_identity").result()
    for key, side in ((Key.WEIGHT_EXCESS_SUM, "excess"), (Key.WEIGHT_RESPONSE_SUM, "response")):
        wanted = np.sum([getattr(one.overlaps.weight_identity, side).numpy() for one in DRAWS], axis=0)
        np.testing.assert_allclose(result[key], wanted, rtol=1e-12)


def test_steps():
    result = seen("steps").result()
    n = sum(range(1, N_DRAWS + 1))
    assert result[Key.N_STEPS] == n
    sums = [np.sum([one[i].numpy() for one in STEPS], axis=0) for i in range(4)]
    np.testing.assert_allclose(result[Key.ACCEPTANCE], sums[0] / n, rtol=1e-12)
    keys = (Key.ENERGY_ERROR_SUM, Key.ENERGY_ERROR_SQUARE_SUM, Key.METROPOLIS_SUM)
    for key, wanted in zip(keys, sums[1:], strict=True):
        np.testing.assert_allclose(result[key], wanted, rtol=1e-12)


def test_a_single_step_is_its_own_mean():
    steps = MAKE["steps"]()
    steps.observe(statistics(0, 1))
    np.testing.assert_allclose(steps.result()[Key.ACCEPTANCE], statistics(0, 1).acceptance.numpy())


# --- the contract


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("cut", [0, 1, 4, N_DRAWS])
def test_two_halves_merged_are_the_whole(name, cut):
    first, second = seen(name, slice(cut)), seen(name, slice(cut, None))
    first.merge(second)
    assert_same_result(first.result(), seen(name).result(), rtol=1e-13)


@pytest.mark.parametrize("name", MAKE)
def test_merging_leaves_the_other_alone(name):
    first, second = seen(name, slice(3)), seen(name, slice(3, None))
    before = {key: array.copy() for key, array in second.result().items()}
    first.merge(second)
    assert_same_result(second.result(), before, rtol=0)


@pytest.mark.parametrize("name", MAKE)
def test_reset_forgets(name):
    observer = seen(name, slice(2, 5))
    observer.reset()
    assert_same_result(observer.result(), MAKE[name]().result(), rtol=0)
    for one in (STEPS if name == "steps" else DRAWS)[:3]:
        observer.observe(one)
    assert_same_result(observer.result(), seen(name, slice(3)).result(), rtol=0)


@pytest.mark.parametrize("name", MAKE)
def test_tensors_are_all_that_it_knows(name):
    """A checkpoint copies them into a new observer, which then goes on as the old one would have."""
    old, new = seen(name, slice(4)), MAKE[name]()
    for key, tensor in new.tensors.items():
        tensor.copy_(old.tensors[key])
    for one in (STEPS if name == "steps" else DRAWS)[4:]:
        new.observe(one)
    assert_same_result(new.result(), seen(name).result(), rtol=0)


@pytest.mark.parametrize("name", MAKE)
def test_nothing_seen(name):
    result = MAKE[name]().result()
    assert all(np.isfinite(array).all() for array in result.values())
    assert not any(array.any() for key, array in result.items() if key != Key.EDGES)


def test_cross_moments_against_loops():
    """Both orders of every pair of different replicas, never a replica with itself."""
    x = torch.randn((D, K, R, N_SITES), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    found = cross_moments(x)
    for m in range(4):
        expected = np.zeros((D, K, K))
        for r in range(R):
            for s in range(R):
                if r != s:
                    q = np.einsum("dkn,djn->dkj", x[:, :, r].numpy(), x[:, :, s].numpy()) / N_SITES
                    expected += 0.5 * q ** (m + 1)
        assert np.allclose(found[..., m].numpy(), expected, rtol=1e-12, atol=1e-14)


def test_cross_temperature_adds_up():
    observer = CrossTemperature(D, K, CPU)
    parts = [torch.randn((D, K, K, 4), generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in (1, 2)]
    for part in parts:
        observer.observe(Measurement(BETA, torch.zeros(SHAPE), N_SITES, None, part))
    assert np.allclose(observer.result()[Key.CROSS_MOMENT_SUM], (parts[0] + parts[1]).numpy())
