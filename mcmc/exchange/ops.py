"""The one face of the exchange operators: the compiled ones where they are, the plain-torch twins elsewhere."""

import torch
from torch import Tensor

from mcmc import native
from mcmc.exchange import reference
from mcmc.exchange.state import ExchangeState, count_attempts, to_temperature_order
from mcmc.rng import Purpose, Streams


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


def count_and_swap(
    statistics: Tensor,
    energy: Tensor,
    beta: Tensor,
    state: ExchangeState,
    streams: Streams,
    number: int | Tensor,
    parity: int | None,
    sums: Tensor,
) -> Tensor:
    """What follows the steps of a sweep: their statistics counted by temperature, then one round of swaps.

    Args:
        statistics: (D, K R, 4) float64 by slot.
        energy:     (D, K, R) float64 extensive energies by slot.
        beta:       (K,) float64 increasing.
        streams:    of the uniforms, a chain for each replica.
        number:     of the sweep; or (1,) int64 that holds it.
        parity:     0 or 1; None for no exchange.
        sums:       (4, D, K, R) float64, gains the statistics.
    Returns:
        (4, D, K, R) float64, the statistics by the temperature that the chains had in these steps.
    """
    if isinstance(number, int) and _is_counted_in_one_call(energy):
        return torch.ops.mlp_gibbs.count_and_swap_(
            statistics,
            energy,
            beta,
            streams.seed,
            Purpose.SWAP,
            streams.network,
            streams.chain,
            number,
            -1 if parity is None else parity,
            state.slot_of_temp,
            state.temp_of_slot,
            state.accept_sum,
            state.swap_count,
            state.direction,
            state.round_trips,
            sums,
        )
    in_order = to_temperature_order(statistics.view(*energy.shape, 4), state).movedim(-1, 0)
    sums += in_order
    if parity is not None:
        n_pairs = (energy.shape[1] - parity) // 2
        u = streams.uniform(Purpose.SWAP, number, n_pairs).transpose(1, 2).contiguous()
        swap_pairs(u, energy, beta, state, parity)
    return in_order


def _is_counted_in_one_call(energy: Tensor) -> bool:
    return native.serves_numbers(energy)


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
