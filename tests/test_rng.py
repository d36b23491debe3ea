"""Random numbers by address: the right laws, independent streams, and no dependence on how a batch is cut."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcmc import native, philox
from mcmc.rng import Purpose, Streams

SEED = 20240917
N_SIGMA = 5.0
MIN_P = 1e-6


def streams(n_networks=4, n_chains=6, **kwargs) -> Streams:
    return Streams.of(SEED, range(n_networks), range(n_chains), **kwargs)


def test_purposes_are_distinct_and_fit_a_byte():
    values = [purpose.value for purpose in Purpose]
    assert len(set(values)) == len(values) == len(Purpose.__members__)
    assert all(0 <= value < 256 for value in values)


def test_purposes_keep_their_numbers():
    """Old runs are reproduced from these numbers: more may be added, none may change."""
    known = ["WEIGHTS", "BIASES", "INITIAL", "MOMENTUM", "ACCEPT", "SWAP", "REDRAW", "REDRAW_MOMENTUM", "BOOTSTRAP"]
    assert [Purpose[name].value for name in known] == list(range(1, 10))
    assert Purpose.TEST == 255


def test_numbers_never_change():
    """Fixed in the first release: a run is repeated from its seed for as long as these hold."""
    s = Streams.of(1, [2], [3])
    uniform = s.uniform(Purpose.TEST, 4, 3).flatten().tolist()
    normal = s.normal(Purpose.TEST, 4, 3).flatten().tolist()
    assert [x.hex() for x in uniform] == ["0x1.87cad8d41eb2bp-1", "0x1.39f75075afeafp-1", "0x1.3fa575c39f1c3p-1"]
    assert [x.hex() for x in normal] == ["0x1.5c4b6496ced42p-1", "0x1.13954bb6b370bp-2", "0x1.18e410c9c4160p-1"]


@pytest.mark.statistical
def test_uniform_law():
    u = streams(16, 16).uniform(Purpose.TEST, 0, 1000).flatten().numpy()
    assert 0 < u.min() < u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > MIN_P
    for power in (1, 2, 3):
        exact, variance = 1 / (power + 1), 1 / (2 * power + 1) - 1 / (power + 1) ** 2
        assert abs((u**power).mean() - exact) < N_SIGMA * np.sqrt(variance / u.size)


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_normal_law(dtype):
    z = streams(16, 16).normal(Purpose.TEST, 0, 1000, dtype).double().flatten().numpy()
    assert stats.kstest(z, "norm").pvalue > MIN_P
    # E z^p and E z^2p of the normal law
    for power, exact, square in ((1, 0, 1), (2, 1, 3), (3, 0, 15), (4, 3, 105), (6, 15, 10395)):
        assert abs((z**power).mean() - exact) < N_SIGMA * np.sqrt((square - exact**2) / z.size), power
    tail = (np.abs(z) > 3).mean()
    p = 2 * stats.norm.sf(3)
    assert abs(tail - p) < N_SIGMA * np.sqrt(p * (1 - p) / z.size)


@pytest.mark.statistical
def test_four_normals_of_a_block_are_independent():
    """Radii and angles of Box-Muller come apart: no correlation of z, of z^2, or of products of a pair."""
    z = streams(16, 16).normal(Purpose.TEST, 0, 1024).reshape(-1, 4).numpy()
    n = z.shape[0]
    for i, j in itertools.combinations(range(4), 2):
        assert abs((z[:, i] * z[:, j]).mean()) < N_SIGMA / np.sqrt(n)
        assert abs(((z[:, i] ** 2 - 1) * (z[:, j] ** 2 - 1)).mean()) < N_SIGMA * 2 / np.sqrt(n)
        angle = np.arctan2(z[:, j], z[:, i]) / (2 * np.pi) + 0.5
        assert stats.kstest(angle, "uniform").pvalue > MIN_P


@pytest.mark.parametrize("quadrant", range(4))
def test_angle_covers_the_circle_in_order(quadrant):
    """cos and sin of 2 pi v over each quadrant, against numpy: a swapped sign would still look normal."""
    t = torch.arange(0, 1 << 30, 1 << 22, dtype=torch.int64) + (quadrant << 30)
    w = torch.full_like(t, 1 << 31)
    x, y = philox._normal_pair(w, t)
    radius = np.sqrt(-2 * np.log((2.0**31 + 0.5) * 2.0**-32))
    angle = 2 * np.pi * (t.numpy() + 0.5) * 2.0**-32
    np.testing.assert_allclose(x.numpy(), radius * np.cos(angle), rtol=0, atol=1e-15)
    np.testing.assert_allclose(y.numpy(), radius * np.sin(angle), rtol=0, atol=1e-15)


def test_extreme_words_stay_finite():
    words = torch.tensor([0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
    w, t = (grid.flatten() for grid in torch.meshgrid(words, words, indexing="ij"))
    x, y = philox._normal_pair(w, t)
    assert bool(torch.isfinite(x).all() and torch.isfinite(y).all())
    assert max(float(x.abs().max()), float(y.abs().max())) <= np.sqrt(66 * np.log(2)) * (1 + 1e-15)


def one_bit_apart():
    """Pairs of addresses that differ in a single bit of one field."""
    base = {"seed": SEED, "purpose": 21, "network": 5, "chain": 9, "step": 77}
    widths = {"seed": 56, "purpose": 8, "network": 32, "chain": 32, "step": 32}
    for name, width in widths.items():
        for bit in range(width):
            yield f"{name} bit {bit}", base, {**base, name: base[name] ^ (1 << bit)}


def numbers_at(address, n=4096) -> torch.Tensor:
    s = Streams.of(address["seed"], [address["network"]], [address["chain"]])
    return s.normal(address["purpose"], address["step"], n).flatten()


@pytest.mark.statistical
def test_streams_one_bit_apart_are_uncorrelated():
    """All 160 of them: the largest of 160 correlations of 4096 normals stays within its bound at one in 10^4."""
    n = 4096
    bound = stats.norm.isf(0.5e-4 / 160) / np.sqrt(n)
    for name, a, b in one_bit_apart():
        x, y = numbers_at(a, n), numbers_at(b, n)
        assert not bool((x == y).any()), name
        assert abs(float((x * y).mean())) < bound, name


@given(
    seed=st.integers(0, 2**56 - 1),
    purpose=st.integers(0, 255),
    other_seed=st.integers(0, 2**56 - 1),
    other_purpose=st.integers(0, 255),
)
def test_key_is_injective(seed, purpose, other_seed, other_purpose):
    low, high = philox.stream_key(seed, purpose)
    assert 0 <= low < 2**32
    assert 0 <= high < 2**32
    assert (low | (high & 0xFFFFFF) << 32, high >> 24) == (seed, purpose)
    same_key = philox.stream_key(other_seed, other_purpose) == (low, high)
    assert same_key == ((seed, purpose) == (other_seed, other_purpose))


@pytest.mark.parametrize("draw", ["uniform", "normal"])
def test_numbers_do_not_depend_on_the_batch(draw):
    s = streams(7, 11)
    whole = getattr(s, draw)(Purpose.MOMENTUM, 3, 13)
    by_network = torch.cat([getattr(s.for_networks(slice(i, i + 3)), draw)(Purpose.MOMENTUM, 3, 13) for i in (0, 3, 6)])
    by_chain = torch.cat([getattr(s.for_chains(slice(i, i + 4)), draw)(Purpose.MOMENTUM, 3, 13) for i in (0, 4, 8)], 1)
    assert torch.equal(whole, by_network)
    assert torch.equal(whole, by_chain)
    order = torch.tensor([6, 0, 3])
    assert torch.equal(getattr(s.for_networks(order), draw)(Purpose.MOMENTUM, 3, 13), whole[order])


@pytest.mark.parametrize("draw", ["uniform", "normal"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8])
def test_fewer_numbers_are_a_prefix(draw, n):
    s = streams()
    assert torch.equal(getattr(s, draw)(Purpose.TEST, 1, n), getattr(s, draw)(Purpose.TEST, 1, 9)[..., :n])


def test_numbers_do_not_depend_on_threads():
    s, before = streams(13, 17), torch.get_num_threads()
    try:
        drawn = []
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            drawn.append((s.normal(Purpose.TEST, 0, 203), s.uniform(Purpose.TEST, 0, 203)))
    finally:
        torch.set_num_threads(before)
    for normal, uniform in drawn[1:]:
        assert torch.equal(normal, drawn[0][0])
        assert torch.equal(uniform, drawn[0][1])


def test_reference_backend_gives_the_same_numbers(monkeypatch):
    s = streams()
    expected = s.normal(Purpose.TEST, 2, 10, torch.float32), s.uniform(Purpose.TEST, 2, 10)
    monkeypatch.setattr(native, "backend_for", lambda device: "reference")
    assert torch.equal(s.normal(Purpose.TEST, 2, 10, torch.float32), expected[0])
    assert torch.equal(s.uniform(Purpose.TEST, 2, 10), expected[1])


def test_wrong_streams_are_refused():
    with pytest.raises(ValueError, match=r"seed must be in \[0, 2\^56\), found -1"):
        Streams.of(-1, [0], [0])
    with pytest.raises(ValueError, match=r"network must be in \[0, 2\^32\), found values from 0 to 4294967296"):
        Streams.of(1, [0, 1 << 32], [0])
    with pytest.raises(ValueError, match=r"chain must be in \[0, 2\^32\), found values from -1 to -1"):
        Streams.of(1, [0], [-1])
    with pytest.raises(ValueError, match=r"network must be one-dimensional, found shape \[1, 2\]"):
        Streams(1, torch.zeros((1, 2), dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"step must be in \[0, 2\^32\), found 4294967296"):
        streams().uniform(Purpose.TEST, 1 << 32, 1)


@pytest.mark.parametrize("backend", ["extension", "reference"])
def test_step_in_a_tensor_is_that_step(monkeypatch, backend):
    """What a captured sweep counts on the device addresses the same numbers."""
    if backend == "extension" and native.BACKEND != "extension":
        pytest.skip("no extension")
    streams = Streams.of(9, range(3), range(4))
    expected = streams.uniform(Purpose.TEST, 2**31 + 5, 3), streams.normal(Purpose.TEST, 2**31 + 5, 5, torch.float32)
    monkeypatch.setattr(native, "backend_for", lambda device: backend)
    step = torch.tensor([2**31 + 4]) + 1
    assert torch.equal(streams.uniform(Purpose.TEST, step, 3), expected[0])
    assert torch.equal(streams.normal(Purpose.TEST, step, 5, torch.float32), expected[1])


def test_step_in_a_tensor_must_be_one_number():
    if native.BACKEND != "extension":
        pytest.skip("no extension")
    with pytest.raises(ValueError, match="step must be one number"):
        Streams.of(9, range(3), range(4)).uniform(Purpose.TEST, torch.tensor([1, 2]), 3)
