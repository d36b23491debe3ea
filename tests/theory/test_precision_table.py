"""docs/precision.md says what the solvers give: rows computed again, on the default and on the doubled grid."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/precision.md").read_text()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("theory_precision", ROOT / "benchmarks/theory_precision.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("model", "ansatz", "beta"),
    [
        ("tanh, L=1, sigma_w=1, alpha=1", "RS", 16.0),
        ("sin, L=1, sigma_w=2, alpha=8", "1RSB", 3.0),
        ("sin, L=1, sigma_w=1, alpha=1: 41 points", "RS", 16.0),
    ],
)
def test_rows_computed_again(script, model, ansatz, beta):
    (row,) = (r for r in script.rows() if (r.model, r.ansatz, r.beta) == (model, ansatz, beta))
    cells, documented = (
        [cell.strip() for cell in text.split("|")[1:-2]]  # without the estimated error, which is rounding for some
        for text in (
            script.line(row),
            next(p for p in PAGE.splitlines() if p.startswith(f"| {model} | {ansatz} | {beta:g} ")),
        )
    )
    assert cells == documented
    assert any("(" in cell for cell in cells) == ("41 points" in model)


def test_the_page_is_the_script_s(script):
    assert PAGE.startswith(script.PAGE)
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
    assert [tuple(line.split(" | ")[:3]) for line in rows] == [
        (f"| {r.model}", r.ansatz, f"{r.beta:g}") for r in script.rows()
    ]


def test_six_digits_are_six_digits(script):
    """Against a closed form: a digit is confirmed if and only if it is within half a unit of the other value."""
    phi = solve_linear(TheoryModel.build("linear"), 1.0).free_entropy_density
    assert script.marked(phi, phi) == "0.377428"
    assert script.marked(phi, phi + 4e-7) == "0.377428"
    assert script.marked(phi, phi + 6e-7) == "0.37742(8)"
    assert script.marked(phi, phi - 7e-3) == "0.3(77428)"
    assert script.marked(13.6573, 13.6) == "13.(6573)"
    assert script.marked(13.6573, 12.0) == "1(3.6573)"
    assert script.marked(13.6573, -2.0) == "(13.6573)"
    assert script.marked(0.0, 0.0) == "0"
    assert script.marked(-math.pi, -math.pi) == "-3.14159"
