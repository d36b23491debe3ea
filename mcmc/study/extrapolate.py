"""N_0 -> infinity: fits of a + b N_0^-w, averaged over what the sizes do not decide (equations.md, "Infinite size").

The exponent is a result. Fits with w = 1, 2/3, 1/3 and with w free are weighted by exp(-AIC/2), AIC = chi^2 + 2 k
[Jay & Neil 2021], and the quoted interval is that of the weighted mixture of their normal laws [Borsanyi et al. 2021]:
it holds the spread over models.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, curve_fit
from scipy.special import chdtrc, ndtr

from mcmc.errors import InsufficientDataError

EXPONENTS = (1.0, 2 / 3, 1 / 3)  # loops about a stable saddle point; marginal phases and edges of transitions
WIDTH_EXPONENTS = (0.5, *EXPONENTS)  # of a width that Gaussian fluctuations make, N_0^-1/2
FREE_BOUNDS = (EXPONENTS[-1] / 2, 2 * EXPONENTS[0])
MIN_SIZES = 2
MIN_SIZES_FREE = 3
WORST_P = 0.01  # a set of sizes that no fit describes better than this loses its smallest
ONE_SIGMA = float(ndtr(1.0))
Parameters = tuple[float, np.ndarray, np.ndarray]  # exponent, (a, b), derivative of the model by a, b (and w)


@dataclass(frozen=True)
class Fit:
    """One model of the size dependence, by weighted least squares.

    Attributes:
        exponent:   w.
        exponent_stderr: of a free w, else None.
        value, stderr: a, with the error that the resamples of the data give it.
        amplitude:  b.
        chi2, n_free: of the sizes, and their number less that of the parameters.
        weight:     in the average.
        gradient:   (S,) derivative of a by each value; exact for a fixed w.
    """

    exponent: float
    exponent_stderr: float | None
    value: float
    stderr: float
    amplitude: float
    chi2: float
    n_free: int
    weight: float
    gradient: np.ndarray

    @property
    def p_value(self) -> float | None:
        """Chance of a larger chi^2; None without degrees of freedom."""
        return float(chdtrc(self.n_free, self.chi2)) if self.n_free > 0 else None

    def curve(self, sizes: np.ndarray) -> np.ndarray:
        """a + b N^-w at any sizes."""
        return self.value + self.amplitude * np.asarray(sizes, dtype=float) ** -self.exponent

    def to_json(self) -> dict[str, Any]:
        """An element of "fits" of an extrapolation."""
        return {
            "exponent": self.exponent,
            "exponent_stderr": self.exponent_stderr,
            "value": self.value,
            "stderr": self.stderr,
            "chi2": self.chi2,
            "n_free": self.n_free,
            "p_value": self.p_value,
            "weight": self.weight,
        }


@dataclass(frozen=True)
class Extrapolation:
    """A quantity at N_0 -> infinity.

    Attributes:
        value, lower, upper: median and central 68.3 % of the mixture of fits.
        fits:      heaviest first.
        sizes:     (S,) that were fitted, smallest first.
        dropped:   smaller sizes that no fit described together with the others.
        resamples: (B,) value in each resample of the networks, at the weights of the data: rows belong together over
                   temperatures and observables.
        without_smallest: the same from one size less, or None with fewer than four: its shift tells how much the
                   smallest size matters.
    """

    value: float
    lower: float
    upper: float
    fits: list[Fit]
    sizes: np.ndarray
    dropped: list[int]
    resamples: np.ndarray
    without_smallest: "Extrapolation | None"

    @property
    def stderr(self) -> float:
        """Half of the interval."""
        return 0.5 * (self.upper - self.lower)

    @property
    def exponent(self) -> float:
        """w of the heaviest fit."""
        return self.fits[0].exponent

    @property
    def p_value(self) -> float | None:
        """The best of any fit; None with two sizes, which every fit meets."""
        return max((fit.p_value for fit in self.fits if fit.p_value is not None), default=None)

    def n_sigma(self, expected: float) -> float | None:
        """(value - expected) / stderr; None without scatter."""
        return (self.value - expected) / self.stderr if self.stderr > 0 else None

    def to_json(self) -> dict[str, Any]:
        """The part of an element of "extrapolations" of `mlp-gibbs study report --json` that a fit decides."""
        less = self.without_smallest
        return {
            "value": self.value,
            "stderr": self.stderr,
            "lower": self.lower,
            "upper": self.upper,
            "exponent": self.exponent,
            "n_points": len(self.sizes),
            "sizes": self.sizes.tolist(),
            "dropped_sizes": self.dropped,
            "p_value": self.p_value,
            "fits": [fit.to_json() for fit in self.fits],
            "without_smallest": None if less is None else {"value": less.value, "stderr": less.stderr},
        }


def extrapolate(
    sizes: np.ndarray,
    value: np.ndarray,
    resamples: np.ndarray,
    *,
    exponents: tuple[float, ...] = EXPONENTS,
    leave_out: bool = True,
) -> Extrapolation:
    """The limit of one quantity measured at several sizes.

    Args:
        sizes:     (S,) N_0, increasing.
        value:     (S,)
        resamples: (B, S), whose scatter is the error of the values.
        exponents: that are tried beside a free one.
        leave_out: give `without_smallest` too.
    Raises:
        InsufficientDataError: fewer than two sizes, or a value without an error.
    """
    sizes, value = np.asarray(sizes, dtype=np.float64), np.asarray(value, dtype=np.float64)
    _check(sizes, value, resamples)
    first = 0
    while True:
        fits = fit_models(sizes[first:], value[first:], resamples[:, first:], exponents)
        p_values = [fit.p_value for fit in fits if fit.p_value is not None]
        if max(p_values, default=1.0) >= WORST_P or len(sizes) - first <= MIN_SIZES_FREE:
            break
        first += 1
    median, lower, upper = (mixture_quantile(fits, p) for p in (0.5, 1 - ONE_SIGMA, ONE_SIGMA))
    gradient = sum(fit.weight * fit.gradient for fit in fits)
    deviation = (resamples[:, first:] - value[first:]) @ gradient
    left = slice(first + 1, None)
    is_left_out = leave_out and len(sizes) - first > MIN_SIZES_FREE
    return Extrapolation(
        value=median,
        lower=lower,
        upper=upper,
        fits=fits,
        sizes=sizes[first:].astype(int),
        dropped=[int(size) for size in sizes[:first]],
        resamples=median + deviation,
        without_smallest=(
            extrapolate(sizes[left], value[left], resamples[:, left], exponents=exponents, leave_out=False)
            if is_left_out
            else None
        ),
    )


def fit_models(
    sizes: np.ndarray, value: np.ndarray, resamples: np.ndarray, exponents: tuple[float, ...] = EXPONENTS
) -> list[Fit]:
    """Every model that these sizes allow, weighted, heaviest first; arguments as of `extrapolate`."""
    scale, error = sizes / sizes[0], resamples.std(0, ddof=1)
    deviations = resamples - value
    found = [_fixed(scale, value, error, exponent) for exponent in exponents]
    if len(sizes) >= MIN_SIZES_FREE:
        found += _free(scale, value, error, found)
    criterion, fits = [], []
    for exponent, parameters, jacobian in found:
        residual = (value - parameters[0] - parameters[1] * scale**-exponent) / error
        inverse = np.linalg.pinv(jacobian / error[:, None]) / error
        spread = (deviations @ inverse.T).std(0, ddof=1)
        chi2, n_parameters = float(residual @ residual), jacobian.shape[1]
        criterion.append(chi2 + 2 * n_parameters)
        fits.append(
            Fit(
                exponent=exponent,
                exponent_stderr=float(spread[2]) if n_parameters == 3 else None,
                value=float(parameters[0]),
                stderr=float(spread[0]),
                amplitude=float(parameters[1] * sizes[0] ** exponent),
                chi2=chi2,
                n_free=len(sizes) - n_parameters,
                weight=0.0,
                gradient=inverse[0],
            )
        )
    return _weighted(fits, np.array(criterion))


def mixture_quantile(fits: list[Fit], probability: float) -> float:
    """Quantile of sum_m weight_m Normal(value_m, stderr_m)."""
    centre, width, weight = (np.array([getattr(fit, name) for fit in fits]) for name in ("value", "stderr", "weight"))

    def excess(a: float) -> float:
        return float(weight @ ndtr((a - centre) / width)) - probability

    return float(brentq(excess, (centre - 9 * width).min(), (centre + 9 * width).max(), xtol=1e-12 * width.min()))


def _fixed(scale: np.ndarray, value: np.ndarray, error: np.ndarray, exponent: float) -> Parameters:
    design = np.stack([np.ones_like(scale), scale**-exponent], axis=1)
    parameters = np.linalg.lstsq(design / error[:, None], value / error, rcond=None)[0]
    return exponent, parameters, design


def _free(scale: np.ndarray, value: np.ndarray, error: np.ndarray, fixed: list[Parameters]) -> list[Parameters]:
    """The fit with a free exponent, or nothing where the sizes do not determine one."""

    def model(scale: np.ndarray, a: float, b: float, w: float) -> np.ndarray:
        return a + b * scale**-w

    def misfit(found: Parameters) -> float:
        exponent, (a, b), _ = found
        return float((((value - model(scale, a, b, exponent)) / error) ** 2).sum())

    start, (a, b), _ = min(fixed, key=misfit)
    bounds = ([-np.inf, -np.inf, FREE_BOUNDS[0]], [np.inf, np.inf, FREE_BOUNDS[1]])
    try:
        (a, b, w), covariance = curve_fit(
            model, scale, value, (a, b, start), sigma=error, absolute_sigma=True, bounds=bounds, x_scale="jac"
        )
    except RuntimeError:  # no convergence: the exponent is not determined
        return []
    reach = 0.5 * (FREE_BOUNDS[1] - FREE_BOUNDS[0])
    inside = 1e-3 * reach < w - FREE_BOUNDS[0] and 1e-3 * reach < FREE_BOUNDS[1] - w
    if not (inside and covariance[2, 2] < reach**2):
        return []
    power = scale**-w
    return [(float(w), np.array([a, b]), np.stack([np.ones_like(scale), power, -b * np.log(scale) * power], axis=1))]


def _weighted(fits: list[Fit], criterion: np.ndarray) -> list[Fit]:
    weight = np.exp(-0.5 * (criterion - criterion.min()))
    weight /= weight.sum()
    heaviest_first = np.argsort(-weight, kind="stable")
    return [Fit(**{**vars(fits[i]), "weight": float(weight[i])}) for i in heaviest_first]


def _check(sizes: np.ndarray, value: np.ndarray, resamples: np.ndarray) -> None:
    if len(sizes) < MIN_SIZES:
        raise InsufficientDataError(
            f"an extrapolation needs at least {MIN_SIZES} sizes ({MIN_SIZES_FREE} for its exponent), found "
            f"{len(sizes)}: add to study.n_inputs, or run the missing items.",
            n_sizes=len(sizes),
        )
    if (np.diff(sizes) <= 0).any():
        raise ValueError(f"sizes must increase, found {sizes.tolist()}")
    error = resamples.std(0, ddof=1)
    bad = ~(np.isfinite(value) & (error > 1e-12 * np.abs(value)))
    if bad.any():
        raise InsufficientDataError(
            f"no error at N_0 = {', '.join(f'{size:.0f}' for size in sizes[bad])}: the value is the same in all "
            "networks, and needs no limit, or it is missing in some resamples of them, and needs more networks.",
            sizes=sizes[bad].tolist(),
        )
