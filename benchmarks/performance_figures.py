"""The figures of docs/performance.md, drawn from the lines under benchmarks/results.

    python benchmarks/performance_figures.py     # docs/figures/performance-gradient.png and performance-draws.png

Each holds the digest of the lines that it was drawn from (PNG text "Source"); a test compares it.
"""

import hashlib
import statistics
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from performance_tables import RESULTS, Line, lines, network, processor

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
SOURCES = {"performance-gradient": "gradient", "performance-draws": "ess"}
OURS = ("default", "tuned", "tuned_low_precision", "tuned_alone_low_precision")


def main() -> None:
    for figure, draw in (("performance-gradient", gradient_figure), ("performance-draws", draws_figure)):
        path = FIGURES / f"{figure}.png"
        draw(lines(SOURCES[figure]))
        plt.savefig(path, dpi=160, metadata={"Source": digest(figure)})
        plt.close()
        print(path)


def digest(figure: str) -> str:
    """Of the lines that a figure shows."""
    return hashlib.sha256((RESULTS / f"{SOURCES[figure]}.jsonl").read_bytes()).hexdigest()


def gradient_figure(found: list[Line]) -> None:
    """Rate over peak, and bfloat16 over float32, against the width: median, lowest and highest of the cases."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axes, key, wanted, what in (
        (left, "fraction_of_peak", 0.85, "float32: gradients / peak of multiply-adds"),
        (right, "bfloat16_over_float32", 1.65, "bfloat16 / float32"),
    ):
        for number, name in enumerate(dict.fromkeys(processor(line) for line in found)):
            _spread_by_width(axes, [line for line in found if processor(line) == name], key, name, shift=number)
        axes.axhline(wanted, color="black", linewidth=0.8, linestyle="--", label=f"wanted: {wanted}")
        widths = sorted({line["n_inputs"] for line in found})
        axes.set_xscale("log", base=2)
        axes.set_xticks(widths, [str(n) for n in widths])
        axes.set(xlabel="N", ylabel=what)
        axes.grid(alpha=0.25)
    left.set_ylim(0, 1.05)
    left.legend(fontsize=8)


def _spread_by_width(axes: Axes, found: list[Line], key: str, name: str, *, shift: int) -> None:
    widths = sorted({line["n_inputs"] for line in found})
    values = [[line[key] for line in found if line["n_inputs"] == n] for n in widths]
    middle = [statistics.median(of_width) for of_width in values]
    below = [m - min(of_width) for m, of_width in zip(middle, values, strict=True)]
    above = [max(of_width) - m for m, of_width in zip(middle, values, strict=True)]
    places = [n * 1.04**shift for n in widths]
    axes.errorbar(places, middle, yerr=[below, above], fmt="o-", markersize=4, capsize=3, linewidth=1, label=name)


def draws_figure(found: list[Line]) -> None:
    """Effective draws of energy and overlap a second, on the processor that was measured last."""
    newest = [line for line in found if processor(line) == processor(found[-1])]
    figure, panels = plt.subplots(1, len(newest), figsize=(5.2 * len(newest), 4.2), layout="constrained", squeeze=False)
    figure.suptitle(
        f"effective draws a second of the coldest temperature, one core, {processor(found[-1])}", fontsize=10
    )
    for axes, line in zip(panels[0], newest, strict=True):
        names = list(line["samplers"])[::-1]
        for offset, key, alpha in ((0.2, "energy_ess_per_s", 1.0), (-0.2, "overlap_ess_per_s", 0.45)):
            colours = ["tab:blue" if name in OURS else "tab:orange" for name in names]
            rates = [line["samplers"][name][key] for name in names]
            axes.barh([i + offset for i in range(len(names))], rates, height=0.38, color=colours, alpha=alpha)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set(xscale="log", xlim=(100, None))  # bars of logarithms begin somewhere
        axes.set_title(f"{network(line)}, beta = {line['beta']:g}", fontsize=9)
        axes.set_xlabel("draws/s: energy (full), overlap (pale); ours blue, peers orange", fontsize=8)
        axes.grid(alpha=0.25, axis="x")


if __name__ == "__main__":
    main()
