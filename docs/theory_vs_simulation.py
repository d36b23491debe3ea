"""The numbers and figures of theory_vs_simulation.md.

    python docs/theory_vs_simulation.py collect results/theory-* > docs/theory_vs_simulation.jsonl
    python docs/theory_vs_simulation.py draw docs/theory_vs_simulation.jsonl docs/figures
    python docs/theory_vs_simulation.py table docs/theory_vs_simulation.jsonl

`collect` reads run directories and prints one JSON line a run; the others need these lines only.
"""

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from mcmc.analysis.health import run_health
from mcmc.compare.comparison import compare_with_theory
from mcmc.io.reader import read_run
from mcmc.plots.comparison import draw_limit
from mcmc.plots.style import MEASURED, plt

OBSERVABLES = ("energy_density", "overlap_0", "identity_a")
NEAR = {"sin": (1, 2, 4, 6, 8), "sin-wide": (1, 1.5, 2, 2.5, 3), "tanh": (0.5, 1, 2, 4), "relu": (0.5, 1, 2, 4)}
TITLES = {
    "sin": r"sin, $\sigma_w$ = 1, $\alpha$ = 1",
    "sin-wide": r"sin, $\sigma_w$ = 2, $\alpha$ = 8",
    "tanh": r"tanh, $\sigma_w$ = 1, $\alpha$ = 1",
    "relu": r"relu, $\sigma_w=\sqrt{2}$, $\alpha$ = 1",
}
COLOURS = {64: "tab:orange", 128: "tab:green", 256: "tab:blue"}
DPI = 110
COLDEST = 1e9  # no ladder is that cold
Line = dict[str, Any]


def collect(directory: Path) -> Line:
    """A run beside its theory, in few digits."""
    data = read_run(directory)
    config, health, comparison = data.config, run_health(directory), compare_with_theory(data)
    law, kernel, prediction = comparison.laws[-1][0].coarsened(), comparison.kernels[-1], comparison.predictions[-1]
    return rounded(
        {
            "model": directory.name.removeprefix("theory-").rpartition("-")[0],
            "n_inputs": config.model.n_inputs,
            "n_networks": config.model.n_networks,
            "n_temperatures": len(data.beta),
            "n_sweeps": data.n_sweeps,
            "state": health["state"],
            "round_trips": health["round_trips_mean"],
            "equilibrated": health["equilibrated"],
            "reasons": health["reasons"],
            "rows": [m.to_json() for m in comparison.matches if m.observable in OBSERVABLES],
            "distances": [d.to_json() for d in comparison.distances],
            "prediction": prediction.to_json() | {"smearing": kernel.origin, "widths": kernel.width[0].tolist()},
            "law": {
                "q": law.centres.tolist(),
                "density": law.density.tolist(),
                "stderr": law.stderr.tolist(),
                "predicted": (kernel.bin_probability(law.edges, 0) / np.diff(law.edges)).tolist(),
                "deltas": [values.tolist() for values in prediction.deltas(0)],
                "continuous": None
                if (curve := prediction.continuous(0)) is None
                else [values[::5].tolist() for values in curve],
            },
            "verdict": comparison.verdict,
        }
    )


def rounded(content: Any) -> Any:
    """Floats to five significant digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f"{content:.5g}") if isinstance(content, float) else content


def read_lines(path: Path) -> dict[str, list[Line]]:
    """Runs of each model, by N_0."""
    lines = sorted(
        (json.loads(line) for line in path.read_text().splitlines()),
        key=lambda line: (list(TITLES).index(line["model"]), line["n_inputs"]),
    )
    return {model: list(runs) for model, runs in groupby(lines, key=lambda line: line["model"])}


def nearest_row(run: Line, observable: str, beta: float) -> Line:
    """The row of the temperature of the ladder next to beta."""
    rows = [row for row in run["rows"] if row["observable"] == observable]
    return min(rows, key=lambda row: abs(row["beta"] - beta))


def limit_of(inverse: np.ndarray, difference: np.ndarray, error: np.ndarray) -> tuple[float, float, float, float]:
    """Weighted straight line in 1/N_0: value at 0, its error, slope, chi^2."""
    design = np.stack([np.ones_like(inverse), inverse], axis=1) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    value, slope = covariance @ design.T @ (difference / error)
    chi2 = float((((difference - value - slope * inverse) / error) ** 2).sum())
    return float(value), float(np.sqrt(covariance[0, 0])), float(slope), chi2


def differences(runs: list[Line], observable: str, beta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """1/N_0, measured - predicted, error."""
    rows = [nearest_row(run, observable, beta) for run in runs]
    inverse = np.array([1 / run["n_inputs"] for run in runs])
    return (
        inverse,
        np.array([row["measured"] - row["predicted"] for row in rows]),
        np.array([row["stderr"] for row in rows]),
    )


def draw_energies(models: dict[str, list[Line]], path: Path) -> None:
    """Measured - predicted energy against 1/N_0, with a straight line each."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), constrained_layout=True)
    for axis, (model, runs) in zip(axes.flat, models.items(), strict=False):
        colours = plt.get_cmap("plasma_r")(np.linspace(0.15, 0.95, len(NEAR[model])))
        for i, beta in enumerate(NEAR[model]):
            inverse, difference, error = differences(runs, "energy_density", beta)
            shift = 2e-4 * (i - len(NEAR[model]) / 2)  # else the error bars lie on each other
            axis.errorbar(
                inverse + shift, difference, error, **MEASURED, color=colours[i], label=rf"$\beta \approx$ {beta:g}"
            )
            if len(runs) > 1:
                value, stderr, slope, _ = limit_of(inverse, difference, error)
                x = np.array([0, inverse.max()])
                axis.plot(x + shift, value + slope * x, color=colours[i], linewidth=0.8)
                axis.errorbar([shift], [value], [stderr], fmt="s", markersize=3, capsize=2, color=colours[i])
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set(xlabel=r"$1/N_0$", ylabel="e measured - predicted", title=TITLES[model])
        axis.legend(loc="upper left")
    figure.savefig(path, dpi=DPI)


