"""How long the replica theory takes, and how much of that is matrix products: one JSON line a case.

    python benchmarks/theory.py [CASE ...] [--threads 1] [--repetitions 3] [--note "..."] [--list]

Every matrix product that a case makes is counted by its shape, and the same products are then made bare in the same
process: `matrix_product_fraction` is their time over that of the case: its inverse is the most that faster code around
them could gain. `cpu_seconds` is the processor time: with one thread on cores shared with others it is nearer to what
`seconds` would be on quiet ones, but busy neighbours raise it too.
"""

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from timing import report
from torch.utils._python_dispatch import TorchDispatchMode

from mcmc.names import nearest
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.k_step import solve_k_step
from mcmc.theory.saddle import SaddlePoint
from mcmc.theory.shaped.flow import FlowSolution, solve_flow
from mcmc.theory.shaped.model import ShapedModel

Solution = SaddlePoint | BrokenSolution | FlowSolution
Shapes = tuple[tuple[int, ...], ...]
PRODUCTS = {
    torch.ops.aten.mm.default: torch.mm,
    torch.ops.aten.bmm.default: torch.bmm,
    torch.ops.aten.mv.default: torch.mv,
}
N_REPLAYED = 20  # of each shape at most; the rest is extrapolated
BETAS = tuple(2.0 + 0.2 * i for i in range(10))


@dataclass(frozen=True)
class Case:
    """One timed call.

    Attributes:
        model:    in words, for the line.
        solve:    the call; its result's numbers go into the line, so that a faster wrong answer shows.
        target_s: what is wanted on two quiet cores, None if nothing was promised.
        is_slow:  left out of the short form, and run once.
    """

    model: str
    solve: Callable[[], Solution]
    target_s: float | None = None
    is_slow: bool = False


SIN_2 = TheoryModel.build("sin", depth=2)
RELU_2 = TheoryModel.build("relu", depth=2, sigma_w=2**0.5)
JUMP_1 = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
SIN_1 = TheoryModel.build("sin")
BROKEN_2 = TheoryModel.build("sin", depth=2, sigma_w=1.5, width_ratios=2.0)

CASES = {
    "rs_l2": Case("sin, L=2, sigma_w=1, alpha=1, beta=4", lambda: solve_rs(SIN_2, 4.0), 2.0),
    "rs_l2_relu": Case("relu, L=2, sigma_w^2=2, alpha=1, beta=4", lambda: solve_rs(RELU_2, 4.0), 2.0),
    "rs_l2_one_of_curve": Case("sin, L=2, sigma_w=1, alpha=1, beta=3.8", lambda: solve_rs(SIN_2, BETAS[-1])),
    "rs_l2_curve": Case("the same, ten betas 2 ... 3.8", lambda: solve_rs_curve(SIN_2, BETAS)[-1]),
    "1rsb_l1": Case("sin, L=1, sigma_w=2, alpha=8, beta=3", lambda: solve_k_step(JUMP_1, 3.0, 1), 20.0),
    "flow": Case("shaped_tanh, alpha = L, beta=4", lambda: solve_flow(ShapedModel("shaped_tanh", 1.0), 4.0)),
    "k20_l1": Case("sin, L=1, sigma_w=1, alpha=1, beta=8", lambda: solve_k_step(SIN_1, 8.0, 20), 60.0, is_slow=True),
    "1rsb_l2": Case(
        "sin, L=2, sigma_w=1.5, alpha=2, beta=4", lambda: solve_k_step(BROKEN_2, 4.0, 1), 180.0, is_slow=True
    ),
    "k8_l2": Case("sin, L=2, sigma_w=1.5, alpha=2, beta=4", lambda: solve_k_step(BROKEN_2, 4.0, 8), is_slow=True),
}


class CountProducts(TorchDispatchMode):
    """Counts the matrix products made inside of it by operator and shapes of the two factors."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[Any, Shapes]] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in PRODUCTS:
            self.counts[func, tuple(tuple(factor.shape) for factor in args)] += 1
        return func(*args, **(kwargs or {}))


def replay_seconds(counts: Counter[tuple[Any, Shapes]]) -> float:
    """Processor time of these products alone, on random matrices of their shapes."""
    total = 0.0
    for (operator, shapes), count in counts.items():
        factors = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
        product, n = PRODUCTS[operator], min(count, N_REPLAYED)
        product(*factors)  # warm-up
        start = time.process_time()
        for _ in range(n):
            product(*factors)
        total += (time.process_time() - start) * count / n
    return total


def measure(name: str, case: Case, repetitions: int, note: str | None) -> dict[str, Any]:
    """The line of one case."""
    with CountProducts() as counted:
        solution = case.solve()  # the warm-up too
    seconds, cpu_seconds = [], []
    for _ in range(1 if case.is_slow else repetitions):
        start, cpu_start = time.perf_counter(), time.process_time()
        solution = case.solve()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    median, cpu, products = statistics.median(seconds), statistics.median(cpu_seconds), replay_seconds(counted.counts)
    line = {
        "benchmark": "theory",
        "case": name,
        "model": case.model,
        "seconds": round(median, 3),
        "seconds_spread": [round(min(seconds), 3), round(max(seconds), 3)],
        "cpu_seconds": round(cpu, 3),
        "n": len(seconds),
        "target_s": case.target_s,
        "matrix_products": sum(counted.counts.values()),
        "matrix_product_seconds": round(products, 3),
        "matrix_product_fraction": round(products / cpu, 3),
        "free_entropy_density": solution.free_entropy_density,
        "energy_density": solution.energy_density,
        "n_iter": _n_iter(solution),
    }
    return {**line, "note": note} if note else line


def _n_iter(solution: Solution) -> int | None:
    if isinstance(solution, SaddlePoint):
        return solution.n_iter
    return solution.evidence["n_iter"] if isinstance(solution, BrokenSolution) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names as --list gives them; none: all")
    parser.add_argument("--short", action="store_true", help="only the cases of a few seconds")
    parser.add_argument("--list", action="store_true", help="print the names and leave")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--note", help="written into every line, as in: taken on shared cores")
    args = parser.parse_args()
    if args.list:
        print("\n".join(CASES))
        return
    unknown = [name for name in args.cases if name not in CASES]
    if unknown:
        sys.exit(f"unknown case '{unknown[0]}'.{nearest(unknown[0], CASES)}")
    torch.set_num_threads(args.threads)
    for name in args.cases or [name for name, case in CASES.items() if not (args.short and case.is_slow)]:
        report(measure(name, CASES[name], args.repetitions, args.note))


if __name__ == "__main__":
    main()
