"""The page on the layers says what the theory says, and the example of adding a system runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcmc.theory.layers.exact import HomogeneousChain
from mcmc.theory.layers.fluctuations import FreeField
from mcmc.theory.layers.model import LayerTheory

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "layer_field_theory.md").read_text()


def rows(first_column, n_columns):
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"]
    return [row for row in cells if re.fullmatch(first_column, row[0]) and len(row) == n_columns]


def theory_of(activation, scales):
    weight_variance, bias_variance = (float(value) for value in scales.split(","))
    return LayerTheory.build(activation, sigma_w=weight_variance**0.5, sigma_b=bias_variance**0.5)


def test_table_of_the_free_field():
    table = rows("[a-z]+", 6)
    assert len(table) == 8  # with its header
    for activation, scales, *numbers in table[1:]:
        field = FreeField.at_fixed_point(theory_of(activation, scales))
        found = field.variance, field.chi, field.n_times_variance, field.correlation_length
        assert found == pytest.approx([float(n) for n in numbers], abs=1e-4, rel=2e-6), activation


def test_table_of_finite_widths():
    table = rows("(linear|relu), .*", 5)
    assert len(table) == 2
    for network, *numbers in table:
        activation, scales = network.split(",", maxsplit=1)
        theory = theory_of(activation, scales)
        found = [HomogeneousChain.of(theory, n).stationary_variance for n in (32, 128, 512)]
        found.append(FreeField.at_fixed_point(theory).n_times_variance / 32)
        assert found == pytest.approx([float(n) for n in numbers], abs=6e-7)


def test_example_of_adding_a_system():
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "adding_a_system.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) == pytest.approx(0.5, abs=0.3)
