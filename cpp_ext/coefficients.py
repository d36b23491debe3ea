"""Prints the polynomial coefficients of core/ieee_math.h and mcmc/philox.py, with the error of each fit.

Each polynomial interpolates its function at the Chebyshev nodes of the interval, in 60 digits; the coefficients are
then rounded to double. Needs mpmath (it comes with torch, by way of sympy). Run: `python cpp_ext/coefficients.py`.
"""

from collections.abc import Callable

import mpmath
from mpmath import mp, mpf

mp.dps = 60
TINY = mpf(10) ** -30  # below it the leading Taylor term stands in for the quotient

Function = Callable[[mpf], mpf]


def log_core(z: mpf) -> mpf:
    """(2 atanh(s)/s - 2)/s^2 as a function of z = s^2."""
    return (2 * mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 2) / z if z > TINY else mpf(2) / 3


def sin_core(z: mpf) -> mpf:
    """(sin(2 pi r)/r - 2 pi)/r^2 as a function of z = r^2."""
    two_pi = 2 * mpmath.pi
    return (mpmath.sin(two_pi * mpmath.sqrt(z)) / mpmath.sqrt(z) - two_pi) / z if z > TINY else -(two_pi**3) / 6


def cos_core(z: mpf) -> mpf:
    """(cos(2 pi r) - 1)/r^2 as a function of z = r^2."""
    two_pi = 2 * mpmath.pi
    return (mpmath.cos(two_pi * mpmath.sqrt(z)) - 1) / z if z > TINY else -(two_pi**2) / 2


def exp_core(r: mpf) -> mpf:
    """(exp(r) - 1 - r)/r^2."""
    return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > TINY else mpf(1) / 2 + r / 6


def fit(function: Function, low: mpf, high: mpf, n: int) -> list[float]:
    """n coefficients, highest power first, as doubles."""
    nodes = [(low + high) / 2 + (high - low) / 2 * mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    vandermonde = mpmath.matrix([[z**power for power in range(n)] for z in nodes])
    solution = mpmath.lu_solve(vandermonde, mpmath.matrix([function(z) for z in nodes]))
    return [float(c) for c in solution][::-1]


def error(coefficients: list[float], function: Function, low: mpf, high: mpf, weight: Function) -> float:
    """Largest weighted error of the rounded polynomial in exact arithmetic."""
    points = [low + (high - low) * mpf(k) / 1000 for k in range(1001)]
    exact = [mpf(c) for c in coefficients]
    return float(max(abs(weight(z) * (mpmath.polyval(exact, z) - function(z))) for z in points))


# name: function, interval, number of coefficients, weight that turns its error into that of the whole function
FITS: dict[str, tuple[Function, mpf, mpf, int, Function]] = {
    "log": (log_core, mpf(0), (3 - 2 * mpmath.sqrt(mpf(2))) ** 2, 7, lambda z: z / 2),
    "sin": (sin_core, mpf(0), mpf(1) / 64, 6, lambda z: z / (2 * mpmath.pi)),
    "cos": (cos_core, mpf(0), mpf(1) / 64, 7, lambda z: z * mpmath.sqrt(mpf(2))),
    "exp": (exp_core, -mpmath.log(2) / 2, mpmath.log(2) / 2, 10, lambda r: r * r),
}


if __name__ == "__main__":
    ln2 = mpmath.log(2)
    high_part = mpmath.floor(ln2 * 2**32) / 2**32  # 32 bits: n * high_part is exact for |n| <= 2^21
    print("ln 2 =", float(high_part).hex(), "+", float(ln2 - high_part).hex())
    for name, (function, low, high, n, weight) in FITS.items():
        coefficients = fit(function, low, high, n)
        print(f"{name}: relative error {error(coefficients, function, low, high, weight):.1e}")
        print("  ", *(c.hex() for c in coefficients))
