"""Replica exchange and overlap sums in plain torch: the definition that the compiled operators reproduce bit for bit.

Arrays are (network, temperature or slot, replica): (D, K, R). A slot is a place in memory and never moves; its
temperature does. `slot_of_temp` and `temp_of_slot` are inverse permutations of 0..K-1 along axis 1 for each network and
replica. Temperature 0 is the hottest (smallest beta).
"""

import math

import torch
from torch import Tensor

from mcmc.philox import exp_nonpositive


def _check(name: str, t: Tensor, dtype: torch.dtype, shape: tuple[int, ...], like: Tensor) -> None:
    if t.dtype != dtype:
        raise ValueError(f"{name} must be {dtype}, found {t.dtype}")
    if t.shape != shape:
        raise ValueError(f"{name} must have shape {list(shape)}, found {list(t.shape)}")
    if t.device != like.device:
        raise ValueError(f"{name} must be on the device {like.device}, found {t.device}")


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
) -> None:
    """Exchanges the temperatures of all neighbouring pairs of one parity, in place.

        log r = (beta_i - beta_j) (H_i - H_j),  j = i + 1;  accepted iff u < p = exp(min(0, log r))
                                                        [Hukushima & Nemoto, J. Phys. Soc. Jpn. 65 (1996) 1604]

    A NaN log r leaves the pair as it is and makes `accept_sum` NaN, so that it surfaces: never a quiet rejection.

    Args:
        u:            (D, P, R) float64 uniforms, P = floor((K - parity) / 2), drawn before.
        energy:       (D, K, R) float64 extensive energies H, by slot.
        beta:         (K,) float64 inverse temperatures, increasing.
        parity:       0 or 1; the pairs are (parity, parity + 1), (parity + 2, parity + 3), ...
        slot_of_temp, temp_of_slot: (D, K, R) int64, written.
        accept_sum:   (D, K - 1, R) float64, gains p for each pair;  swap_count: int64, gains 1 if accepted.
        direction:    (D, K, R) int8 by slot: the end of the ladder visited last, +1 hottest, -1 coldest, 0 neither yet.
        round_trips:  (D, K, R) int64 by slot, gains 1 when a walker that came from the coldest arrives at the hottest.
    Raises:
        ValueError: wrong shape, dtype, device or parity, with what was found.
    """
    if parity not in (0, 1):
        raise ValueError(f"parity must be 0 or 1, found {parity}")
    if energy.dim() != 3 or energy.shape[1] < 1:
        raise ValueError(f"energy must have shape (D, K, R) with K >= 1, found {list(energy.shape)}")
    d, k, r = energy.shape
    n_pairs = (k - parity) // 2
    _check("energy", energy, torch.float64, (d, k, r), energy)
    _check("u", u, torch.float64, (d, n_pairs, r), energy)
    _check("beta", beta, torch.float64, (k,), energy)
    _check("slot_of_temp", slot_of_temp, torch.int64, (d, k, r), energy)
    _check("temp_of_slot", temp_of_slot, torch.int64, (d, k, r), energy)
    _check("accept_sum", accept_sum, torch.float64, (d, k - 1, r), energy)
    _check("swap_count", swap_count, torch.int64, (d, k - 1, r), energy)
    _check("direction", direction, torch.int8, (d, k, r), energy)
    _check("round_trips", round_trips, torch.int64, (d, k, r), energy)
    if n_pairs == 0:
        return

    i = torch.arange(parity, k - 1, 2, device=energy.device)
    slot_i, slot_j = slot_of_temp[:, i], slot_of_temp[:, i + 1]
    energy_i, energy_j = energy.gather(1, slot_i), energy.gather(1, slot_j)
    log_ratio = (beta[i] - beta[i + 1])[:, None] * (energy_i - energy_j)
    p = exp_nonpositive(log_ratio)
    is_accepted = u < p  # false for a NaN
    accept_sum[:, i] += p
    swap_count[:, i] += is_accepted.to(torch.int64)

    now_i = torch.where(is_accepted, slot_j, slot_i)
    now_j = torch.where(is_accepted, slot_i, slot_j)
    slot_of_temp[:, i] = now_i
    slot_of_temp[:, i + 1] = now_j
    temp_of_slot.scatter_(1, now_i, i[:, None].expand_as(now_i))
    temp_of_slot.scatter_(1, now_j, (i + 1)[:, None].expand_as(now_j))

    if parity == 0:
        _arrive(now_i[:, :1], is_accepted[:, :1], 1, direction, round_trips)
    if (k - parity) % 2 == 0:  # the last pair holds the coldest temperature
        _arrive(now_j[:, -1:], is_accepted[:, -1:], -1, direction, round_trips)


