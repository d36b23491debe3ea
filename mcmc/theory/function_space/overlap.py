"""Overlap of a network and its perturbed copy, layer by layer, and how it fluctuates at finite width.

Two networks see the same input. The weights of the second are those of the first, rotated or flipped at random
[Li and Saad, PRL 120, 248301 (2018)]:

    continuous   w = sqrt(1-eta^2) w^ + eta dw      kappa = sqrt(1-eta^2)
    binary       w = -w^ with probability p         kappa = 1-2p

    q^l = (1/N) sum_i s^_i^l s_i^l = K(kappa_l q^{l-1}),   q^0 = 1,   delta_l = (1-q^l)/2,   error = delta_L

Given the layer below, the units of a layer are independent, so that for spins, at each order in 1/N
(docs/function_space.md),

    N Var q^l = 1 - (q^l)^2 + (kappa_l K')^2 N Var q^{l-1}
    N (E q^l - q^l) = kappa_l K' N (E q^{l-1} - q^{l-1}) + (kappa_l^2 K''/2) N Var q^{l-1}     (continuous weights)

It needs N delta_l >> 1 in every layer: where hardly a unit differs, K' at q = 1 is infinite and no 1/N law holds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcmc.errors import UsageError
from mcmc.names import nearest
from mcmc.theory.function_space.units import Array, Unit

WEIGHT_NAMES = ("continuous", "binary")
MAX_PERTURBATION = {"continuous": 1.0, "binary": 0.5}
SYMBOLS = {"continuous": "eta", "binary": "p"}


@dataclass(frozen=True)
class OverlapProfile:
    """Overlaps of all layers.

    Attributes:
        overlap:    (L,) q^1 .. q^L.
        difference: (L,) delta_l = (1-q^l)/2; of spins, the probability to differ, exact where q^l rounds to 1.
        variance:   (L,) N Var q^l of one input in one network; None for units that are not spins.
        shift:      (L,) N (E q^l - q^l), the first finite-width correction; None but for spins with continuous weights.
    """

    overlap: Array
    difference: Array
    variance: Array | None
    shift: Array | None

    @property
    def error(self) -> float:
        """(1-q^L)/2, the probability of an output bit to differ."""
        return float(self.difference[-1])

    def wrong_units(self, width: int) -> Array:
        """N delta_l, the mean number of units that differ; above about 10 the recursion and its variance hold."""
        result: Array = width * self.difference
        return result


def check_perturbation(weights: str, perturbation: Sequence[float]) -> Array:
    """The perturbations (L,) as an array.

    Raises:
        UsageError: unknown weights, no layer, or a number outside [0, 1] (eta) or [0, 1/2] (p).
    """
    check_weights(weights)
    top = MAX_PERTURBATION[weights]
    values = np.asarray(perturbation, dtype=np.float64)
    if not len(values):
        raise UsageError("expected the perturbation of at least one layer, found none.")
    for layer, value in enumerate(values, start=1):
        if not 0 <= value <= top:
            raise UsageError(
                f"perturbation {SYMBOLS[weights]} of layer {layer}: expected 0 to {top:g}, found {value:g}. "
                f"{SYMBOLS[weights]} = {top:g} already makes the two networks independent.",
                layer=layer,
                value=float(value),
            )
    return values


def check_weights(weights: str) -> None:
    """Raises UsageError unless weights is a name of WEIGHT_NAMES."""
    if weights not in WEIGHT_NAMES:
        raise UsageError(f"unknown weights '{weights}'.{nearest(weights, WEIGHT_NAMES)}")


def weight_correlation(weights: str, perturbation: Sequence[float]) -> Array:
    """kappa_l, the correlation of the weights of both networks: (L,)."""
    values = check_perturbation(weights, perturbation)
    result: Array = np.sqrt((1 - values) * (1 + values)) if weights == "continuous" else 1 - 2 * values
    return result


def overlap_profile(weights: str, perturbation: Sequence[float], unit: Unit | None = None) -> OverlapProfile:
    """The overlap of every layer and its fluctuation, for any perturbation of the layers.

    Args:
        weights:      continuous or binary.
        perturbation: eta_l or p_l of layers 1..L.
        unit:         sign units if not given.
    """
    unit = unit or Unit.sign()
    kappas = weight_correlation(weights, perturbation)
    rows, q, d, v, shift = [], 1.0, 0.0, 0.0, 0.0
    for kappa, value in zip(kappas, perturbation, strict=True):
        if unit.name == "sign":
            d = _next_difference(weights, value, d)
            q, slope, curvature = 1 - 2 * d, *_sign_slopes(d)
        else:
            q, slope, curvature = (float(x) for x in unit.dual(np.array(kappa * unit.mix(q)), 2))
            d = (1 - q) / 2
        if v:  # a layer below that is never different has no fluctuations, whatever the slope
            shift = kappa * slope * shift + kappa**2 * curvature / 2 * v
            v *= kappa**2 * slope**2
        v += 1 - q * q
        rows.append((q, d, v, shift))
    overlap, difference, variance, shifts = np.array(rows).T
    is_gaussian = unit.is_spin and weights == "continuous"
    return OverlapProfile(overlap, difference, variance if unit.is_spin else None, shifts if is_gaussian else None)


def _sign_slopes(d: float) -> tuple[float, float]:
    """K' and K'' of sign units at x = cos(pi delta)."""
    if d == 0:
        return math.inf, math.inf
    sin = math.sin(math.pi * d)
    return 2 / math.pi / sin, 2 / math.pi * math.cos(math.pi * d) / sin**3


