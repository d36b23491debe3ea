"""Measured energy, overlaps and P(q^l) beside the replica prediction."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mcmc.compare.match import Comparison
from mcmc.plots.style import MEASURED, PREDICTED, pick, temperature_colours

N_CURVES = 6


def comparison_figure(comparison: Comparison) -> Figure:
    """Four panels: e(beta), <q^l>(beta), P(q^0) and P(q^L) at a few temperatures; black is theory."""
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 7), constrained_layout=True)
    model, n_networks = comparison.data.config.model, comparison.matches[0].measured.n_networks
    _energy(axes[0, 0], comparison)
    _overlaps(axes[0, 1], comparison)
    for axis, layer in zip(axes[1], (0, model.depth), strict=True):
        _laws(axis, comparison, layer)
    figure.suptitle(
        f"{model.activation}, widths {' x '.join(map(str, model.widths))}, {n_networks} networks: "
        "measured (colour) and replica symmetric (black)"
    )
    return figure


def _energy(axis: Axes, comparison: Comparison) -> None:
    beta = comparison.data.beta
    rows = comparison.select("energy_density")
    curve = comparison.curve
    axis.plot([s.beta for s in curve], [s.energy_density for s in curve], **PREDICTED, label="RS")
    values, errors = [m.measured.value for m in rows], [m.measured.stderr for m in rows]
    axis.errorbar(beta, values, errors, **MEASURED, color="tab:blue", label="measured")
    axis.set(xlabel=r"$\beta$", ylabel=r"$e = \langle H\rangle/N_0$", title="energy density")
    axis.legend()


def _overlaps(axis: Axes, comparison: Comparison) -> None:
    beta = comparison.data.beta
    for layer in range(comparison.data.config.model.depth + 1):
        rows = comparison.select(f"overlap_{layer}")
        axis.plot([s.beta for s in comparison.curve], [s.overlap[layer] for s in comparison.curve], **PREDICTED)
        values, errors = [m.measured.value for m in rows], [m.measured.stderr for m in rows]
        axis.errorbar(beta, values, errors, **MEASURED, color=f"C{layer}", label=rf"$\langle q^{layer}\rangle$")
    axis.set(xlabel=r"$\beta$", title="overlap of two replicas, by layer")
    axis.legend()


def _laws(axis: Axes, comparison: Comparison, layer: int) -> None:
    beta = comparison.data.beta
    colours = temperature_colours(beta)
    reach = []
    for k in pick(len(beta), N_CURVES):
        law, kernel = comparison.laws[k][layer].coarsened(), comparison.kernels[k]
        width = np.diff(law.edges)
        axis.stairs(law.density, law.edges, color=colours[k], linewidth=1.1, label=rf"$\beta$ = {beta[k]:.2f}")
        axis.fill_between(
            law.centres, law.density - law.stderr, law.density + law.stderr, step="mid", color=colours[k], alpha=0.25
        )
        predicted = kernel.bin_probability(law.edges, layer) / width
        axis.plot(
            law.centres, predicted, color="black", linewidth=1, linestyle="-" if kernel.origin == "predicted" else "--"
        )
        seen = law.centres[(law.density > 0) | (predicted > 1e-3 * predicted.max())]
        reach += [seen.min(), seen.max()]
    axis.set(xlabel=rf"$q^{layer}$", title=rf"$P(q^{layer})$; black: smeared delta (dashed: width fitted)")
    axis.set_xlim(min(reach), max(reach))
    axis.legend()