def _arrive(slot: Tensor, is_accepted: Tensor, end: int, direction: Tensor, round_trips: Tensor) -> None:
    """Notes the arrival of the walkers in `slot` (D, 1, R) at an end of the ladder, where the swap was accepted."""
    before = direction.gather(1, slot)
    if end > 0:
        round_trips.scatter_add_(1, slot, (is_accepted & (before < 0)).to(torch.int64))
    direction.scatter_(1, slot, torch.where(is_accepted, end, before).to(torch.int8))


def overlap_accumulate_(overlap: Tensor, lower: float, upper: float, histogram: Tensor, moment_sum: Tensor) -> None:
    """Adds the overlaps of all replica pairs to histograms and to the sums of q, q^2, q^3, q^4, in place.

    Bin b = 1..B holds lower + (b - 1) w <= q < lower + b w, w = (upper - lower) / B, up to the rounding of
    (q - lower) * (B / (upper - lower)); q = upper belongs to bin B. Bin 0 counts q < lower, bin B + 1 counts q > upper.
    A NaN is counted nowhere and makes the sums NaN.

    Args:
        overlap:    (D, K, P) float64, P pairs of real replicas.
        histogram:  (D, K, B + 2) int64, written.
        moment_sum: (D, K, 4) float64, written; the pairs are added one after another, in their order.
    Raises:
        ValueError: wrong shape, dtype or device, or lower >= upper, with what was found.
    """
    if not (lower < upper and math.isfinite(upper - lower)):
        raise ValueError(f"lower must be below upper and both finite, found lower = {lower} and upper = {upper}")
    if overlap.dim() != 3:
        raise ValueError(f"overlap must have shape (D, K, P), found {list(overlap.shape)}")
    if histogram.dim() != 3 or histogram.shape[2] < 3:
        raise ValueError(f"histogram must have shape (D, K, B + 2) with B >= 1, found {list(histogram.shape)}")
    d, k, n_pairs = overlap.shape
    n_bins = histogram.shape[2] - 2
    if not math.isfinite(n_bins / (upper - lower)):
        raise ValueError(f"upper - lower must be large enough to divide into bins, found {upper - lower}")
    _check("overlap", overlap, torch.float64, (d, k, n_pairs), overlap)
    _check("histogram", histogram, torch.int64, (d, k, n_bins + 2), overlap)
    _check("moment_sum", moment_sum, torch.float64, (d, k, 4), overlap)

    for pair in range(n_pairs):  # one after another: a sum in another order has other last bits
        q = overlap[..., pair]
        q2 = q * q
        moment_sum += torch.stack((q, q2, q2 * q, q2 * q2), dim=-1)

    inside = torch.nan_to_num(overlap.clamp(lower, upper), nan=lower)
    bin_of = ((inside - lower) * (n_bins / (upper - lower))).to(torch.int64).clamp(max=n_bins - 1) + 1
    bin_of = torch.where(overlap < lower, 0, torch.where(overlap > upper, n_bins + 1, bin_of))
    histogram.scatter_add_(2, bin_of, (~torch.isnan(overlap)).to(torch.int64))
