"""Finite-size scaling at a continuous transition: one curve for all sizes (equations.md, "Infinite size").

    y(N_0, beta) = N_0^-b f((beta - beta_c) N_0^a)

The measure S of a collapse is the mean of (y - Y)^2 / (dy^2 + dY^2) over points, Y the master curve at x as the other
sizes give it; S is about 1 for a perfect one [Houdayer & Hartmann, Phys. Rev. B 70, 014418 (2004)]. Mean-field theory
has N_0 in place of a length: a = 1/nu' with nu' = d_u nu.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from mcmc.errors import ConvergenceError, InsufficientDataError

MIN_SIZES = 3  # two sizes collapse at many exponents
MIN_OVERLAP = 0.5  # of the points must lie where another size has points too, or a bad choice would escape being judged
N_RESAMPLES = 100  # the error of an error: 7 %
GOOD = 2.0  # S above which the sizes do not follow one curve


@dataclass(frozen=True)
class SizeCurve:
    """One observable of one size along the ladder.

    Attributes:
        n_inputs:  N_0.
        beta:      (K,) increasing.
        value:     (K,)
        resamples: (B, K) whose scatter is the error.
    """

    n_inputs: int
    beta: np.ndarray
    value: np.ndarray
    resamples: np.ndarray


@dataclass(frozen=True)
class Collapse:
    """The best scaling of all sizes.

    Attributes:
        beta_c, a, b: as above, with errors from minimising again for every resample of the networks.
        resamples: (B, 3) of (beta_c, a, b).
        quality:   S at the best choice; well above 1 if the sizes do not follow one curve.
    """

    beta_c: float
    a: float
    b: float
    stderr: tuple[float, float, float]
    resamples: np.ndarray
    quality: float

    @property
    def is_good(self) -> bool:
        """S is near 1."""
        return self.quality < GOOD

    def text(self) -> str:
        """The numbers in words."""
        pairs = zip(("beta_c", "a", "b"), (self.beta_c, self.a, self.b), self.stderr, strict=True)
        numbers = ", ".join(f"{name} = {value:.4f} +- {error:.4f}" for name, value, error in pairs)
        verdict = "" if self.is_good else ": the sizes do not follow one curve"
        return f"{numbers}; S = {self.quality:.2f}{verdict}"

    def to_json(self) -> dict[str, Any]:
        """An element of "collapses" of `mlp-gibbs study report --json`."""
        names = ("beta_c", "a", "b")
        numbers = {
            name: {"value": getattr(self, name), "stderr": error}
            for name, error in zip(names, self.stderr, strict=True)
        }
        return {**numbers, "quality": self.quality, "is_good": self.is_good}


def collapse(
    curves: Sequence[SizeCurve],
    *,
    beta_c: float,
    a: float = 1 / 3,
    b: float = 0.0,
    fix_b: bool = False,
    n_resamples: int = N_RESAMPLES,
) -> Collapse:
    """Scale the sizes onto one curve.

    Args:
        beta_c, a, b: where to start; take beta_c where the curves cross or the theory has its transition.
        fix_b:        keep b, as for ratios that need none (b = 0).
    Raises:
        InsufficientDataError: fewer than three sizes, or values without errors.
        ConvergenceError:      the best choice leaves the temperatures of the data, or hardly any points overlap.
    """
    _check(curves)
    errors = [curve.resamples.std(0, ddof=1) for curve in curves]
    start = np.array([beta_c, a] if fix_b else [beta_c, a, b])

    def fitted(values: list[np.ndarray], start: np.ndarray) -> tuple[np.ndarray, float]:
        def cost(parameters: np.ndarray) -> float:
            return collapse_measure(curves, values, errors, *_full(parameters, b))

        found = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-4, "maxiter": 600})
        return found.x, float(found.fun)

    values = [curve.value for curve in curves]
    lowest, highest = min(c.beta[0] for c in curves), max(c.beta[-1] for c in curves)
    best, quality = start, np.inf
    if np.isfinite(collapse_measure(curves, values, errors, *_full(start, b))):
        best, quality = fitted(values, start)
    if not (np.isfinite(quality) and lowest <= best[0] <= highest and best[1] > 0):
        raise ConvergenceError(
            f"no collapse was found: beta_c = {best[0]:.3g}, a = {best[1]:.3g} from the start beta_c = {beta_c:.3g}, "
            f"a = {a:.3g}, with temperatures from {lowest:.3g} to {highest:.3g}. Start nearer to where the sizes "
            "cross, or measure more temperatures about it.",
            beta_c=float(best[0]),
            a=float(best[1]),
        )
    rows = np.stack([_full(fitted([c.resamples[i] for c in curves], best)[0], b) for i in range(n_resamples)])
    (beta_c, a, b), stderr = _full(best, b).tolist(), rows.std(0, ddof=1).tolist()
    return Collapse(beta_c, a, b, stderr=(stderr[0], stderr[1], stderr[2]), resamples=rows, quality=quality)


def collapse_measure(
    curves: Sequence[SizeCurve],
    values: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    beta_c: float,
    a: float,
    b: float,
) -> float:
    """S of these exponents; infinite where fewer than half of the points can be judged.

    The master curve at x is the weighted mean of what every other size gives by linear interpolation between its
    neighbouring points.
    """
    x = [(curve.beta - beta_c) * curve.n_inputs**a for curve in curves]
    y = [value * curve.n_inputs**b for curve, value in zip(curves, values, strict=True)]
    dy = [error * curve.n_inputs**b for curve, error in zip(curves, errors, strict=True)]
    total, n_judged = 0.0, 0
    for i in range(len(curves)):
        weight, weighted = np.zeros_like(x[i]), np.zeros_like(x[i])
        for j in range(len(curves)):
            if j != i:
                value, variance = _interpolated(x[i], x[j], y[j], dy[j])
                weight += 1 / variance
                weighted += value / variance
        judged = weight > 0
        master = weighted[judged] / weight[judged]
        total += float((((y[i][judged] - master) ** 2) / (dy[i][judged] ** 2 + 1 / weight[judged])).sum())
        n_judged += int(judged.sum())
    if n_judged < MIN_OVERLAP * sum(map(len, x)):
        return np.inf
    return total / n_judged


def _interpolated(at: np.ndarray, x: np.ndarray, y: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and variance at these places; infinite variance outside."""
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    t = (at - x[right - 1]) / (x[right] - x[right - 1])
    inside = (t >= 0) & (t <= 1)
    variance = (1 - t) ** 2 * dy[right - 1] ** 2 + t**2 * dy[right] ** 2
    return (1 - t) * y[right - 1] + t * y[right], np.where(inside, variance, np.inf)


def _full(parameters: np.ndarray, b: float) -> np.ndarray:
    return parameters if len(parameters) == 3 else np.array([*parameters, b])


def _check(curves: Sequence[SizeCurve]) -> None:
    if len(curves) < MIN_SIZES:
        raise InsufficientDataError(
            f"a collapse needs at least {MIN_SIZES} sizes, found {len(curves)}: add to study.n_inputs.",
            n_sizes=len(curves),
        )
    for curve in curves:
        error = curve.resamples.std(0, ddof=1)
        if len(curve.beta) < 4 or not (np.isfinite(curve.value).all() and (error > 0).all()):
            raise InsufficientDataError(
                f"a collapse needs 4 temperatures with an error each; N_0 = {curve.n_inputs} has "
                f"{int((np.isfinite(curve.value) & (error > 0)).sum())} of {len(curve.beta)}."
            )
