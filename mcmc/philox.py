"""Philox4x32-10 streams in plain torch: the definition that the C++ and CUDA operators reproduce bit for bit.

A stream is addressed, never advanced. Its words are Philox4x32-10 (Salmon, Moraes, Dror & Shaw, SC'11, 2011,
doi:10.1145/2063384.2063405) of

    counter = (block, step, chain, network)      key = (seed mod 2^32, floor(seed / 2^32) + 2^24 purpose)

with 0 <= seed < 2^56, 0 <= purpose < 256 and the rest below 2^32. Each field has bits of its own, so two different
addresses never give the same block.

Only IEEE-exact operations appear (+, -, *, /, sqrt and integers; no library logarithm or cosine), in the order of
`cpp_ext/core/ieee_math.h`. Changing the order of two operations here changes results: the tests then say so.
"""

import math

import numpy as np
import torch
from torch import Tensor

WORD = 1 << 32
_LOW = WORD - 1
_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_WEYL0, _WEYL1 = 0x9E3779B9, 0xBB67AE85  # golden ratio and sqrt(3) - 1, in units of 2^-32

# ln 2 = LN2_HI + LN2_LO; LN2_HI has 32 bits, so that n * LN2_HI is exact for |n| <= 2^21.
LN2_HI = float.fromhex("0x1.62e42fee00000p-1")
LN2_LO = float.fromhex("0x1.a39ef35793c76p-33")
TWO_PI = float.fromhex("0x1.921fb54442d18p+2")

# Highest power first. Interpolated at Chebyshev nodes in 60 digits; cpp_ext/coefficients.py prints them again.
# (2 atanh(s)/s - 2)/s^2 in s^2 on [0, (3 - 2 sqrt 2)^2]
_LOG = (
    "0x1.2b584aae78a57p-3 0x1.39fe606542ddep-3 0x1.7462b4ab2ef6bp-3 0x1.c71c62e5800a1p-3 0x1.2492492df148dp-2 "
    "0x1.99999999952e2p-2 0x1.5555555555558p-1"
)
# (sin(2 pi r)/r - 2 pi)/r^2 in r^2 on [0, 1/64]
_SIN = (
    "0x1.e4a9d9166f052p+1 -0x1.e3027dea82bd7p+3 0x1.50783208843ebp+5 -0x1.32d2cce500387p+6 0x1.466bc6775a476p+6 "
    "-0x1.4abbce625be52p+5"
)
# (cos(2 pi r) - 1)/r^2 in r^2 on [0, 1/64]
_COS = (
    "-0x1.b2f3eb054afcdp+0 0x1.f9ce245cada0bp+2 -0x1.a6d1eef479be1p+4 0x1.e1f5068688d5bp+5 -0x1.55d3c7e3cb241p+6 "
    "0x1.03c1f081b5ac0p+6 -0x1.3bd3cc9be45dep+4"
)
# (exp(r) - 1 - r)/r^2 in r on [-ln(2)/2, ln(2)/2]
_EXP = (
    "0x1.af389ecfc4b9cp-26 0x1.28917c89a43a7p-22 0x1.71de0db2f6b19p-19 0x1.a019b9149a41cp-16 0x1.a01a01a7c2efep-13 "
    "0x1.6c16c17889ef1p-10 0x1.11111111109b5p-7 0x1.5555555553d68p-5 0x1.5555555555556p-3 0x1.0000000000001p-1"
)


def _polynomial(table: str, z: Tensor) -> Tensor:
    """The polynomial of a coefficient table by Horner's rule, each product and sum rounded on its own."""
    first, *rest = (float.fromhex(c) for c in table.split())
    p = torch.full_like(z, first)
    for coefficient in rest:
        p = p * z + coefficient
    return p


def _sqrt(x: Tensor) -> Tensor:
    """The correctly rounded square root.

    Not torch.sqrt on a CPU: it is one last bit off in about 1 % of the numbers there (torch 2.13 with MKL), where the
    processor's own instruction is exact. CUDA's double square root is correctly rounded.
    """
    return torch.from_numpy(np.sqrt(x.numpy())) if x.device.type == "cpu" else torch.sqrt(x)


