"""Pure and mixed p-spin covariances: xi(q) = sum_p c_p q^p with c_p >= 0."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from mcmc.errors import ConfigError
from mcmc.theory.gaussian_field.covariance import Array, Covariance
from mcmc.theory.gaussian_field.expression import parse_polynomial


class PolynomialCovariance(Covariance):
    """The spherical mixed p-spin model, one Gaussian tensor of each degree with variance c_p.

    A constant c_0 shifts the energy of a whole sample and drops out; c_1 is a random field.

    Attributes:
        coefficients: {p: c_p}, each c_p > 0.
    Raises:
        ConfigError: a coefficient is negative or not finite (no Gaussian field on all spheres has that covariance
                     [Schoenberg 1942]), or nothing depends on q; every problem at once.
    """

    error = 0.0

    def __init__(self, coefficients: Mapping[int, float], label: str = ""):
        problems = [
            f"the coefficient of q**{p} is {c:g}, expected a finite number >= 0"
            for p, c in sorted(coefficients.items())
            if not (c >= 0 and math.isfinite(c))
        ]
        problems += [f"the power {p} is not a non-negative integer" for p in coefficients if p != int(p) or p < 0]
        if not any(p >= 1 and c > 0 for p, c in coefficients.items()):
            problems.append("no term with a positive coefficient depends on q")
        if problems:
            raise ConfigError(
                f"xi(q) = {label or dict(coefficients)} is not the covariance of a Gaussian field on the sphere: "
                + "; ".join(problems)
                + ". Write for example 0.5*q**3 or 0.5*q**2 + 0.1*q**4.",
                problems=tuple(problems),
            )
        self.coefficients = {int(p): float(c) for p, c in sorted(coefficients.items()) if c > 0}
        self.label = label or " + ".join(f"{c:g}*q**{p}" for p, c in self.coefficients.items())

    @classmethod
    def parse(cls, text: str) -> "PolynomialCovariance":
        """From an expression such as "0.5*q**2 + 0.1*q**4".

        Raises:
            ConfigError: not a polynomial in q (the offending piece is named), or not a covariance.
        """
        return cls(parse_polynomial(text), label=text.strip())

    def derivatives(self, overlap: ArrayLike, order: int = 3) -> Array:
        q = np.asarray(overlap, dtype=float)
        result = np.zeros((order + 1, *q.shape))
        for p, c in self.coefficients.items():
            for n in range(min(order, p) + 1):
                result[n] += c * math.perm(p, n) * q ** (p - n)
        return result
