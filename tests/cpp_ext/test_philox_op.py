"""The Philox operators: published vectors, the twin bit for bit, arguments."""

import pytest
import torch

from mcmc import native, philox
from tests.exchange.cases import assert_same_bits

pytestmark = pytest.mark.skipif(native.BACKEND == "reference", reason=f"no extension: {native.extension_error}")

# Random123, tests/kat_vectors, "philox4x32 10": counter, key, words
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
# D, C, n: nothing, less than a block, whole and broken blocks, chunk boundaries (256 blocks), large
SHAPES = [
    (0, 3, 5),
    (3, 0, 5),
    (2, 3, 0),
    (1, 1, 1),
    (3, 5, 1),
    (2, 7, 2),
    (5, 3, 3),
    (4, 4, 4),
    (3, 11, 37),
    (1, 1, 1024),
    (1, 2, 1025),
    (1, 1, 512),
    (1, 1, 513),
    (16, 32, 100),
]
SEED = 0xABCDEF0123456


def hexadecimal(rows):
    return torch.tensor([[int(word, 16) for word in row.split()] for row in rows])


@pytest.mark.parametrize("implementation", ["extension", "reference"])
def test_known_answers(implementation):
    counter, key, words = (hexadecimal(column) for column in zip(*KNOWN_ANSWERS, strict=True))
    fn = torch.ops.mlp_gibbs.philox4x32 if implementation == "extension" else philox.philox4x32
    assert torch.equal(fn(counter, key), words)


def ids(d, c):
    """Network and chain ids with all 32 bits in use, as non-contiguous views."""
    generator = torch.Generator().manual_seed(d + 100 * c)
    network = torch.randint(0, 1 << 32, (2 * d,), generator=generator)[::2]
    chain = torch.randint(0, 1 << 32, (c, 3), generator=generator)[:, 1]
    return network, chain


@pytest.mark.parametrize(("d", "c", "n"), SHAPES)
def test_streams_equal_their_twins_bit_for_bit(d, c, n):
    network, chain = ids(d, c)
    address = (SEED, 200, network, chain, 0xFFFFFFFF, n)
    uniform = torch.ops.mlp_gibbs.philox_uniform(*address)
    assert uniform.shape == (d, c, n)
    assert_same_bits(uniform, philox.philox_uniform(*address), "uniform")
    for dtype in (torch.float64, torch.float32):
        normal = torch.ops.mlp_gibbs.philox_normal(*address, dtype)
        assert normal.shape == (d, c, n)
        assert_same_bits(normal, philox.philox_normal(*address, dtype), f"normal {dtype}")


def test_large_batch_equals_its_twin():
    """Half a million normals: a difference of one in a million operations would show."""
    network, chain = torch.arange(64), torch.arange(64)
    address = (7, 4, network, chain, 3, 128, torch.float64)
    assert_same_bits(torch.ops.mlp_gibbs.philox_normal(*address), philox.philox_normal(*address), "normal")


def test_words_of_non_contiguous_rows():
    counter = torch.randint(0, 1 << 32, (4, 50)).T
    key = torch.randint(0, 1 << 32, (50, 4))[:, ::2]
    assert torch.equal(torch.ops.mlp_gibbs.philox4x32(counter, key), philox.philox4x32(counter, key))


def test_address_layout():
    """counter = (block, step, chain, network), key = (seed low, seed high + 2^24 purpose)."""
    seed, purpose, network, chain, step = 0x00FEDCBA98765432, 77, 5, 6, 7
    words = torch.ops.mlp_gibbs.philox4x32(
        torch.tensor([[1, step, chain, network]]), torch.tensor([[0x98765432, 0xFEDCBA | 77 << 24]])
    )[0]
    k = (int(words[0]) << 20) | (int(words[1]) >> 12)
    drawn = torch.ops.mlp_gibbs.philox_uniform(seed, purpose, torch.tensor([network]), torch.tensor([chain]), step, 4)
    assert drawn[0, 0, 2].item() == (k + 0.5) * 2.0**-52


NORMAL = {"seed": 1, "purpose": 2, "network": torch.arange(2), "chain": torch.arange(3), "step": 4, "n": 5}
BAD_ARGUMENTS = [
    ({"seed": -1}, r"seed must be in \[0, 2\^56\), found -1"),
    ({"seed": 1 << 56}, r"seed must be in \[0, 2\^56\), found 72057594037927936"),
    ({"purpose": 256}, r"purpose must be in \[0, 256\), found 256"),
    ({"step": 1 << 32}, r"step must be in \[0, 2\^32\), found 4294967296"),
    ({"step": -1}, r"step must be in \[0, 2\^32\), found -1"),
    ({"n": -2}, r"n must be in \[0, 4 \* 2\^32\], found -2"),
    ({"network": torch.tensor([0, -3])}, r"network must be in \[0, 2\^32\), found .*-3"),
    ({"chain": torch.tensor([1 << 32])}, r"chain must be in \[0, 2\^32\), found .*4294967296"),
    ({"network": torch.zeros(2)}, "network must be .*found"),
    ({"chain": torch.zeros((2, 2), dtype=torch.int64)}, r"chain must have shape \(C,\), found \[2, 2\]"),
    ({"dtype": torch.float16}, "dtype must be .* found"),
]


@pytest.mark.parametrize("implementation", [torch.ops.mlp_gibbs.philox_normal, philox.philox_normal])
@pytest.mark.parametrize(("change", "message"), BAD_ARGUMENTS)
def test_wrong_arguments_are_named(implementation, change, message):
    with pytest.raises(ValueError, match=message):
        implementation(**{**NORMAL, "dtype": torch.float64, **change})


@pytest.mark.parametrize("implementation", [torch.ops.mlp_gibbs.philox4x32, philox.philox4x32])
@pytest.mark.parametrize(
    ("counter", "key", "message"),
    [
        (torch.zeros((3, 3), dtype=torch.int64), torch.zeros((3, 2), dtype=torch.int64), r"\(n, 4\), found \[3, 3\]"),
        (torch.zeros((3, 4), dtype=torch.int64), torch.zeros((2, 2), dtype=torch.int64), r"\[3, 2\], found \[2, 2\]"),
        (torch.full((1, 4), -1), torch.zeros((1, 2), dtype=torch.int64), r"counter must be in \[0, 2\^32\), found"),
        (torch.zeros((1, 4)), torch.zeros((1, 2), dtype=torch.int64), "counter must be .*found"),
    ],
)
def test_wrong_raw_arguments_are_named(implementation, counter, key, message):
    with pytest.raises(ValueError, match=message):
        implementation(counter, key)


@pytest.mark.parametrize("d", [0, 2])
def test_operators_are_registered_properly(d):
    network, chain = torch.arange(d), torch.arange(3)
    torch.library.opcheck(
        torch.ops.mlp_gibbs.philox4x32.default,
        (torch.zeros((d, 4), dtype=torch.int64), torch.zeros((d, 2), dtype=torch.int64)),
    )
    torch.library.opcheck(torch.ops.mlp_gibbs.philox_uniform.default, (1, 2, network, chain, 3, 5))
    step = torch.tensor([3])
    torch.library.opcheck(torch.ops.mlp_gibbs.philox_uniform_at.default, (1, 2, network, chain, step, 5))
    torch.library.opcheck(torch.ops.mlp_gibbs.philox_normal_at.default, (1, 2, network, chain, step, 5, torch.float32))
    torch.library.opcheck(torch.ops.mlp_gibbs.philox_normal.default, (1, 2, network, chain, 3, 5, torch.float32))
