"""P(q^l) with its band, single networks, and the variance over networks, one row a layer."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mcmc.analysis.samples import sampled_law
from mcmc.compare.overlaps import OverlapReport
from mcmc.plots.comparison import draw_limit
from mcmc.plots.style import MEASURED, PREDICTED, pick, temperature_colours

N_TEMPERATURES = 3
N_NETWORKS = 8
SEEN = 1e-3  # of the highest point: what is less decides no axis


def overlaps_figure(reports: Sequence[OverlapReport], layers: Sequence[int]) -> Figure:
    """Laws and single networks of the first run; the variance over networks of all of them, which differ in N_0."""
    figure, axes = plt.subplots(
        len(layers), 3, figsize=(11.5, 3.3 * len(layers)), constrained_layout=True, squeeze=False
    )
    for row, layer in zip(axes, layers, strict=True):
        _laws(row[0], reports[0], layer)
        _networks(row[1], reports[0], layer)
        _variances(row[2], reports, layer)
    model = reports[0].comparison.data.config.model
    figure.suptitle(
        f"{model.activation}, widths {' x '.join(map(str, model.widths))}, {reports[0].bootstrap.n_networks} networks: "
        "measured (colour) and predicted (black)"
    )
    return figure


def _laws(axis: Axes, report: OverlapReport, layer: int) -> None:
    comparison = report.comparison
    beta = comparison.data.beta
    colours = temperature_colours(beta)
    reach: list[float] = []
    for k in pick(len(beta), N_TEMPERATURES + 1)[1:]:  # the hottest is flat and known
        law = sampled_law(comparison.data, k, layer, report.bootstrap)
        lower, upper = law.average.band()
        label = rf"$\beta$ = {beta[k]:.2f}: $W_1$ = {report.distances[k][layer].value:.3f}"
        axis.stairs(law.average.value, law.edges, color=colours[k], linewidth=1.1, label=label)
        axis.stairs(upper, law.edges, baseline=lower, fill=True, color=colours[k], alpha=0.3, linewidth=0)
        kernel, prediction = comparison.kernels[k], comparison.predictions[k]
        predicted = kernel.bin_probability(law.edges, layer) / np.diff(law.edges)
        style = {**PREDICTED, "linestyle": "-" if kernel.origin == "predicted" else "--"}
        axis.plot(0.5 * (law.edges[1:] + law.edges[:-1]), predicted, **style)
        draw_limit(axis, prediction.deltas(layer), prediction.continuous(layer), colours[k])
        reach += _seen(law.edges, law.average.value)
    axis.set(
        xlabel=rf"$q^{{{layer}}}$",
        xlim=(min(reach), max(reach)),
        title=rf"$P(q^{{{layer}}})$, 68 % band; black: smeared (dashed: fitted)",
    )
    axis.set_ylim(0, 1.35 * axis.get_ylim()[1])
    axis.legend(loc="upper left")


def _networks(axis: Axes, report: OverlapReport, layer: int) -> None:
    law = sampled_law(report.comparison.data, -1, layer, report.bootstrap, at_most=40)
    for d in pick(len(law.per_network), N_NETWORKS):
        axis.stairs(law.per_network[d], law.edges, color=plt.get_cmap("viridis")(d / len(law.per_network)), linewidth=1)
    axis.stairs(law.average.value, law.edges, color="black", linewidth=1.6, label="average")
    beta = report.comparison.data.beta[-1]
    n_shown = min(N_NETWORKS, len(law.per_network))
    axis.set(
        xlabel=rf"$q^{{{layer}}}$",
        xlim=tuple(_seen(law.edges, law.per_network.max(0))),
        title=rf"$P_J(q^{{{layer}}})$ of {n_shown} networks at $\beta$ = {beta:.2f}",
    )
    axis.legend()


def _variances(axis: Axes, reports: Sequence[OverlapReport], layer: int) -> None:
    for i, report in enumerate(reports):
        share, beta = report.averaging.share, report.comparison.data.beta
        n_inputs = report.comparison.data.config.model.n_inputs
        axis.errorbar(
            beta, share.value[:, layer], share.stderr[:, layer], **MEASURED, color=f"C{i}", label=f"$N_0$ = {n_inputs}"
        )
        predicted = np.array([report.predicted_share(k, layer) for k in range(len(beta))], dtype=float)
        is_broken = np.array([prediction.solution is not None for prediction in report.comparison.predictions])
        for phase in (~is_broken, is_broken):  # the share jumps where symmetry breaks
            axis.plot(beta, np.where(phase, predicted, np.nan), marker="_" if phase.sum() == 1 else "", **PREDICTED)
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    axis.set(xlabel=r"$\beta$", title=rf"share of Var $q^{{{layer}}}$ between networks")
    axis.legend()


def _seen(edges: np.ndarray, density: np.ndarray) -> list[float]:
    places = np.flatnonzero(density > SEEN * density.max())
    return [float(edges[places[0]]), float(edges[places[-1] + 1])]
