"""FT1: covariance of the layers as a map, its decay with distance, and its collapse with width."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mcmc.compare.layer_fluctuations import expected_covariance
from mcmc.compare.layer_study import EXPLICIT_WIDTH, Collapse, Decay
from mcmc.plots.style import MEASURED


def covariance_figure(decays: list[Decay], collapses: list[Collapse]) -> Figure:
    """Map of the first network, decays and widths of all; points are measured, lines predicted."""
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.9), layout="constrained")
    _map(axes[0], decays[0])
    for i, decay in enumerate(decays):
        lag = np.arange(len(decay.by_lag.value))
        scale, colour = decay.field.n_times_variance, f"C{i}"
        axes[1].plot(lag, decay.field.chi**lag, color=colour, linestyle=":", linewidth=1)
        axes[1].plot(lag, decay.width * decay.by_lag.expected / scale, color=colour, linewidth=1)
        is_seen = decay.by_lag.value > 2 * decay.by_lag.stderr  # noise about zero has no place on a log scale
        y, error = (decay.width * v / scale for v in (decay.by_lag.value, decay.by_lag.stderr))
        label = decay.theory.activation.name
        axes[1].errorbar(lag[is_seen], y[is_seen], error[is_seen], color=colour, label=label, **MEASURED)
    axes[1].set(yscale="log", ylim=(3e-3, 3), xlabel="lag $|l - m|$", ylabel="$C(l, m)$ / free-field variance")
    axes[1].set_title(f"decay at N = {decays[0].width}; solid: this N, dotted: $\\chi^{{|l-m|}}$")
    axes[1].legend()
    for i, collapse in enumerate(collapses):
        _collapse(axes[2], collapse, f"C{i}")
    axes[2].axhline(1, color="black", linestyle=":", linewidth=1)
    axes[2].set(xscale="log", xlabel="N", ylabel="N Var $\\Sigma$ / (free field)", ylim=(0.85, 3.4))
    axes[2].legend()
    axes[2].set_title(f"collapse; squares: drawn weights, N = {EXPLICIT_WIDTH}")
    return figure


def _map(axis: plt.Axes, decay: Decay) -> None:
    """Above the diagonal measured, below it predicted to leading order."""
    measured_above = np.triu(decay.transient) + np.tril(decay.transient_theory, -1)
    n = len(measured_above)
    image = axis.imshow(measured_above, origin="lower", cmap="viridis", extent=(0.5, n + 0.5, 0.5, n + 0.5))
    axis.plot([0.5, n + 0.5], [0.5, n + 0.5], color="white", linewidth=0.8)
    axis.grid(False)
    name = decay.theory.activation.name
    axis.set(xlabel="m", ylabel="l", title=f"N C(l, m), {name}, N = {decay.width}: theory above the line, data below")
    axis.figure.colorbar(image, ax=axis, shrink=0.85)


def _collapse(axis: plt.Axes, collapse: Collapse, colour: str) -> None:
    scale = collapse.field.n_times_variance
    fine = np.unique(np.geomspace(collapse.widths[0], collapse.widths[-1], 9).astype(int))
    exact = [n * expected_covariance(collapse.theory, int(n), 0).by_lag[0] / scale for n in fine]
    axis.plot(fine, exact, color=colour, linewidth=1)
    y = [n * float(m.value[0]) / scale for n, m in zip(collapse.widths, collapse.measured, strict=True)]
    error = [n * float(m.stderr[0]) / scale for n, m in zip(collapse.widths, collapse.measured, strict=True)]
    axis.errorbar(collapse.widths, y, error, color=colour, label=collapse.theory.activation.name, **MEASURED)
    value, stderr = (EXPLICIT_WIDTH * float(v[0]) / scale for v in (collapse.explicit.value, collapse.explicit.stderr))
    axis.errorbar([EXPLICIT_WIDTH * 0.93], [value], [stderr], color=colour, mfc="none", **{**MEASURED, "fmt": "s"})
