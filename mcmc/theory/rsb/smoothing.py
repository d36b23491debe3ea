"""Gaussian smoothing along one uniform axis, in the logarithm: the step of every replica-symmetry-breaking recursion.

    up:    b(w) = log E_z exp( a(w + s z) ),        <F>(w) = E_z[ F(w + s z) exp( a(w + s z) - b(w) ) ]
    down:  P'(w') = exp(a(w')) int dw P(w) N(w' - w; s^2) exp(-b(w)),      the adjoint: int P' F = int P <F>

Exponents are shifted window by window before they are exponentiated, so that relative accuracy survives any range of
a. A wide Gaussian (s larger than the spacing) is sampled, which is a trapezoid rule; a narrow one is integrated
against local interpolation polynomials, so that s -> 0 is the identity exactly; rows that are too rough for a
polynomial (readout values beyond the resolution of the grid, of no weight) fall back to a positive three-point rule.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcmc.errors import QuadratureError

REACH = 10.0  # in units of s; a tilt exp(a z) moves the weight to z ~ a, a <~ 3 where the measure has any weight
NARROW = 1.6  # s below this many spacings: sampling the Gaussian loses digits, exp(-2 pi^2 1.6^2) = 1e-22 above
STENCIL = 12  # half-width of the interpolation polynomial: degree 24
MIN_BLOCK = 32
MAX_EXPONENT = 650.0  # exp(709) overflows
MIN_NORM = 1e-300


@dataclass(frozen=True)
class Axis:
    """Uniform nodes with zero among them.

    Attributes:
        step:     spacing.
        n_left:   nodes below zero.
        n_nodes:  all nodes.
        period:   length after which functions repeat (then step * n_nodes is that length), or None.
        degree:   of the polynomial that continues the exponent a past the ends: 1 or 2; unused if periodic.
    """

    step: float
    n_left: int
    n_nodes: int
    period: float | None = None
    degree: int = 1

    @classmethod
    def symmetric(cls, reach: float, step: float, *, degree: int = 1) -> "Axis":
        """Nodes from -reach to reach at least."""
        half = max(math.ceil(reach / step), STENCIL)  # a narrow measure at zero must fit
        return cls(step, half, 2 * half + 1, degree=degree)

    @classmethod
    def circle(cls, period: float, step: float) -> "Axis":
        """Nodes around a circle, spaced by at most step."""
        n_nodes = max(math.ceil(period / step), 8)
        return cls(period / n_nodes, n_nodes // 2, n_nodes, period=period)

    @property
    def nodes(self) -> Tensor:
        """(n_nodes,) float64, increasing."""
        return self.step * torch.arange(-self.n_left, self.n_nodes - self.n_left, dtype=torch.float64)


@lru_cache(maxsize=512)
def positive_taps(ratio: float) -> Tensor:
    """(2 STENCIL + 1,) non-negative weights with the variance of a narrow Gaussian: of second order only."""
    m = torch.arange(-STENCIL, STENCIL + 1, dtype=torch.float64)
    if ratio < 0.7:
        return (1 - ratio**2) * (m == 0).to(m.dtype) + ratio**2 / 2 * (m.abs() == 1).to(m.dtype)
    taps = torch.exp(-0.5 * (m / ratio) ** 2)
    return taps / taps.sum()


@lru_cache(maxsize=512)
def gaussian_taps(ratio: float) -> Tensor:
    """Weights t_m with E F(s z) ~ sum_m t_m F(m step), m = -p ... p, at s = ratio * step.

    Returns:
        (2 p + 1,) float64; all positive unless 0 < ratio < NARROW.
    """
    if ratio == 0:
        return torch.ones(1, dtype=torch.float64)
    if ratio >= NARROW:
        m = np.arange(-math.ceil(REACH * ratio), math.ceil(REACH * ratio) + 1)
        taps = np.exp(-0.5 * (m / ratio) ** 2) / (ratio * math.sqrt(2 * math.pi))
        return torch.from_numpy(taps)
    z, weights, nodes, denominators = _interpolation_rule()
    factors = ratio * z[:, None] - nodes
    ones = np.ones((len(z), 1))
    before = np.cumprod(np.hstack([ones, factors[:, :-1]]), axis=1)
    after = np.cumprod(np.hstack([ones, factors[:, :0:-1]]), axis=1)[:, ::-1]
    taps = weights @ (before * after / denominators)
    return torch.from_numpy((taps + taps[::-1]) / 2)


@lru_cache(maxsize=1)
def _interpolation_rule() -> tuple[NDArray[np.float64], ...]:
    """Gauss-Hermite z and weights, and the nodes m of Lagrange's polynomials with the products over k != m of m - k."""
    z, weights = np.polynomial.hermite_e.hermegauss(STENCIL + 1)  # exact for degree 2 STENCIL + 1
    nodes = np.arange(-STENCIL, STENCIL + 1, dtype=np.float64)
    differences = nodes[:, None] - nodes
    np.fill_diagonal(differences, 1.0)
    return z, weights / weights.sum(), nodes, differences.prod(axis=1)


