"""One layer of sign units at any width, exactly: what the limit N -> infinity leaves out.

Continuous rows learn on their own. At angle theta from its teacher a row errs on a share theta/pi of isotropic inputs:
under exp(-alpha N^2 eps), with examples without number,

    p(theta) ~ sin^{N-2}(theta) exp(-alpha N theta/pi),   eps = <theta>/pi,   R = <cos theta>

Binary rows: with n of N weights flipped the two fields are X + Y and X - Y, X a sum of N-n independent signs and Y one
of n, so that

    delta_1 = sum_n B(n; N, p) P(|X| < |Y|)

The recursion has (2/pi) arcsin sqrt(p) in its place: too large by about 1/(8 N p) of itself: it needs N p >> 1
besides N delta >> 1.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.integrate import quad
from scipy.stats import binom

from mcmc.errors import UsageError
from mcmc.theory.function_space.overlap import check_perturbation

NEGLIGIBLE = 1e-14  # probability of a number of flips that is left out


def learnt_row(inverse_temperature: float, width: int) -> tuple[float, float]:
    """(eps, R) of continuous rows of N >= 2 weights at inverse temperature alpha >= 0, isotropic inputs.

    Raises:
        UsageError: alpha < 0, or a width below 2.
    """
    if not (inverse_temperature >= 0 and math.isfinite(inverse_temperature)) or width < 2:
        raise UsageError(f"expected alpha >= 0 and a width >= 2, found {inverse_temperature} and {width}.")

    def log_density(theta: float) -> float:
        return (width - 2) * math.log(math.sin(theta)) - inverse_temperature * width * theta / math.pi

    # where the logarithm is largest, cot theta = alpha N/(pi (N-2))
    top = math.atan2(math.pi * max(width - 2, 1e-3), inverse_temperature * width)
    scale = log_density(top)

    def average(value: Callable[[float], float]) -> float:
        return float(
            quad(lambda x: value(x) * math.exp(log_density(x) - scale), 0, math.pi, points=[top], limit=200)[0]
        )

    total = average(lambda theta: 1.0)
    return average(lambda theta: theta) / (math.pi * total), average(math.cos) / total


def exact_difference(width: int, flip: float) -> float:
    """delta_1 at finite N, N odd.

    Raises:
        UsageError: an even width, or a flip outside [0, 1/2].
    """
    check_perturbation("binary", [flip])
    if width < 1 or width % 2 == 0:
        raise UsageError(f"width: expected an odd number (fields of zero have no sign), found {width}.", width=width)
    total = 0.0
    numbers = np.arange(width + 1)
    for n in numbers[binom.pmf(numbers, width, flip) > NEGLIGIBLE]:
        y = np.abs(2 * np.arange(n + 1) - n)
        rest = width - n
        # X = 2k - rest and y have different parities: |X| < y is (rest - y)/2 < k < (rest + y)/2
        inside = binom.cdf((rest + y - 1) // 2, rest, 0.5) - binom.cdf((rest - y) // 2, rest, 0.5)
        total += binom.pmf(n, width, flip) * np.sum(binom.pmf(np.arange(n + 1), n, 0.5) * np.maximum(inside, 0.0))
    return float(total)
