"""Histograms and moments of overlaps: the definition, the twin bit for bit, arguments."""

import math

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.exchange import ops, reference
from tests.exchange.cases import assert_same_bits

BACKENDS = ["reference"] + (["extension"] if native.BACKEND == "extension" else [])
needs_extension = pytest.mark.skipif(native.BACKEND == "reference", reason=f"no extension: {native.extension_error}")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def empty_sums(d, k, n_bins):
    return torch.zeros((d, k, n_bins + 2), dtype=torch.int64), torch.zeros((d, k, 4), dtype=torch.float64)


def overlaps(d, k, p, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.6 * torch.randn((d, k, p), dtype=torch.float64, generator=generator) + 0.1


@needs_extension
@pytest.mark.parametrize(
    ("d", "k", "p", "n_bins"),
    [(0, 3, 1, 4), (2, 1, 1, 1), (3, 4, 0, 5), (3, 5, 6, 7), (300, 32, 6, 64), (2, 3, 500, 40)],
)
def test_extension_equals_the_twin(d, k, p, n_bins):
    q = overlaps(d, k, p)
    q.view(-1)[::7] = torch.tensor([-1.0, 1.0, math.inf, -math.inf, math.nan, 0.0], dtype=torch.float64).repeat(
        q.numel() // 42 + 1
    )[: math.ceil(q.numel() / 7)]
    compiled, plain = empty_sums(d, k, n_bins), empty_sums(d, k, n_bins)
    for scale in (1.0, 0.3):
        ops.overlap_accumulate_(q * scale, -1.0, 1.0, *compiled, backend="extension")
        ops.overlap_accumulate_(q * scale, -1.0, 1.0, *plain, backend="reference")
    assert_same_bits(compiled[0], plain[0], "histogram")
    assert_same_bits(compiled[1], plain[1], "moment_sum")


def test_counts_and_moments_against_numpy(backend):
    q = overlaps(4, 3, 50).clamp(-0.9, 0.95)
    histogram, moment_sum = empty_sums(4, 3, 16)
    ops.overlap_accumulate_(q, -1.0, 1.0, histogram, moment_sum, backend=backend)
    for d in range(4):
        for k in range(3):
            expected, _ = np.histogram(q[d, k].numpy(), bins=16, range=(-1.0, 1.0))
            assert histogram[d, k, 1:-1].tolist() == expected.tolist()
    assert int(histogram[..., 0].sum() + histogram[..., -1].sum()) == 0
    expected = torch.stack([(q**power).sum(-1) for power in (1, 2, 3, 4)], dim=-1)
    torch.testing.assert_close(moment_sum, expected, rtol=1e-13, atol=1e-13)


def test_edges(backend):
    """Bins are closed below, the last one also above; beyond them are the two outer counts."""
    below, above = math.nextafter(-1.0, -2.0), math.nextafter(1.0, 2.0)
    values = [below, -1.0, -0.5, 0.0, 0.4999, 0.5, 1.0, above, -math.inf, math.inf]
    histogram, moment_sum = empty_sums(1, 1, 4)
    q = torch.tensor(values, dtype=torch.float64).reshape(1, 1, -1)
    ops.overlap_accumulate_(q, -1.0, 1.0, histogram, moment_sum, backend=backend)
    assert histogram.flatten().tolist() == [2, 1, 1, 2, 2, 2]


def test_nan_is_counted_nowhere_and_shows_in_the_moments(backend):
    histogram, moment_sum = empty_sums(1, 2, 4)
    q = torch.tensor([[[0.1, math.nan, 0.2], [0.1, 0.3, 0.2]]], dtype=torch.float64)
    ops.overlap_accumulate_(q, -1.0, 1.0, histogram, moment_sum, backend=backend)
    assert histogram.sum(-1).tolist() == [[2, 3]]
    assert moment_sum.isnan().all(dim=-1).tolist() == [[True, False]]


def test_accumulates_onto_what_was_there(backend):
    q = overlaps(2, 3, 4)
    once, twice = empty_sums(2, 3, 5), empty_sums(2, 3, 5)
    ops.overlap_accumulate_(torch.cat((q, q), dim=-1), -1.0, 1.0, *once, backend=backend)
    ops.overlap_accumulate_(q, -1.0, 1.0, *twice, backend=backend)
    ops.overlap_accumulate_(q, -1.0, 1.0, *twice, backend=backend)
    assert torch.equal(once[0], twice[0])
    assert_same_bits(once[1], twice[1], "moment_sum")  # the order of additions is that of the pairs


@needs_extension
def test_non_contiguous_overlap_and_refused_outputs():
    q = overlaps(4, 6, 3).permute(2, 1, 0)
    compiled, plain = empty_sums(3, 6, 5), empty_sums(3, 6, 5)
    ops.overlap_accumulate_(q, -1.0, 1.0, *compiled, backend="extension")
    ops.overlap_accumulate_(q.contiguous(), -1.0, 1.0, *plain, backend="extension")
    assert torch.equal(compiled[0], plain[0])
    assert_same_bits(compiled[1], plain[1], "moment_sum")
    strided = (torch.zeros((6, 3, 7), dtype=torch.int64).transpose(0, 1), plain[1])
    with pytest.raises(ValueError, match="histogram is written in place and must be contiguous"):
        ops.overlap_accumulate_(q, -1.0, 1.0, *strided, backend="extension")
    strided = (plain[0], torch.zeros((3, 6, 8), dtype=torch.float64)[..., ::2])
    with pytest.raises(ValueError, match="moment_sum is written in place and must be contiguous"):
        ops.overlap_accumulate_(q, -1.0, 1.0, *strided, backend="extension")
    before = strided[1].clone()
    reference.overlap_accumulate_(q, -1.0, 1.0, *strided)  # the twin takes any
    assert not torch.equal(strided[1], before)


BAD_ARGUMENTS = [
    ({"lower": 1.0}, "lower must be below upper and both finite, found lower = 1"),
    ({"lower": math.nan}, "lower must be below upper and both finite, found lower = nan"),
    ({"upper": math.inf}, "lower must be below upper and both finite, found lower = -1"),
    ({"lower": 0.0, "upper": 5e-324}, "large enough to divide into bins"),
    ({"overlap": torch.zeros((2, 3))}, r"overlap must have shape \(D, K, P\), found \[2, 3\]"),
    ({"overlap": torch.zeros((2, 3, 1, 1))}, r"overlap must have shape \(D, K, P\), found \[2, 3, 1, 1\]"),
    ({"lower": -1e308, "upper": 1e308}, "lower must be below upper and both finite, found"),
    ({"overlap": torch.zeros((2, 3, 1))}, "overlap must be .*found"),
    ({"histogram": torch.zeros((2, 3, 2), dtype=torch.int64)}, r"\(D, K, B \+ 2\) with B >= 1, found \[2, 3, 2\]"),
    (
        {"histogram": torch.zeros((2, 4, 9), dtype=torch.int64)},
        r"histogram must have shape \[2, 3, 9\], found \[2, 4, 9\]",
    ),
    ({"histogram": torch.zeros((2, 3, 9))}, "histogram must be .*found"),
    ({"moment_sum": torch.zeros((2, 3, 3), dtype=torch.float64)}, r"\[2, 3, 4\], found \[2, 3, 3\]"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ARGUMENTS)
def test_wrong_arguments_are_named(backend, change, message):
    histogram, moment_sum = empty_sums(2, 3, 7)
    arguments = {
        "overlap": torch.zeros((2, 3, 1), dtype=torch.float64),
        "lower": -1.0,
        "upper": 1.0,
        "histogram": histogram,
        "moment_sum": moment_sum,
    }
    with pytest.raises(ValueError, match=message):
        ops.overlap_accumulate_(**{**arguments, **change}, backend=backend)


@needs_extension
@pytest.mark.parametrize("d", [0, 2])
def test_operator_is_registered_properly(d):
    torch.library.opcheck(
        torch.ops.mlp_gibbs.overlap_accumulate_.default, (overlaps(d, 3, 2), -1.0, 1.0, *empty_sums(d, 3, 5))
    )
