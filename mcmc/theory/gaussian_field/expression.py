"""Polynomials in q from text, by a whitelist over Python's syntax tree; nothing is ever evaluated.

Allowed: numbers, q, + - * / ** and parentheses; a divisor must be a number, a power a non-negative integer. Arithmetic
is exact (fractions of the decimals as typed), so that 0.3*q - 0.1*q*3 is zero and not -5.6e-17*q.
"""

import ast
from fractions import Fraction
from typing import NoReturn

from mcmc.errors import ConfigError

MAX_LENGTH = 1000  # characters: the parser of Python itself fails on deep nesting
MAX_DEGREE = 512
MAX_BITS = 8192  # of a coefficient: 9**9**9 would not end
MAX_PRODUCTS = 20_000  # of coefficients: a fraction of a second
Polynomial = dict[int, Fraction]  # power of q -> coefficient; zero coefficients are left out


def parse_polynomial(text: str) -> dict[int, float]:
    """Coefficients {power: coefficient} of a polynomial in q written as in Python.

    Raises:
        ConfigError: with the offending piece, its position, and what is allowed; `text`, `column` as attributes.
    """
    stripped = text.strip()
    if not stripped:
        _fail(text, 0, "", "it is empty")
    if len(stripped) > MAX_LENGTH:
        _fail(stripped, MAX_LENGTH, "", f"it has {len(stripped)} characters, more than {MAX_LENGTH}")
    try:
        tree = ast.parse(stripped, mode="eval")
    except SyntaxError as error:
        column = max((error.offset or 1) - 1, 0)
        _fail(stripped, column, stripped[column : column + 1], error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        _fail(stripped, 0, "", str(error) or "it is nested too deeply")
    try:
        polynomial = _Reader(stripped).read(tree.body)
        return {p: float(c) for p, c in sorted(polynomial.items())}
    except (OverflowError, RecursionError) as error:
        _fail(stripped, 0, "", f"a number in it is too large ({error})")


def _fail(text: str, column: int, piece: str, why: str) -> NoReturn:
    where = f" at '{piece}' (character {column + 1})" if piece else ""
    shown = text if len(text) <= 120 else text[:117] + "..."
    pointer = f"\n    {shown}\n    {' ' * column}^" if piece and column < len(shown) else f" {shown!r}"
    raise ConfigError(
        f"xi(q) is not a polynomial in q{where}: {why}. Allowed: numbers, q, + - * / ** and parentheses, with "
        f"integer powers from 0 to {MAX_DEGREE}, as in 0.5*q**2 + 0.1*q**4.{pointer}",
        text=text,
        column=column,
    )


class _Reader:
    """Reads one syntax tree; keeps the text to quote from."""

    def __init__(self, text: str):
        self.text = text
        self.n_products = 0

    def fail(self, node: ast.AST, why: str) -> NoReturn:
        piece = ast.get_source_segment(self.text, node) or ""
        _fail(self.text, getattr(node, "col_offset", 0), piece, why)

    def read(self, node: ast.expr) -> Polynomial:
        """The polynomial that a node stands for."""
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            if node.id != "q":
                self.fail(node, f"the only variable is q, found '{node.id}'")
            return {1: Fraction(1)}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            sign = 1 if isinstance(node.op, ast.UAdd) else -1
            return {p: sign * c for p, c in self.read(node.operand).items()}
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.Call):
            self.fail(node, "functions are not allowed")
        self.fail(node, f"{type(node).__name__} is not allowed")

    def _number(self, node: ast.Constant) -> Polynomial:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(node, f"expected a number, found {value!r}")
        if value in (float("inf"), -float("inf")):
            self.fail(node, "the number is too large")
        return _clean({0: Fraction(repr(value))})

    def _binary(self, node: ast.BinOp) -> Polynomial:
        if isinstance(node.op, ast.Pow):
            return self._power(node)
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.Add):
            return self._bounded(node, _add(left, right, 1))
        if isinstance(node.op, ast.Sub):
            return self._bounded(node, _add(left, right, -1))
        if isinstance(node.op, ast.Mult):
            return self._multiply(node, left, right)
        if isinstance(node.op, ast.Div):
            if set(right) - {0}:
                self.fail(node.right, "only division by a number is allowed")
            if not right:
                self.fail(node.right, "division by zero")
            return self._bounded(node, {p: c / right[0] for p, c in left.items()})
        hint = "; write ** for a power" if isinstance(node.op, ast.BitXor) else ""
        self.fail(node, f"the operator {type(node.op).__name__} is not allowed{hint}")

    def _power(self, node: ast.BinOp) -> Polynomial:
        exponent = self.read(node.right)
        power = exponent.get(0, Fraction(0))
        if set(exponent) - {0} or power.denominator != 1 or not 0 <= power <= MAX_DEGREE:
            self.fail(node.right, f"a power must be an integer from 0 to {MAX_DEGREE}")
        result: Polynomial = {0: Fraction(1)}
        base = self.read(node.left)
        for bit in f"{int(power):b}":
            result = self._multiply(node, result, result)
            result = self._multiply(node, result, base) if bit == "1" else result
        return result

    def _multiply(self, node: ast.expr, left: Polynomial, right: Polynomial) -> Polynomial:
        if max(left, default=0) + max(right, default=0) > MAX_DEGREE:
            self.fail(node, f"the degree is larger than {MAX_DEGREE}")
        self.n_products += len(left) * len(right)
        if self.n_products > MAX_PRODUCTS:
            self.fail(node, "it takes too long to multiply out")
        result: Polynomial = {}
        for p, c in left.items():
            for r, d in right.items():
                result[p + r] = result.get(p + r, Fraction(0)) + c * d
        return self._bounded(node, _clean(result))

    def _bounded(self, node: ast.expr, polynomial: Polynomial) -> Polynomial:
        if any(max(c.numerator.bit_length(), c.denominator.bit_length()) > MAX_BITS for c in polynomial.values()):
            self.fail(node, "a coefficient has too many digits")
        return polynomial


def _add(left: Polynomial, right: Polynomial, sign: int) -> Polynomial:
    result = dict(left)
    for p, c in right.items():
        result[p] = result.get(p, Fraction(0)) + sign * c
    return _clean(result)


def _clean(polynomial: Polynomial) -> Polynomial:
    return {p: c for p, c in polynomial.items() if c}
