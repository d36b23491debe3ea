"""Measured energy, overlaps and P(q^l) beside the replica prediction."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mcmc.compare.comparison import Comparison
from mcmc.plots.style import MEASURED, PREDICTED, pick, temperature_colours

Points = tuple[np.ndarray, np.ndarray]

N_CURVES = 6
SYMMETRIC: dict[str, Any] = {
    "color": "0.55",
    "linewidth": 1.0,
    "linestyle": "--",
}  # replica symmetry where another ansatz is drawn
STEM_HEIGHT = 0.92  # of the panel, for a delta function of weight 1
SURE = 0.995  # a delta function of more weight needs no label


def comparison_figure(comparison: Comparison) -> Figure:
    """Four panels: e(beta), <q^l>(beta), P(q^0) and P(q^L) at a few temperatures; black is theory."""
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 7), constrained_layout=True)
    model, n_networks = comparison.data.config.model, comparison.matches[0].measured.n_networks
    _energy(axes[0, 0], comparison)
    _overlaps(axes[0, 1], comparison)
    for axis, layer in zip(axes[1], (0, model.depth), strict=True):
        _laws(axis, comparison, layer)
    phases = ", ".join(dict.fromkeys(prediction.phase for prediction in comparison.predictions))
    theory = phases if comparison.is_broken else "replica symmetric"
    figure.suptitle(
        f"{model.activation}, widths {' x '.join(map(str, model.widths))}, {n_networks} networks: "
        f"measured (colour) and {theory} (black)"
    )
    return figure


def _energy(axis: Axes, comparison: Comparison) -> None:
    beta = comparison.data.beta
    rows = comparison.select("energy_density")
    _theory(axis, comparison, [s.energy_density for s in comparison.curve], [m.predicted for m in rows], label=True)
    values, errors = [m.measured.value for m in rows], [m.measured.stderr for m in rows]
    axis.errorbar(beta, values, errors, **MEASURED, color="tab:blue", label="measured")
    axis.set(xlabel=r"$\beta$", ylabel=r"$e = \langle H\rangle/N_0$", title="energy density")
    axis.legend()


def _overlaps(axis: Axes, comparison: Comparison) -> None:
    beta = comparison.data.beta
    for layer in range(comparison.data.config.model.depth + 1):
        rows = comparison.select(f"overlap_{layer}")
        _theory(axis, comparison, [s.overlap[layer] for s in comparison.curve], [m.predicted for m in rows])
        if comparison.is_broken:
            lowest, highest = (
                [p.levels[layer][i] if p.solution else np.nan for p in comparison.predictions] for i in (0, -1)
            )
            axis.fill_between(beta, lowest, highest, color=f"C{layer}", alpha=0.15, linewidth=0)
        values, errors = [m.measured.value for m in rows], [m.measured.stderr for m in rows]
        axis.errorbar(beta, values, errors, **MEASURED, color=f"C{layer}", label=rf"$\langle q^{{{layer}}}\rangle$")
    shaded = "; shaded: lowest to highest level" if comparison.is_broken else ""
    axis.set(xlabel=r"$\beta$", title=f"overlap of two replicas, by layer{shaded}")
    axis.legend()


def _theory(
    axis: Axes, comparison: Comparison, symmetric: list[float], predicted: list[float], *, label: bool = False
) -> None:
    """The replica-symmetric curve, and over it the prediction of another ansatz at the temperatures of the run."""
    fine = [s.beta for s in comparison.curve]
    if not comparison.is_broken:
        axis.plot(fine, symmetric, **PREDICTED, label="RS" if label else None)
        return
    axis.plot(fine, symmetric, **SYMMETRIC, label="RS" if label else None)
    axis.plot(comparison.data.beta, predicted, **PREDICTED, label="predicted" if label else None)


def _laws(axis: Axes, comparison: Comparison, layer: int) -> None:
    beta = comparison.data.beta
    colours = temperature_colours(beta)
    reach, top = [], 0.0
    for k in pick(len(beta), N_CURVES):
        law, kernel, prediction = (
            comparison.laws[k][layer].coarsened(),
            comparison.kernels[k],
            comparison.predictions[k],
        )
        label = rf"$\beta$ = {beta[k]:.2f}" + (f", {prediction.phase}" if comparison.is_broken else "")
        axis.stairs(law.density, law.edges, color=colours[k], linewidth=1.1, label=label)
        axis.fill_between(
            law.centres, law.density - law.stderr, law.density + law.stderr, step="mid", color=colours[k], alpha=0.25
        )
        predicted = kernel.bin_probability(law.edges, layer) / np.diff(law.edges)
        axis.plot(
            law.centres, predicted, color="black", linewidth=1, linestyle="-" if kernel.origin == "predicted" else "--"
        )
        draw_limit(axis, prediction.deltas(layer), prediction.continuous(layer), to_hex(colours[k]))
        seen = law.centres[(law.density > 0) | (predicted > 1e-3 * predicted.max())]
        reach += [seen.min(), seen.max()]
        top = max(top, law.density.max(), predicted.max())
    axis.set(
        xlabel=rf"$q^{{{layer}}}$",
        title=rf"$P(q^{{{layer}}})$; black: smeared (dashed: width fitted); stems: levels",
    )
    axis.set_xlim(min(reach), max(reach))
    axis.set_ylim(0, 1.08 * top)
    axis.legend()


def draw_limit(axis: Axes, deltas: Points, continuous: Points | None, colour: str) -> None:
    """P(q^l) for N_0 -> infinity: a stem for each delta, as high as its weight, and the continuous part as a curve.

    Args:
        deltas:     places and weights.
        continuous: overlaps and densities.
    """
    frame = axis.get_xaxis_transform()  # q along x, a share of the panel along y
    for i, (q, weight) in enumerate(zip(*deltas, strict=True)):
        height = STEM_HEIGHT * weight
        axis.plot([q, q], [0, height], color=colour, linewidth=0.8, linestyle=":", transform=frame)
        axis.plot(q, height, marker="^", markersize=4, color=colour, transform=frame)
        if weight < SURE:
            side = "right" if i == 0 else "left"
            axis.text(q, height, f" {weight:.2f} ", color=colour, fontsize=7, transform=frame, va="bottom", ha=side)
    if continuous is not None:
        axis.plot(*continuous, color=colour, linewidth=1.4, linestyle="-.")
