"""Mixed p-spin models from text: what is accepted, and that everything else is refused with the offending piece."""

import pytest

from mcmc.errors import ConfigError
from mcmc.theory.gaussian_field.expression import parse_polynomial
from mcmc.theory.gaussian_field.polynomial import PolynomialCovariance


@pytest.mark.parametrize(
    ("text", "coefficients"),
    [
        ("0.5*q**3", {3: 0.5}),
        ("0.5*q**2+0.1*q**4", {2: 0.5, 4: 0.1}),
        (" q ", {1: 1.0}),
        ("(q + 1)**3 / 8", {0: 0.125, 1: 0.375, 2: 0.375, 3: 0.125}),
        ("q*(q - 0.5) + 0.5*q", {2: 1.0}),
        ("0.3*q - 0.1*q*3 + q**2", {2: 1.0}),  # 0.3 - 0.1*3 is exactly 0
        ("-(-q**2)", {2: 1.0}),
        ("+q**2.0 * 1e-3", {2: 1e-3}),
        ("2**3 * q**(1+1)", {2: 8.0}),
    ],
)
def test_polynomials(text, coefficients):
    assert parse_polynomial(text) == coefficients


@pytest.mark.parametrize(
    ("text", "piece", "why"),
    [
        ("0.5*q^3", "0.5*q^3", "write ** for a power"),
        ("0.5*x**3", "x", "the only variable is q, found 'x'"),
        ("sin(q)", "sin(q)", "functions are not allowed"),
        ("__import__('os').system('true')", "__import__", "functions are not allowed"),
        ("().__class__", "().__class__", "Attribute is not allowed"),
        ("q if q else 1", "q if q else 1", "IfExp is not allowed"),
        ("[q for q in 1]", "[q for q in 1]", "ListComp is not allowed"),
        ("q**q", "q", "a power must be an integer"),
        ("q**-1", "-1", "a power must be an integer"),
        ("q**0.5", "0.5", "a power must be an integer"),
        ("q**513", "513", "a power must be an integer from 0 to 512"),
        ("q**300 * q**300", "q**300", "the degree is larger than 512"),
        ("9**9**9 * q", "9**9", "a power must be an integer"),
        ("((1.1**200)**200)**200 * q", "1.1**200", "too many digits"),
        ("1e999*q", "1e999", "too large"),
        ("1/q", "q", "only division by a number"),
        ("q/0", "0", "division by zero"),
        ("q/(1-1)", "(1-1)", "division by zero"),
        ("q//2", "q//2", "FloorDiv is not allowed"),
        ("True*q", "True", "expected a number"),
        ("'q'", "'q'", "expected a number"),
        ("2j*q", "2j", "expected a number"),
        ("2 q", "2 q", ""),
        ("q +", "", ""),
        ("", "", "it is empty"),
        ("q\0", "", ""),
        ("(" * 400 + "q" + ")" * 400, "", ""),
        ("q+" * 600 + "q", "", "more than 1000"),
    ],
)
def test_everything_else_is_refused(text, piece, why):
    with pytest.raises(ConfigError) as caught:
        parse_polynomial(text)
    message = str(caught.value)
    assert piece.strip("()") in message
    assert why in message
    assert "0.5*q**2 + 0.1*q**4" in message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.5*q**3 - 0.1*q**2", r"coefficient of q\*\*2 is -0.1"),
        ("-q", r"coefficient of q\*\*1 is -1"),
        ("3", "no term"),
        ("0*q", "no term"),
    ],
)
def test_a_polynomial_that_is_no_covariance_is_refused(text, why):
    with pytest.raises(ConfigError, match=why):
        PolynomialCovariance.parse(text)


def test_all_problems_at_once():
    with pytest.raises(ConfigError) as caught:
        PolynomialCovariance({2: -1.0, 3: float("nan"), 4: 1.0})
    assert len(caught.value.problems) == 2


def test_values():
    xi = PolynomialCovariance.parse("1 + 0.5*q**3")
    assert xi.derivatives([0.0, 0.5], 4).T.tolist() == [[1.0, 0.0, 0.0, 3.0, 0.0], [1.0625, 0.375, 1.5, 3.0, 0.0]]
