"""Figures of a study: limits against size, limits against temperature, P(q) by size, entropy by size."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mcmc.compare.prediction import Prediction
from mcmc.plots.comparison import SYMMETRIC, draw_limit
from mcmc.plots.style import MEASURED, PREDICTED, pick
from mcmc.study.predicted import predicted_value
from mcmc.study.results import CombinationResult, Limit, Scaling

Values = np.ndarray | list[float]
N_PANELS = 6
N_LAWS = 4
SYMBOLS = {"energy_density": r"$e = \langle H\rangle/N_0$", "entropy_density": r"$s = \Phi + \beta e$"}


def symbol(observable: str) -> str:
    """How the observable is written on an axis."""
    if observable in SYMBOLS:
        return SYMBOLS[observable]
    kind, _, layer = observable.rpartition("_")
    mean = rf"\langle q^{{{layer}}}\rangle"
    known = {"overlap": f"${mean}$", "overlap_disorder": rf"Var$_J\,{mean}$"}
    return known.get(kind, observable)


def limit_figure(found: CombinationResult, observable: str) -> Figure:
    """One panel a temperature: the sizes against 1/N_0, the heaviest fit, the limit (open) and theory (black) at 0."""
    limits = found.select(observable)
    limits = [limits[i] for i in pick(len(limits), N_PANELS)]
    n_columns = min(3, len(limits))
    n_rows = -(-len(limits) // n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(3.1 * n_columns, 2.5 * n_rows), squeeze=False, constrained_layout=True
    )
    for axis in axes.flat[len(limits) :]:
        axis.set_visible(False)
    for axis, limit in zip(axes.flat, limits, strict=False):
        _limit_panel(axis, found, limit)
    figure.supylabel(symbol(observable), fontsize="medium")
    figure.supxlabel(r"$1/N_0$", fontsize="medium")
    return figure


def _limit_panel(axis: Axes, found: CombinationResult, limit: Limit) -> None:
    sizes = np.array([cell.n_inputs for cell in found.cells])
    places = [int(np.argmin(np.abs(cell.beta - limit.beta))) for cell in found.cells]
    resampled = [cell.observables[limit.observable] for cell in found.cells]
    values = np.array([r.value[k] for r, k in zip(resampled, places, strict=True)])
    errors = np.array([r.stderr[k] for r, k in zip(resampled, places, strict=True)])
    fit = limit.extrapolation
    used = np.isin(sizes, fit.sizes)
    axis.errorbar(1 / sizes[used], values[used], errors[used], **MEASURED, color="tab:blue")
    if not used.all():
        axis.errorbar(1 / sizes[~used], values[~used], errors[~used], **MEASURED, color="0.6")
    inverse = np.linspace(1e-6, 1 / fit.sizes[0], 200)
    axis.plot(inverse, fit.fits[0].curve(1 / inverse), color="tab:blue", linewidth=0.9, alpha=0.7)
    axis.errorbar(
        0,
        fit.value,
        [[fit.value - fit.lower], [fit.upper - fit.value]],
        **{**MEASURED, "fmt": "s", "markersize": 5},
        color="tab:blue",
        markerfacecolor="white",
        zorder=3,
    )
    reach = 1 / sizes[0]
    if limit.predicted is not None:
        axis.plot(-0.06 * reach, limit.predicted, marker=">", markersize=6, color="black", clip_on=False)
        axis.axhline(limit.predicted, color="black", linewidth=0.7, linestyle=":")
    axis.set_xlim(-0.09 * reach, 1.06 * reach)
    axis.set_title(rf"$\beta$ = {limit.beta:.3g}, $w$ = {fit.exponent:.2f}")
    axis.locator_params(axis="both", nbins=4)


def temperature_figure(found: CombinationResult, observables: list[str]) -> Figure:
    """One column an observable: every size and the limit against beta, and below the distance of the limit."""
    figure, axes = plt.subplots(
        2,
        len(observables),
        figsize=(4.1 * len(observables), 4.8),
        squeeze=False,
        sharex=True,
        height_ratios=[2.2, 1],
        constrained_layout=True,
    )
    for column, observable in zip(axes.T, observables, strict=True):
        limits = found.select(observable)
        beta = [limit.beta for limit in limits]
        for cell, colour in zip(found.cells, size_colours(len(found.cells)), strict=True):
            values = cell.observables[observable]
            column[0].plot(
                cell.beta,
                values.value,
                marker=".",
                markersize=4,
                linewidth=0.8,
                color=colour,
                label=_size(cell.n_inputs),
            )
        value, error = (
            np.array([getattr(limit.extrapolation, key) for limit in limits]) for key in ("value", "stderr")
        )
        column[0].errorbar(
            beta, value, error, **MEASURED, color="tab:red", markerfacecolor="white", label=r"$N_0\to\infty$"
        )
        column[0].set(ylabel=symbol(observable))
        column[1].axhline(0, color="black", linewidth=1)
        known = [i for i, limit in enumerate(limits) if limit.predicted is not None]
        if known:
            predicted = np.array([limits[i].predicted for i in known], dtype=float)
            at = np.array(beta)[known]
            _theory(
                column[0],
                found,
                at,
                predicted,
                [(s.beta, predicted_value(Prediction(s), observable)) for s in found.curve],
            )
            column[1].errorbar(at, value[known] - predicted, error[known], **MEASURED, color="tab:red")
        column[1].set(xlabel=r"$\beta$", ylabel="limit - theory")
    axes[0, 0].legend()
    return figure


def laws_figure(found: CombinationResult, layer: int = 0) -> Figure:
    """P(q^l) of every size, a panel a temperature; stems: levels of the prediction, as high as their weight."""
    chosen = [found.predictions[i] for i in pick(len(found.predictions), N_LAWS)]
    figure, axes = plt.subplots(
        1, len(chosen), figsize=(3.1 * len(chosen), 2.9), squeeze=False, constrained_layout=True
    )
    for axis, prediction in zip(axes[0], chosen, strict=True):
        reach = list(prediction.levels[layer])
        for cell, colour in zip(found.cells, size_colours(len(found.cells)), strict=True):
            k = int(np.argmin(np.abs(cell.beta - prediction.beta)))
            law = cell.laws[k][layer].coarsened(at_most=30)
            axis.stairs(law.density, law.edges, color=colour, linewidth=1.1, label=_size(cell.n_inputs))
            axis.fill_between(
                law.centres, law.density - law.stderr, law.density + law.stderr, step="mid", color=colour, alpha=0.2
            )
            seen = law.centres[law.density > 0]
            reach += [seen.min(), seen.max()] if len(seen) else []
        draw_limit(axis, prediction.deltas(layer), prediction.continuous(layer), "black")
        margin = 0.03 * (max(reach) - min(reach))
        axis.set(
            xlabel=rf"$q^{{{layer}}}$", title=rf"$\beta$ = {prediction.beta:.3g}, {prediction.phase}", ylim=(0, None)
        )
        axis.set_xlim(min(reach) - margin, max(reach) + margin)
    axes[0, 0].set_ylabel(rf"$P(q^{{{layer}}})$")
    axes[0, 0].legend()
    return figure


def entropy_figure(found: CombinationResult) -> Figure:
    """s(e) of every size and in the limit, on the curve of the prediction."""
    figure, axis = plt.subplots(figsize=(5.5, 4), constrained_layout=True)
    _theory(
        axis,
        found,
        [p.energy_density for p in found.predictions],
        [p.entropy_density for p in found.predictions],
        [(s.energy_density, s.entropy_density) for s in found.curve],
    )
    for cell, colour in zip(found.cells, size_colours(len(found.cells)), strict=True):
        e, s = cell.observables["energy_density"], cell.observables.get("entropy_density")
        if s is not None:
            axis.errorbar(e.value, s.value, s.stderr, e.stderr, **MEASURED, color=colour, label=_size(cell.n_inputs))
    energy = {limit.beta: limit.extrapolation for limit in found.select("energy_density")}
    entropy = [limit for limit in found.select("entropy_density") if limit.beta in energy]
    if entropy:
        e_limits, s_limits = [energy[limit.beta] for limit in entropy], [limit.extrapolation for limit in entropy]
        axis.errorbar(
            [e.value for e in e_limits],
            [s.value for s in s_limits],
            [s.stderr for s in s_limits],
            [e.stderr for e in e_limits],
            **{**MEASURED, "fmt": "s"},
            color="tab:red",
            markerfacecolor="white",
            label=r"$N_0\to\infty$",
        )
    axis.set(xlabel=SYMBOLS["energy_density"], ylabel=SYMBOLS["entropy_density"])
    axis.legend()
    return figure


def _theory(axis: Axes, found: CombinationResult, x: Values, y: Values, symmetric: list[tuple[float, Any]]) -> None:
    """The replica-symmetric curve, and over it another prediction at the temperatures of the study."""
    if found.is_broken:
        axis.plot(*zip(*symmetric, strict=True), **SYMMETRIC, label="RS")
        axis.plot(x, y, **PREDICTED, label="theory", zorder=0.5)
    else:
        axis.plot(*zip(*symmetric, strict=True), **PREDICTED, label="theory (RS)", zorder=0.5)


def collapse_figure(found: Scaling) -> Figure:
    """Every size as measured, and on scaled axes."""
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.2), constrained_layout=True)
    best = found.collapse
    for curve, colour in zip(found.curves, size_colours(len(found.curves)), strict=True):
        error, n = curve.resamples.std(0, ddof=1), curve.n_inputs
        axes[0].errorbar(curve.beta, curve.value, error, **MEASURED, color=colour, label=_size(n))
        x, y, dy = (curve.beta - best.beta_c) * n**best.a, curve.value * n**best.b, error * n**best.b
        axes[1].errorbar(x, y, dy, **MEASURED, color=colour)
    axes[0].axvline(best.beta_c, color="black", linewidth=0.7, linestyle=":")
    axes[0].set(xlabel=r"$\beta$", ylabel=symbol(found.observable))
    axes[0].legend()
    axes[1].set(
        xlabel=r"$(\beta - \beta_c)\,N_0^a$",
        ylabel=r"$N_0^b\,$" + symbol(found.observable),
        title=f"S = {best.quality:.2f}",
    )
    return figure


def size_colours(n_sizes: int) -> np.ndarray:
    """One colour a size, small to large: (S, 4)."""
    return plt.get_cmap("viridis_r")(np.linspace(0.15, 0.95, n_sizes))


def _size(n_inputs: int) -> str:
    return rf"$N_0$ = {n_inputs}"