def log_unit(x: Tensor) -> Tensor:
    """Natural logarithm of normal numbers in (0, 1], float64, within 2.3e-16 relative.

    x = 2^e m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f):  log m = 2 atanh(s) = f - s (f - s^2 P(s^2)).
    """
    m, e = torch.frexp(x)  # m in [1/2, 1)
    is_small = m < float.fromhex("0x1.6a09e667f3bcdp-1")
    m = torch.where(is_small, m * 2.0, m)
    e = torch.where(is_small, e - 1, e).to(torch.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    return e * LN2_HI + (f + (e * LN2_LO - s * (f - z * _polynomial(_LOG, z))))


def sin_turn(r: Tensor) -> Tensor:
    """sin(2 pi r) for |r| <= 1/8, float64."""
    z = r * r
    return r * (TWO_PI + z * _polynomial(_SIN, z))


def cos_turn(r: Tensor) -> Tensor:
    """cos(2 pi r) for |r| <= 1/8, float64."""
    z = r * r
    return 1.0 + z * _polynomial(_COS, z)


def exp_nonpositive(x: Tensor) -> Tensor:
    """exp(min(0, x)) in float64: 1 for x >= 0, 0 below -708 (where a double stops being normal), NaN for NaN.

    n = round(x / ln 2), r = x - n ln 2:  exp(x) = 2^n (1 + r + r^2 P(r)), within 2.3e-16 relative.
    """
    inner = torch.where((x < 0.0) & (x >= -708.0), x, torch.zeros_like(x))
    shift = 1.5 * 2.0**52  # adding it rounds to the nearest even integer
    n = (inner * float.fromhex("0x1.71547652b82fep+0") + shift) - shift
    r = (inner - n * LN2_HI) - n * LN2_LO
    scale = ((n.to(torch.int64) + 1023) << 52).view(torch.float64)
    value = (1.0 + (r + (r * r) * _polynomial(_EXP, r))) * scale
    value = torch.where(x < -708.0, torch.zeros_like(x), value)
    return torch.where(torch.isnan(x), x, value)


def _check_range(name: str, value: int, limit: int, limit_text: str) -> None:
    if not 0 <= value < limit:
        raise ValueError(f"{name} must be in [0, {limit_text}), found {value}")


def _check_words(name: str, t: Tensor) -> None:
    if t.dtype != torch.int64:
        raise ValueError(f"{name} must be torch.int64, found {t.dtype}")
    if t.numel() and (int(t.min()) < 0 or int(t.max()) > _LOW):
        raise ValueError(f"{name} must be in [0, 2^32), found values from {int(t.min())} to {int(t.max())}")


def stream_key(seed: int, purpose: int) -> tuple[int, int]:
    """The two key words of (seed, purpose)."""
    _check_range("seed", seed, 1 << 56, "2^56")
    _check_range("purpose", purpose, 256, "256")
    return seed & _LOW, (seed >> 32) | purpose << 24


def _rounds(c: tuple[Tensor, ...], k0: Tensor | int, k1: Tensor | int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ten rounds of Philox on int64 tensors that hold unsigned 32-bit words (products wrap modulo 2^64)."""
    c0, c1, c2, c3 = c
    for _ in range(10):
        a, b = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = ((b >> 32) & _LOW) ^ c1 ^ k0, b & _LOW, ((a >> 32) & _LOW) ^ c3 ^ k1, a & _LOW
        k0, k1 = (k0 + _WEYL0) & _LOW, (k1 + _WEYL1) & _LOW
    return c0, c1, c2, c3


def philox4x32(counter: Tensor, key: Tensor) -> Tensor:
    """The Philox4x32-10 words of raw counters (n, 4) and keys (n, 2) -> (n, 4), all int64 holding unsigned 32 bits."""
    if counter.dim() != 2 or counter.shape[1] != 4:
        raise ValueError(f"counter must have shape (n, 4), found {list(counter.shape)}")
    if key.shape != (counter.shape[0], 2):
        raise ValueError(f"key must have shape {[counter.shape[0], 2]}, found {list(key.shape)}")
    _check_words("counter", counter)
    _check_words("key", key)
    return torch.stack(_rounds(counter.unbind(1), key[:, 0], key[:, 1]), dim=1)


def _stream_words(
    seed: int, purpose: int, network: Tensor, chain: Tensor, step: int | Tensor, n: int, per_block: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Words of every block that n numbers need, each (D, C, ceil(n / per_block))."""
    k0, k1 = stream_key(seed, purpose)
    if not isinstance(step, Tensor):
        _check_range("step", step, WORD, "2^32")
        step = torch.full((1,), step, dtype=torch.int64, device=network.device)
    if not 0 <= n <= per_block * WORD:
        raise ValueError(f"n must be in [0, {per_block} * 2^32], found {n}")
    for name, axis, t in (("network", "D", network), ("chain", "C", chain)):
        if t.dim() != 1:
            raise ValueError(f"{name} must have shape ({axis},), found {list(t.shape)}")
        _check_words(name, t)
    block = torch.arange(math.ceil(n / per_block), dtype=torch.int64, device=network.device)
    shape = (network.shape[0], chain.shape[0], block.shape[0])
    counter = (
        block.expand(shape),
        step.expand(shape),
        chain[:, None].expand(shape),
        network[:, None, None].expand(shape),
    )
    return _rounds(counter, k0, k1)


def philox_uniform(seed: int, purpose: int, network: Tensor, chain: Tensor, step: int | Tensor, n: int) -> Tensor:
    """Uniform numbers of (0, 1), two a block: u = (k + 1/2) 2^-52, k the 52 top bits of a pair of words.

    Symmetric about 1/2 and strictly inside the interval; element j is number j mod 2 of block floor(j / 2).

    Args:
        network: (D,) int64 network ids.  chain: (C,) int64 chain ids.  n: numbers for each of them.
        step:    one number, or a tensor (1,) int64 that holds it.
    Returns:
        (D, C, n) float64.
    Raises:
        ValueError: an argument outside its range, with the value found.
    """
    w = _stream_words(seed, purpose, network, chain, step, n, per_block=2)
    k = torch.stack(((w[0] << 20) | (w[1] >> 12), (w[2] << 20) | (w[3] >> 12)), dim=-1)
    return ((k.to(torch.float64) + 0.5) * 2.0**-52).flatten(2)[..., :n].contiguous()


def _normal_pair(w: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Box-Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v), u = (w + 1/2) 2^-32, v = (t + 1/2) 2^-32."""
    radius = _sqrt(-2.0 * log_unit((w.to(torch.float64) + 0.5) * 2.0**-32))
    # The nearest quarter turn is taken off in integers, so that what remains, |r| < 1/8 turn, is exact.
    turned = (t + (1 << 29)) & _LOW
    r = ((turned & ((1 << 30) - 1)).to(torch.float64) + (0.5 - 2.0**29)) * 2.0**-32
    s, c = sin_turn(r), cos_turn(r)
    quadrant = turned >> 30
    is_odd = (quadrant & 1) != 0
    x, y = torch.where(is_odd, s, c), torch.where(is_odd, c, s)
    x = torch.where(((quadrant + 1) & 2) != 0, -x, x)  # + - - +
    y = torch.where((quadrant & 2) != 0, -y, y)  # + + - -
    return radius * x, radius * y


def philox_normal(
    seed: int, purpose: int, network: Tensor, chain: Tensor, step: int | Tensor, n: int, dtype: torch.dtype
) -> Tensor:
    """Standard normal numbers, four a block, computed in float64 and rounded to `dtype` at the end.

    Element j is number j mod 4 of block floor(j / 4): Box-Muller on the words (w0, w1), then on (w2, w3). The smallest
    u is 2^-33, so |z| <= sqrt(66 ln 2) = 6.76: the tails beyond (probability 1.4e-11) are cut off.

    Args:
        network: (D,) int64 network ids.  chain: (C,) int64 chain ids.  dtype: torch.float64 or torch.float32.
    Returns:
        (D, C, n) of dtype.
    Raises:
        ValueError: an argument outside its range, with the value found.
    """
    if dtype not in (torch.float64, torch.float32):
        raise ValueError(f"dtype must be torch.float64 or torch.float32, found {dtype}")
    w = _stream_words(seed, purpose, network, chain, step, n, per_block=4)
    numbers = torch.stack((*_normal_pair(w[0], w[1]), *_normal_pair(w[2], w[3])), dim=-1)
    return numbers.flatten(2)[..., :n].to(dtype).contiguous()
