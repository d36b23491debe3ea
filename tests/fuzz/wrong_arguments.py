"""What is done to arguments: other numbers, types, shapes, strides, devices, kinds; memory that two of them share."""

import random
from typing import Any

import torch
from torch import Tensor

INTEGERS = [
    0,
    -1,
    1,
    2,
    3,
    65,
    255,
    256,
    2**24,
    2**31 - 1,
    2**31,
    2**32,
    2**40,
    2**56,
    2**62,
    2**63 - 1,
    -(2**63),
    2**64,
]
NUMBERS = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 5e-324, 1.7e308, -1.7e308, 1e-300]
TEXTS = ["", "amx", "avx512", "avx2", "tanh", "piecewise", "float32", "bfloat16", "\0", "é", "x" * 100_000, "\ud800"]
DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
]
DTYPES += [torch.bool, torch.complex64, torch.complex128]
FILLS = [0, 1, -1, 127, float("nan"), float("inf"), -float("inf"), 1e38, 5e-324, 2**31, 2**32, 2**62, -(2**63)]
# more chains or networks than memory has: in strides of zero they cost nothing to ask for
HUGE = [2**31, 2**40, 2**61]


def _filled(t: Tensor, rng: random.Random) -> Tensor:
    """Some entries are something else."""
    value, t = rng.choice(FILLS), t.clone(memory_format=torch.contiguous_format)
    flat = t.view(-1)
    if not flat.numel():
        return t
    if t.dtype == torch.bool or (not t.is_floating_point() and value != value):
        value = 1
    if not t.is_floating_point() and not t.is_complex():
        info = torch.iinfo(t.dtype) if t.dtype != torch.bool else None
        value = int(min(max(value, info.min), info.max)) if info else 1
    flat[rng.randrange(flat.numel())] = value
    if rng.random() < 0.3:
        flat[:] = value
    return t


def _strided(t: Tensor, rng: random.Random) -> Tensor:
    """The same numbers, lying otherwise."""
    if t.is_quantized:  # torch itself ends the process where it copies one into numbers
        return t
    match rng.randint(0, 3):
        case 0:
            wide = torch.zeros([2 * n for n in t.shape], dtype=t.dtype)
            inside = wide[tuple(slice(None, None, 2) for _ in t.shape)]
            return inside.copy_(t)
        case 1 if t.dim() >= 2:
            return t.transpose(0, -1).contiguous().transpose(0, -1)
        case 2:  # not where its type would be aligned
            raw = bytearray(t.numel() * t.element_size() + 1)
            if not t.numel() or t.dtype == torch.bool:
                return t
            return torch.frombuffer(raw, dtype=t.dtype, offset=1).view(t.shape).copy_(t)
        case _:
            return torch.zeros(t.numel() + 3, dtype=t.dtype)[3:].view(t.shape).copy_(t)


def _reshaped(t: Tensor, rng: random.Random) -> Tensor:
    """Another shape."""
    shape = list(t.shape)
    match rng.randint(0, 7):
        case 0:
            return t.reshape(-1)
        case 1:
            return t.unsqueeze(rng.randint(0, t.dim()))
        case 2 if shape:
            return t.narrow(rng.randrange(t.dim()), 0, 0)
        case 3 if shape:
            axis = rng.randrange(t.dim())
            return torch.cat([t, t], axis)
        case 4 if shape and t.numel():
            axis = rng.randrange(t.dim())
            return t.narrow(axis, 0, 1).expand([n if i != axis else rng.choice(HUGE) for i, n in enumerate(shape)])
        case 5 if shape:  # nothing in it, and sizes whose product overflows
            axis = rng.randrange(t.dim())
            return torch.empty(
                [0 if i == axis else rng.choice([1, 2**24, 2**31]) for i in range(len(shape))], dtype=t.dtype
            )
        case 6 if shape and t.numel():
            axis = rng.randrange(t.dim())
            return t.narrow(axis, 0, 1).expand(shape)
        case _:
            return t if t.is_quantized else t.new_empty(())  # torch itself cannot copy what comes of those


def _odd(t: Tensor, rng: random.Random) -> Tensor:
    """No plain tensor of this device."""
    match rng.randint(0, 7):
        case 0:
            return t.to("meta")
        case 1 if t.is_floating_point():
            return t.clone().requires_grad_()
        case 2 if t.is_floating_point():
            return t.to_sparse()
        case 3 if t.is_floating_point():
            return torch._neg_view(t)
        case 4 if t.is_floating_point():
            return torch._efficientzerotensor(t.shape, dtype=t.dtype)
        case 5 if t.dtype == torch.float32:
            return torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)
        case 6 if t.dtype == torch.float32:
            return t.to(torch.complex64).conj()
        case _:
            return torch.nn.Parameter(t.clone(), requires_grad=False)


def _typed(t: Tensor, rng: random.Random) -> Tensor:
    dtype = rng.choice(DTYPES)
    return (t.real if t.is_complex() else t).nan_to_num().to(dtype)


def _changed_tensor(t: Tensor, rng: random.Random) -> Any:
    if t.numel() > 2**24:  # one number expanded without end: its copies would be what fails
        return t
    change = rng.choice([_filled, _strided, _strided, _reshaped, _reshaped, _typed, _odd])
    try:
        return change(t, rng)
    except (RuntimeError, MemoryError):  # torch itself has no such tensor
        return t


def changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, Tensor):
        return _changed_tensor(value, rng) if rng.random() < 0.97 else rng.choice([None, 1, "x", []])
    if isinstance(value, bool):
        return rng.choice([True, False, 2, None])
    if isinstance(value, int):
        return rng.choice(INTEGERS)
    if isinstance(value, float):
        return rng.choice(NUMBERS)
    if isinstance(value, str):
        return rng.choice(TEXTS)
    if isinstance(value, torch.dtype):
        return rng.choice(DTYPES)
    if isinstance(value, list):
        if value and rng.random() < 0.7:
            at = rng.randrange(len(value))
            return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
        return rng.choice([[], value[:-1], value + value, value * 40, value[::-1]])
    return rng.choice([None, torch.zeros(1)])


def share_memory(arguments: dict[str, Any], rng: random.Random) -> None:
    """Two tensors share memory, in whole or in part."""
    names = [
        n
        for n, t in arguments.items()
        if isinstance(t, Tensor) and 0 < t.numel() < 10_000 and t.layout == torch.strided
    ]
    names = [n for n in names if arguments[n].device.type == "cpu" and not arguments[n].is_quantized]
    pairs = [
        (a, b) for a in names for b in names if a != b and arguments[a].element_size() == arguments[b].element_size()
    ]
    if not pairs:
        return
    a, b = rng.choice(pairs)
    first, second = arguments[a].detach(), arguments[b].detach()
    shift = rng.choice([0, 0, 1])
    memory = torch.zeros(max(first.numel(), second.numel()) + shift, dtype=first.dtype)
    memory[: first.numel()] = first.reshape(-1)
    arguments[a] = memory[: first.numel()].view(first.shape)
    arguments[b] = memory.view(second.dtype)[shift : shift + second.numel()].view(second.shape)