class Smoother:
    """Smoothing by a Gaussian of standard deviation s along the last axis of (B, n_nodes) tensors.

    `up` remembers which rows it had to smooth by the fallback rule, and `down` is the adjoint of the last `up`.
    """

    def __init__(self, axis: Axis, std: float):
        self.axis = axis
        ratio = std / axis.step
        self.is_identity = ratio == 0
        taps = gaussian_taps(ratio)
        self.half = len(taps) // 2
        self.is_circulant = axis.period is not None and len(taps) + MIN_BLOCK > axis.n_nodes
        if self.is_circulant:  # the window would go around the circle: one block of all nodes
            self.block, self.half = axis.n_nodes, 0
        else:
            self.block = min(max(2 * self.half, MIN_BLOCK), axis.n_nodes)
        self.window = self.block + 2 * self.half
        self.n_blocks = math.ceil(axis.n_nodes / self.block)
        self.kernel = self._kernel(taps)
        self.fallback = self._kernel(positive_taps(ratio)) if 0 < ratio < NARROW else None
        self.rough: Tensor | None = None  # indices of the rows that need the fallback

    def up(self, exponent: Tensor, fields: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """log E exp(exponent) and the tilted means of fields, at every node.

        Args:
            exponent: (B, n_nodes) float64.
            fields:   of the same shape; past the ends of an open axis they are continued with one degree less.
        Raises:
            QuadratureError: the exponent is not finite.
        """
        if self.is_identity:
            return exponent, fields
        degree = self.axis.degree
        a = self._windows(exponent, degree)
        top = a.amax(-1, keepdim=True)
        weight = torch.exp(a - top)
        norm = weight @ self.kernel
        numerators = [(weight * self._windows(f, degree - 1)) @ self.kernel for f in fields]
        is_rough = ~(norm > MIN_NORM).flatten(1).all(1)
        self.rough = None
        if bool(is_rough.any()):
            if not bool(torch.isfinite(exponent).all()) or self.fallback is None:
                raise QuadratureError(
                    f"Gaussian smoothing on an axis of spacing {self.axis.step:.3g}: an average of exp underflows. "
                    "Levels are too far apart for these fields: start with closer ones, or use a smaller beta.",
                    step=self.axis.step,
                )
            self.rough = torch.nonzero(is_rough).flatten()
            norm[self.rough] = weight[self.rough] @ self.fallback
            for numerator, f in zip(numerators, fields, strict=True):
                rows = self._windows(f[self.rough], degree - 1)
                numerator[self.rough] = (weight[self.rough] * rows) @ self.fallback
        return self._join(torch.log(norm) + top), [self._join(n / norm) for n in numerators]

    def down(self, measure: Tensor, upper: Tensor, exponent: Tensor) -> Tensor:
        """The measure one level further in: exp(exponent) K^T (measure exp(-upper)), upper the result of `up`.

        Args:
            measure: (B, n_nodes) weights of the nodes.
        """
        if self.is_identity:
            return measure
        a = self._windows(-upper, -1)
        top = a.amax(-1, keepdim=True)
        source = self._windows(measure, None) * torch.exp(a - top)
        pushed = source @ self.kernel
        if self.rough is not None and self.fallback is not None:
            pushed[self.rough] = source[self.rough] @ self.fallback
        own = self._blocks(exponent) + top
        return self._join(pushed * torch.exp(own.clamp(max=MAX_EXPONENT)))

    def _kernel(self, taps: Tensor) -> Tensor:
        """(window, block) matrix of the weights, the same for every block."""
        half = len(taps) // 2
        if self.is_circulant:
            n = self.axis.n_nodes
            wrapped = torch.zeros(n, dtype=torch.float64)
            wrapped.index_add_(0, torch.arange(-half, half + 1) % n, taps)
            lag = torch.arange(n)
            return wrapped[(lag[:, None] - lag[None, :]) % n]
        # row i, column j: taps[i - j]
        padded = torch.nn.functional.pad(taps, (self.block - 1, self.block - 1))
        return padded.unfold(0, self.block, 1).flip(1)

    def _windows(self, values: Tensor, degree: int | None) -> Tensor:
        """(B, n_blocks, window) of values continued past the ends by that degree (-1: a constant, None: zeros)."""
        n, tail = self.axis.n_nodes, self.n_blocks * self.block - self.axis.n_nodes
        left, right = self.half, self.half + tail
        if self.axis.period is not None:
            padded = values[:, torch.arange(-left, n + right) % n]
        elif degree is None:
            padded = torch.nn.functional.pad(values, (left, right))
        else:
            before = _continued(values[:, :3].flip(-1), left, degree).flip(-1)
            padded = torch.cat([before, values, _continued(values[:, -3:], right, degree)], dim=-1)
        return padded.unfold(-1, self.window, self.block)

    def _blocks(self, values: Tensor) -> Tensor:
        tail = self.n_blocks * self.block - self.axis.n_nodes
        return torch.nn.functional.pad(values, (0, tail)).unflatten(-1, (self.n_blocks, self.block))

    def _join(self, blocks: Tensor) -> Tensor:
        return blocks.flatten(-2)[:, : self.axis.n_nodes]


def _continued(last: Tensor, n_nodes: int, degree: int) -> Tensor:
    """n_nodes values that continue the last three by a polynomial of that degree (<= 0: a constant)."""
    m = torch.arange(1, n_nodes + 1, dtype=torch.float64)
    value = last[:, -1:].expand(-1, n_nodes)
    if degree <= 0:
        return value
    slope = last[:, 2:] - last[:, 1:2]
    if degree == 1:
        return value + slope * m
    curvature = last[:, 2:] - 2 * last[:, 1:2] + last[:, :1]
    return value + slope * m + curvature * (m * (m + 1) / 2)


def initial_measure(axis: Axis, std: float) -> Tensor:
    """(n_nodes,) weights of a centred Gaussian on the axis: the measure of the outermost level."""
    taps = gaussian_taps(std / axis.step)
    half = len(taps) // 2
    index = axis.n_left + torch.arange(-half, half + 1)
    measure = torch.zeros(axis.n_nodes, dtype=torch.float64)
    if axis.period is not None:
        return measure.index_add_(0, index % axis.n_nodes, taps)
    inside = (index >= 0) & (index < axis.n_nodes)
    return measure.index_add_(0, index[inside], taps[inside])
