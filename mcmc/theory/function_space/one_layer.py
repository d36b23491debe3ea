"""One layer of binary sign units at any width, exactly: what the recursion leaves out.

With n of N weights flipped the two fields are X + Y and X - Y, X a sum of N-n independent signs and Y of n, so that

    delta_1 = sum_n B(n; N, p) P(|X| < |Y|)

The recursion has (2/pi) arcsin sqrt(p) in its place: too large by about 1/(8 N p) of itself: it needs N p >> 1
besides N delta >> 1.
"""

import numpy as np
from scipy.stats import binom

from mcmc.errors import UsageError
from mcmc.theory.function_space.overlap import check_perturbation

NEGLIGIBLE = 1e-14  # probability of a number of flips that is left out


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
