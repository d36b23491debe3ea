"""Inputs for the exchange operators: states that random swaps have reached, energies, uniforms."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from mcmc.exchange import ops
from mcmc.exchange.state import ExchangeState, initial_exchange_state

# D, K, R, parity: nothing at all, one temperature, one pair, no pair of this parity, odd and even K, one replica, many
SHAPES = [
    (0, 4, 2, 0),
    (2, 1, 3, 0),
    (2, 1, 3, 1),
    (3, 2, 1, 0),
    (3, 2, 2, 1),
    (2, 3, 1, 0),
    (2, 3, 2, 1),
    (4, 6, 1, 1),
    (5, 7, 3, 0),
    (2, 5, 0, 0),
    (211, 32, 4, 0),
    (211, 32, 4, 1),
]


@dataclass
class SwapCase:
    u: Tensor
    energy: Tensor
    beta: Tensor
    parity: int
    state: ExchangeState

    def arguments(self) -> dict:
        """The arguments of `deo_swap_` by name."""
        s = self.state
        return {
            "u": self.u,
            "energy": self.energy,
            "beta": self.beta,
            "parity": self.parity,
            "slot_of_temp": s.slot_of_temp,
            "temp_of_slot": s.temp_of_slot,
            "accept_sum": s.accept_sum,
            "swap_count": s.swap_count,
            "direction": s.direction,
            "round_trips": s.round_trips,
        }


def uniforms(d: int, k: int, r: int, parity: int, generator: torch.Generator) -> Tensor:
    return torch.rand((d, (k - parity) // 2, r), dtype=torch.float64, generator=generator)


def swap_case(d: int, k: int, r: int, parity: int, seed: int = 0) -> SwapCase:
    """A case whose state has been shuffled by 4 K sweeps of random swaps of the reference."""
    generator = torch.Generator().manual_seed(seed)
    state = initial_exchange_state(d, k, r)
    beta = torch.linspace(0.1, 2.0, k, dtype=torch.float64)
    for sweep in range(4 * k):
        energy = torch.randn((d, k, r), dtype=torch.float64, generator=generator)
        u = uniforms(d, k, r, sweep % 2, generator)
        ops.exchange(u, energy, beta, state, sweep % 2, backend="reference")
    energy = torch.randn((d, k, r), dtype=torch.float64, generator=generator)
    return SwapCase(uniforms(d, k, r, parity, generator), energy, beta, parity, state)


def copy_state(state: ExchangeState) -> ExchangeState:
    copies = {f.name: getattr(state, f.name) for f in fields(state)}
    return replace(state, **{name: v.clone() if isinstance(v, Tensor) else v.copy() for name, v in copies.items()})


def assert_same_bits(a: Tensor, b: Tensor, what: str) -> None:
    """Equal shape, dtype and bits; a NaN equals a NaN."""
    assert a.dtype == b.dtype, f"{what}: {a.dtype} and {b.dtype}"
    assert a.shape == b.shape, f"{what}: {list(a.shape)} and {list(b.shape)}"
    differ = (a != b) & ~(a.isnan() & b.isnan()) | (torch.signbit(a) != torch.signbit(b)) & ~a.isnan()
    assert not bool(differ.any()), f"{what}: {int(differ.sum())} of {a.numel()} differ, first at {differ.nonzero()[0]}"


def assert_same_state(a: ExchangeState, b: ExchangeState) -> None:
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, Tensor):
            assert_same_bits(x, y, field.name)
        else:
            assert (x == y).all(), field.name