def draw_laws(models: dict[str, list[Line]], path: Path) -> None:
    """P(q^0) at the coldest temperature for every N_0, beside the limit and its smeared form."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), constrained_layout=True)
    for axis, (model, runs) in zip(axes.flat, models.items(), strict=False):
        top = 0.0
        for run in runs:
            law, n = run["law"], run["n_inputs"]
            q, density, error = (np.array(law[key]) for key in ("q", "density", "stderr"))
            axis.step(q, density, where="mid", color=COLOURS[n], linewidth=1.1, label=rf"$N_0$ = {n}")
            axis.fill_between(q, density - error, density + error, step="mid", color=COLOURS[n], alpha=0.2)
            top = max(top, *density, *law["predicted"])
        style = "-" if run["prediction"]["smearing"] == "predicted" else "--"
        axis.plot(law["q"], law["predicted"], color="black", linewidth=1, linestyle=style, label=f"smeared, {n}")
        curve = law["continuous"]
        draw_limit(
            axis, tuple(map(np.array, law["deltas"])), None if curve is None else tuple(map(np.array, curve)), "black"
        )
        axis.set(
            xlabel=r"$q^0$", ylabel=r"$P(q^0)$", ylim=(0, 1.08 * top), xlim=(-0.5 if model == "sin-wide" else 0, 1)
        )
        axis.set_title(f"{TITLES[model]}, $\\beta$ = {run['prediction']['beta']:g}: {run['prediction']['phase']}")
        axis.legend(loc="upper left")
    figure.savefig(path, dpi=DPI)


def print_tables(models: dict[str, list[Line]]) -> None:
    """The tables of the page: the coldest temperature of every run, and the limits of straight lines in 1/N_0."""
    print("| model | N_0 | networks | e measured | e predicted | n_sigma | <q> measured | <q> predicted | n_sigma |")
    for model, runs in models.items():
        for run in runs:
            cells = []
            for observable in OBSERVABLES[:2]:
                row = nearest_row(run, observable, COLDEST)
                cells += [
                    f"{row['measured']:.4f} +- {row['stderr']:.4f}",
                    f"{row['predicted']:.4f}",
                    f"{row['n_sigma']:+.1f}",
                ]
            print(f"| {model} | {run['n_inputs']} | {run['n_networks']} | " + " | ".join(cells) + " |")
    print()
    print("| model | N_0 | W_1 broken | W_1 RS | noise | worst identity A | round trips | equilibrated |")
    for model, runs in models.items():
        for run in runs:
            d = run["distances"][-1]
            worst = max((r for r in run["rows"] if r["observable"] == "identity_a"), key=lambda r: abs(r["n_sigma"]))
            print(
                f"| {model} | {run['n_inputs']} | {d['value']:.4f} +- {d['stderr']:.4f} | {d['symmetric_value']:.4f} "
                f"+- {d['symmetric_stderr']:.4f} | {d['noise']:.4f} | {worst['n_sigma']:+.1f} | "
                f"{run['round_trips']:.1f} | {run['equilibrated']} |"
            )
    print()
    print(
        "| model | beta | e - predicted at 1/N_0 = 0 | slope | chi^2 | <q^0> - predicted at 1/N_0 = 0 | slope | chi^2 |"
    )
    for model, runs in models.items():
        for beta in NEAR[model] if len(runs) > 1 else ():
            cells = []
            for observable in OBSERVABLES[:2]:
                value, error, slope, chi2 = limit_of(*differences(runs, observable, beta))
                cells += [f"{value:+.4f} +- {error:.4f}", f"{slope:+.2f}", f"{chi2:.1f}"]
            print(f"| {model} | {beta:g} | " + " | ".join(cells) + " |")


def main(command: str, *paths: str) -> None:
    """One of collect, draw, table."""
    if command == "collect":
        for path in paths:
            print(json.dumps(collect(Path(path))))
        return
    models = read_lines(Path(paths[0]))
    if command == "table":
        print_tables(models)
        return
    draw_energies(models, Path(paths[1]) / "theory-energy.png")
    draw_laws(models, Path(paths[1]) / "theory-laws.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
