"""`--xi`: whatever is typed, a polynomial with the value that Python's own arithmetic gives, or an error of ours."""

import ast
import math
from fractions import Fraction

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcmc.theory.gaussian_field.expression import parse_polynomial
from mcmc.theory.gaussian_field.polynomial import PolynomialCovariance
from tests.fuzz.conftest import examples
from tests.fuzz.judge import Wrong, judge

HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "q.__init__.__globals__",
    "(lambda: 0)()",
    "f'{q}'",
    "(q:=1)",
    "[q for q in (1,)]",
    "eval('1')",
    "open('/etc/passwd').read()",
    "9**9**9**9",
    "2**512**512",
    "((9**512)**512)**512",
    "(q+1)**512*(q+1)**512",
    "(q+1/3)**512",
    "(q+1.0000000000001)**400+(q+1.0000000000001)**400",
    "(q+1e300)**27*(q+1e-300)**27",
    "0*((q+1)**512)+" * 50 + "q",
    "q**-1",
    "q**0.5",
    "1e308*10*q",
    "1e999",
    "0x" + "f" * 900,
    "9" * 990,
    "1_000*q",
    "1e-400*q",
    "(" * 480 + "q" + ")" * 480,
    "-" * 990 + "q",
    "q**" * 300 + "1",
    "await q",
    "yield q",
    "q;q",
    "q\nimport os",
    "q#",
    "ｑ",
    "q²",
    "٣*q",
    "\0",
    "\ud800",
    "...",
    "None",
    "True*q",
    "2j*q",
    "not q",
    "~q",
    "q@q",
    "q if q else 1",
    "*q,",
    "**q",
    "q" * 10**6,
]
tokens = st.sampled_from(["q", "1", "0.5", "2", "3", "512", "1e3", "1e-300", "(", ")", "+", "-", "*", "/", "**", " "])
strange = st.sampled_from(
    ["q", ".", "__class__", "[", "]", "lambda", ":", ",", "'", '"', "{", "}", "^", "%", "\n", "//"]
)
operands = st.sampled_from(["q", "1", "0.5", "2", "3", "0.1", "1e3"])
polynomials = st.recursive(
    operands,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({})**{}".format, inner, st.integers(0, 9)),
        st.builds("({})/{}".format, inner, st.sampled_from(["2", "0.1", "(1-3)"])),
    ),
    max_leaves=8,
)
expressions = st.one_of(
    polynomials,
    polynomials,
    st.lists(tokens, max_size=20).map("".join),
    st.lists(st.one_of(tokens, strange), max_size=20).map("".join),
    st.text(max_size=40),
    st.sampled_from(HOSTILE),
    st.builds(lambda piece, n: piece * n, st.one_of(tokens, strange), st.integers(1, 1200)),
)


class _Exact(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Call(ast.Name("Fraction", ast.Load()), [ast.Constant(repr(node.value))], [])


def value_in_python(text: str, q: Fraction) -> Fraction:
    """What the expression is by the arithmetic of Python, every decimal taken exactly; only for what was accepted."""
    tree = ast.fix_missing_locations(_Exact().visit(ast.parse(text.strip(), mode="eval")))
    return eval(compile(tree, "xi", "eval"), {"__builtins__": {}, "Fraction": Fraction, "q": q})


def read(text: str) -> None:
    coefficients = parse_polynomial(text)
    if not all(isinstance(c, float) and math.isfinite(c) for c in coefficients.values()):
        raise Wrong(f"{text!r} has coefficients {coefficients}")
    q = Fraction(3, 7)
    terms = [Fraction(c) * q**power for power, c in coefficients.items()]
    wanted, scale = value_in_python(text, q), sum(map(abs, terms))
    if abs(sum(terms) - wanted) > Fraction(1, 2**50) * scale + Fraction(1, 2**1060):
        raise Wrong(f"{text!r} is {float(wanted)} at q = 3/7, not {float(sum(terms))}")
    PolynomialCovariance.parse(text)


def test_any_expression(tally, seed):
    @hypothesis.seed(seed)
    @examples(400)
    @given(expressions)
    def check(text):
        tally("--xi expression", judge, lambda: read(text), 2.0)

    check()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expression(tally, text):
    tally("--xi expression", judge, lambda: read(text), 2.0)


def test_evaluator_is_caught(tally):
    """A reader that evaluates: one of the expressions above runs code, another never ends."""

    def evaluate(text):
        return eval(text, {"q": 0.5})

    found = 0
    for text in ("().__class__.__bases__[0].__subclasses__()", "q.__init__.__globals__", "9**9**6 + q"):
        try:
            found += judge(lambda text=text: evaluate(text), 0.5) == "valid"
        except Wrong:
            found += 1
    assert found == 3
    tally("reader that evaluates", lambda: "caught")
