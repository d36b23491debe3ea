"""The one face of the exchange operators: the compiled ones where they are, the plain-torch twins elsewhere."""

import torch
from torch import Tensor

from mcmc import native
from mcmc.exchange import reference
from mcmc.exchange.state import ExchangeState, count_attempts


def _backend(backend: native.Backend | None, device: torch.device) -> native.Backend:
    if backend is None:
        return native.backend_for(device)
    if backend not in ("extension", "reference"):
        raise ValueError(f"backend must be 'extension' or 'reference', found {backend!r}")
    return backend


def deo_swap_(
    u: Tensor,
    energy: Tensor,
    beta: Tensor,
    parity: int,
    slot_of_temp: Tensor,
    temp_of_slot: Tensor,
    accept_sum: Tensor,
    swap_count: Tensor,
    direction: Tensor,
    round_trips: Tensor,
    *,
    backend: native.Backend | None = None,
) -> None:
    """Exchanges the temperatures of all neighbouring pairs of one parity, in place; see `reference.deo_swap_`.

    The extension wants the six written tensors contiguous and says so; the reference takes any.
    """
    chosen = _backend(backend, energy.device)
    op = torch.ops.mlp_gibbs.deo_swap_ if chosen == "extension" else reference.deo_swap_
    op(u, energy, beta, parity, slot_of_temp, temp_of_slot, accept_sum, swap_count, direction, round_trips)


def overlap_accumulate_(
    overlap: Tensor,
    lower: float,
    upper: float,
    histogram: Tensor,
    moment_sum: Tensor,
    *,
    backend: native.Backend | None = None,
) -> None:
    """Adds overlaps to histograms and moment sums, in place; see `reference.overlap_accumulate_`."""
    chosen = _backend(backend, overlap.device)
    op = torch.ops.mlp_gibbs.overlap_accumulate_ if chosen == "extension" else reference.overlap_accumulate_
    op(overlap, lower, upper, histogram, moment_sum)


def swap_pairs(
    u: Tensor,
    energy: Tensor,
    beta: Tensor,
    state: ExchangeState,
    parity: int,
    *,
    backend: native.Backend | None = None,
) -> None:
    """One round of swaps on the tensors of a state, in place; the caller has the attempts counted.

    Args:
        u:      (D, P, R) float64 uniforms drawn before, P = floor((K - parity) / 2).
        energy: (D, K, R) float64 extensive energies by slot.
        beta:   (K,) float64 increasing.
        parity: 0 or 1, alternating from sweep to sweep.
    """
    deo_swap_(
        u,
        energy,
        beta,
        parity,
        state.slot_of_temp,
        state.temp_of_slot,
        state.accept_sum,
        state.swap_count,
        state.direction,
        state.round_trips,
        backend=backend,
    )


def exchange(
    u: Tensor,
    energy: Tensor,
    beta: Tensor,
    state: ExchangeState,
    parity: int,
    *,
    backend: native.Backend | None = None,
) -> None:
    """`swap_pairs`, attempts counted."""
    swap_pairs(u, energy, beta, state, parity, backend=backend)
    count_attempts(state, parity)
