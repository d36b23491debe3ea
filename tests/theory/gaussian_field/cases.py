"""Covariances and temperatures in every phase, shared by the tests."""

import math
from functools import cache

from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.polynomial import PolynomialCovariance
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.solve import solve
from mcmc.theory.gaussian_field.structure import solve_exact

ROOT2 = math.sqrt(2)


def p_spin(text):
    return PolynomialCovariance.parse(text)


PHASES = {
    "RS without field": (p_spin("0.5*q**3"), 1.5, "RS"),
    "RS where 1RSB states are metastable": (p_spin("0.5*q**3"), 1 / 0.6, "RS"),
    "RS in a field": (p_spin("0.3*q + 0.5*q**2"), 2.0, "RS"),
    "RS, marginal": (p_spin("0.5*q**2"), 2.0, "RS"),
    "RS of a network": (NetworkCovariance.build("tanh", depth=2), 5.0, "RS"),
    "discontinuous 1RSB": (p_spin("0.5*q**3"), 1.8, "1RSB"),
    "1RSB in a field": (NetworkCovariance.build("sin", sigma_w=2.0), 3.0, "1RSB"),
    "continuous 1RSB": (p_spin("0.5*q**2 + 0.05*q**3"), 1.5, "1RSB"),
    "2RSB": (p_spin("0.5*q**3 + 0.5*q**16"), 2.0, "2RSB"),
    "full RSB": (p_spin("0.5*q**2 + 0.04*q**4"), 2.0, "full RSB"),
    "full RSB in a field": (p_spin("0.1*q + 0.5*q**2 + 0.04*q**4"), 4.0, "full RSB"),
    "full RSB of a network": (NetworkCovariance.build("relu", sigma_w=ROOT2), 40.0, "full RSB"),
    "continuous part below, gap above": (p_spin("0.5*q**2 + 0.1*q**4"), 5.0, "1RSB + full"),
    "gap below, continuous part above": (NetworkCovariance.build("tanh", depth=3, sigma_w=3.0), 16.0, "1RSB + full"),
}


@cache
def solved(name):
    """The solution of one of the cases, found once."""
    xi, beta, _ = PHASES[name]
    return solve(xi, beta)


@cache
def exact(name):
    """The same as a measure, with its certificate."""
    xi, beta, _ = PHASES[name]
    return solve_exact(FieldProblem(xi, beta))