def _next_difference(weights: str, value: float, d: float) -> float:
    """delta_l of sign units from delta_{l-1}: `perturbation_of_overlap` forward, to the last digits."""
    if weights == "binary":
        return 2 / math.pi * math.asin(math.sqrt(value * (1 - 2 * d) + d))
    kappa = math.sqrt((1 - value) * (1 + value))
    square = (value * (1 - 2 * d)) ** 2 + 4 * d * (1 - d)
    # sin^2(pi d_l) is flat at 1/2, where the cosine is not
    return math.asin(math.sqrt(square)) / math.pi if square < 0.5 else math.acos(kappa * (1 - 2 * d)) / math.pi


def perturbation_of_overlap(weights: str, overlap: Sequence[float]) -> Array:
    """The eta_l or p_l that give sign units the overlaps q^1 .. q^L.

    With delta = (1-q)/2 nothing cancels at small perturbations:

        eta_l^2 = [sin^2(pi delta_l) - 4 delta_{l-1} (1-delta_{l-1})]/(1-2 delta_{l-1})^2
        p_l = [sin^2(pi delta_l/2) - delta_{l-1}]/(1-2 delta_{l-1})

    Raises:
        UsageError: overlaps that no perturbation gives: q^l above (2/pi) arcsin q^{l-1}, or outside [0, 1].
    """
    check_weights(weights)
    found, before = [], 0.0
    for layer, q in enumerate(overlap, start=1):
        d = (1 - q) / 2
        if weights == "continuous":
            square = (np.sin(np.pi * d) ** 2 - 4 * before * (1 - before)) / (1 - 2 * before) ** 2
        else:
            square = (np.sin(np.pi * d / 2) ** 2 - before) / (1 - 2 * before)
        if not (0 <= q <= 1 and square >= -1e-15):
            raise UsageError(
                f"overlap of layer {layer}: expected 0 to {2 / np.pi * np.arcsin(1 - 2 * before):.6g}, the overlap "
                f"that an unperturbed layer leaves, found {q:g}.",
                layer=layer,
            )
        square = max(float(square), 0.0)
        found.append(np.sqrt(square) if weights == "continuous" else square)
        before = d
    return np.array(found)
