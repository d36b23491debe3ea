"""The table of docs/precision.md: Phi, e and q to six digits, each computed again on a doubled grid.

python benchmarks/theory_precision.py > docs/precision.md          (about ten minutes)
python benchmarks/theory_precision.py --only "sin, L=1"            (the rows whose model begins like that)
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature, gauss_hermite_rule
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.k_step import solve_k_step

DIGITS = 6
Numbers = tuple[float, ...]
PAGE = """# Precision

Every number below was computed twice: as the program does by default, and on grids of twice as many nodes in every
direction. A digit is in parentheses if the two do not agree on it to half a unit. Units and symbols are those of
[equations](equations.md): Phi, e per input; q the lowest and the highest level of q_0 (replica symmetry has one).

    python benchmarks/theory_precision.py > docs/precision.md

The last row is wrong by design: a Gauss-Hermite rule of 41 points steps over the scale 1/beta on which a neuron turns.
The default rules follow that scale, and the estimated error of that solution, in the last column, says so.

| model | ansatz | beta | Phi | e | q_0 lowest | q_0 highest | estimated error |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Row:
    """One solution, on the default grid and on a doubled one.

    Attributes:
        model, ansatz, beta: the first columns.
        solve: is_doubled -> (Phi, e, q_0 lowest, q_0 highest, estimated error).
    """

    model: str
    ansatz: str
    beta: float
    solve: Callable[[bool], Numbers]


def symmetric(model: TheoryModel, beta: float, quadrature: Quadrature | None = None) -> Callable[[bool], Numbers]:
    """Replica symmetry; the doubled rule is that of the solution itself with every step halved."""

    def solve(is_doubled: bool) -> Numbers:
        saddle = solve_rs(model, beta, quadrature=quadrature)
        if is_doubled:
            finer = replace(saddle.quadrature.refined(), max_refinements=0)
            saddle = solve_rs(model, beta, initial=saddle, quadrature=finer)
        q = saddle.overlap[0]
        return saddle.free_entropy_density, saddle.energy_density, q, q, saddle.quadrature_error

    return solve


def broken(model: TheoryModel, beta: float, n_steps: int) -> Callable[[bool], Numbers]:
    """k-step replica symmetry breaking."""

    def solve(is_doubled: bool) -> Numbers:
        grid = RsbGrid().refined(2.0) if is_doubled else RsbGrid()
        solution = solve_k_step(model, beta, n_steps, grid=grid)
        q = solution.overlap[0]
        error = max(solution.free_entropy_error, solution.energy_error)
        return solution.free_entropy_density, solution.energy_density, q[0], q[-1], error

    return solve


def rows() -> list[Row]:
    """All rows of the table, the cheap ones of an ansatz first."""
    table = []
    for depth in (1, 2):
        for name, sigma_w, text in (("tanh", 1.0, "1"), ("sin", 1.0, "1"), ("relu", math.sqrt(2), "sqrt 2")):
            model = TheoryModel.build(name, depth=depth, sigma_w=sigma_w)
            label = f"{name}, L={depth}, sigma_w={text}, alpha=1"
            table += [Row(label, "RS", beta, symmetric(model, beta)) for beta in (1.0, 4.0, 16.0)]
    jump = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
    table += [Row("sin, L=1, sigma_w=2, alpha=8", "1RSB", beta, broken(jump, beta, 1)) for beta in (3.0, 4.0)]
    sin = TheoryModel.build("sin")
    relu = TheoryModel.build("relu", sigma_w=math.sqrt(2))
    deep = TheoryModel.build("sin", depth=2, sigma_w=1.5, width_ratios=2.0)
    table += [Row("sin, L=1, sigma_w=1, alpha=1", "1RSB", beta, broken(sin, beta, 1)) for beta in (8.0, 16.0)]
    table.append(Row("relu, L=1, sigma_w=sqrt 2, alpha=1", "1RSB", 16.0, broken(relu, 16.0, 1)))
    table.append(Row("sin, L=2, sigma_w=1.5, alpha=2", "1RSB", 4.0, broken(deep, 4.0, 1)))
    table += [Row("sin, L=1, sigma_w=1, alpha=1", "20RSB", beta, broken(sin, beta, 20)) for beta in (8.0, 16.0)]
    table.append(Row("sin, L=2, sigma_w=1.5, alpha=2", "8RSB", 4.0, broken(deep, 4.0, 8)))
    coarse = Quadrature(y_rule=lambda field_std: gauss_hermite_rule(41), max_refinements=0)
    table.append(Row("sin, L=1, sigma_w=1, alpha=1: 41 points", "RS", 16.0, symmetric(sin, 16.0, coarse)))
    return table


def marked(value: float, doubled: float) -> str:
    """Six significant digits of value, in parentheses those that `doubled` does not confirm."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    n_decimals = max(DIGITS - 1 - exponent, 0)
    text = f"{value:.{n_decimals}f}"
    n_wrong = 0
    while n_wrong < DIGITS and abs(value - doubled) > 0.5 * 10.0 ** (n_wrong - n_decimals):
        n_wrong += 1
    if n_wrong == 0:
        return text
    start = len(text) - n_wrong - (1 if "." in text[len(text) - n_wrong :] else 0)
    return f"{text[:start]}({text[start:]})"


def line(row: Row) -> str:
    """The row as Markdown."""
    default, doubled = row.solve(False), row.solve(True)
    numbers = [marked(a, b) for a, b in zip(default[:4], doubled[:4], strict=True)]
    cells = [row.model, row.ansatz, f"{row.beta:g}", *numbers, f"{default[4]:.0e}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="the rows whose model begins like this")
    args = parser.parse_args()
    print(PAGE)
    for row in rows():
        if row.model.startswith(args.only):
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
