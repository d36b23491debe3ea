"""Float32 matrix products for which torch may ask oneDNN, where its BLAS does not know the processor."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor

MIN_NUMBERS: Final = 4096  # of a matrix; torch leaves smaller products to its BLAS


def product(a: Tensor, w: Tensor, out: Tensor | None = None) -> Tensor:
    """a w for float32 batches (D, C, N) and (D, N, M), N M above MIN_NUMBERS, by oneDNN where torch sees fit.

    torch asks its BLAS for float32 products, and MKL takes its AVX2 path on processors of other makers. Where it is
    allowed bfloat16, torch asks oneDNN instead, which uses that freedom only on processors that it makes faster
    (`is_float32` finds out).
    """
    mkldnn: Any = torch.backends.mkldnn  # torch's own types do not know the switch
    switch = mkldnn.matmul
    before = switch.fp32_precision
    switch.fp32_precision = "bf16"
    try:
        return torch.bmm(a, w, out=out)
    finally:
        switch.fp32_precision = before


def is_float32_product(multiply: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether products of float32 batches have float32 errors, and numbers of a chain that no other chain changes."""
    generator = torch.Generator().manual_seed(1)
    for n, m in ((512, 64), (65, 200)):
        a, w = torch.randn(2, 40, n, generator=generator), torch.randn(2, n, m, generator=generator)
        found, exact = multiply(a, w), torch.bmm(a.double(), w.double())
        scale = torch.bmm(a.double().abs(), w.double().abs())
        if not ((found - exact).abs() < 2.0**-20 * scale).all():  # bfloat16 factors: about 2^-13 of it
            return False
        if not all(torch.equal(multiply(a[:1, :c].contiguous(), w[:1]), found[:1, :c]) for c in (1, 16, 37)):
            return False
    return True


@cache
def is_float32() -> bool:
    """Whether torch has oneDNN, and `product` computes in float32 on this processor."""
    return torch.backends.mkldnn.is_available() and is_float32_product(product)
