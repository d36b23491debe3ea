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
from mcmc.compare.match import Match
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
MIN_ROUND_TRIPS = 1.0  # of a walker: a run with fewer is shown, but no straight line goes through it
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
            "rows": {name: [row(match) for match in comparison.select(name)] for name in OBSERVABLES},
            "distance": comparison.distances[-1].to_json(),
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


def row(match: Match) -> Line:
    """What the page needs of a row of `mlp-gibbs compare --json`."""
    return {key: match.to_json()[key] for key in ("beta", "measured", "stderr", "predicted", "n_sigma")}


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


def is_mixed(run: Line) -> bool:
    """The walkers went from the hottest temperature to the coldest and back at least once on average."""
    return run["round_trips"] >= MIN_ROUND_TRIPS


def nearest_row(run: Line, observable: str, beta: float) -> Line:
    """The row of the temperature of the ladder next to beta."""
    return min(run["rows"][observable], key=lambda row: abs(row["beta"] - beta))


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
            mixed = np.array([is_mixed(run) for run in runs])
            shift = 2e-4 * (i - len(NEAR[model]) / 2)  # else the error bars lie on each other
            for chosen, face in ((mixed, colours[i]), (~mixed, "white")):
                axis.errorbar(
                    inverse[chosen] + shift,
                    difference[chosen],
                    error[chosen],
                    **MEASURED,
                    color=colours[i],
                    markerfacecolor=face,
                    label=rf"$\beta \approx$ {beta:g}" if chosen is mixed else None,
                )
            if mixed.sum() > 1:
                value, stderr, slope, _ = limit_of(inverse[mixed], difference[mixed], error[mixed])
                x = np.array([0, inverse.max()])
                axis.plot(x + shift, value + slope * x, color=colours[i], linewidth=0.8)
                axis.errorbar([shift], [value], [stderr], fmt="s", markersize=3, capsize=2, color=colours[i])
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set(xlabel=r"$1/N_0$", ylabel="e measured - predicted", title=TITLES[model])
        axis.margins(y=0.25)
        axis.legend(loc="upper center", ncols=5, columnspacing=0.8, handletextpad=0.2)
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
        run = [run for run in runs if is_mixed(run)][-1]
        law = run["law"]
        style = "-" if run["prediction"]["smearing"] == "predicted" else "--"
        axis.plot(
            law["q"], law["predicted"], color="black", linewidth=1, linestyle=style, label=f"smeared, {run['n_inputs']}"
        )
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
    coldest, laws, limits = [], [], []
    for model, runs in models.items():
        for run in runs:
            name = [model, str(run["n_inputs"])]
            rows = [nearest_row(run, observable, COLDEST) for observable in OBSERVABLES[:2]]
            coldest.append(
                [*name, str(run["n_networks"])]
                + [f"{r['measured']:.4f} ± {r['stderr']:.4f}, {r['predicted']:.4f}, {r['n_sigma']:+.1f}" for r in rows]
            )
            d, worst = run["distance"], max(run["rows"]["identity_a"], key=lambda row: abs(row["n_sigma"]))
            values = [f"{d[f'{kind}value']:.3f} ± {d[f'{kind}stderr']:.3f}" for kind in ("", "symmetric_")]
            health = [f"{worst['n_sigma']:+.1f}", f"{run['round_trips']:.1f}", run["equilibrated"]]
            laws.append([*name, *values, f"{d['noise']:.3f}", *health])
        mixed = [run for run in runs if is_mixed(run)]
        for beta in NEAR[model] if len(mixed) > 1 else ():
            fits = [limit_of(*differences(mixed, observable, beta)) for observable in OBSERVABLES[:2]]
            limits.append(
                [model, f"{beta:g}", ", ".join(str(run["n_inputs"]) for run in mixed)]
                + [f"{value:+.4f} ± {error:.4f}, {slope:+.2f}, {chi2:.1f}" for value, error, slope, chi2 in fits]
            )
    measured = "measured, predicted, n_sigma"
    print_table(["model", "N_0", "networks", f"e: {measured}", f"⟨q^0⟩: {measured}"], coldest)
    print_table(
        ["model", "N_0", "W_1 to the prediction", "to RS", "noise", "worst identity A", "round trips", "equilibrated"],
        laws,
    )
    line = "value at 1/N_0 = 0, slope, chi^2"
    print_table(["model", "beta", "N_0", f"e - predicted: {line}", f"⟨q^0⟩ - predicted: {line}"], limits)


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Markdown."""
    for cells in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(cells)} |")
    print()


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
