"""FT4: how far the factorial (mean-field) approximation is from the chain: divergence a layer, fourth cumulant."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mcmc.compare.layer_fluctuations import expected_covariance
from mcmc.compare.layer_study import Collapse, Factorial
from mcmc.plots.style import MEASURED


def factorial_figure(factorials: list[Factorial], collapses: list[Collapse]) -> Figure:
    """Left: KL divergence, which no width removes. Right: the fourth cumulant of a unit, which 1/N removes."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    names = list(dict.fromkeys(f.theory.activation.name for f in factorials))
    widths = sorted({f.width for f in factorials})
    for f in factorials:
        colour, name = f"C{names.index(f.theory.activation.name)}", f.theory.activation.name
        layer, shown = np.arange(2, len(f.divergence.value) + 1), slice(1, None)
        if f.width == widths[0]:
            axes[0].plot(layer, f.divergence.expected[shown], color=colour, linewidth=1)
        style = {**MEASURED, "fmt": "os^v"[widths.index(f.width)]}
        label = f"{name}, N = {f.width}"
        axes[0].errorbar(
            layer, f.divergence.value[shown], f.divergence.stderr[shown], color=colour, label=label, **style
        )
    axes[0].set(yscale="log", xlabel="layer $l$", ylabel="nats", ylim=(0.05, 20))
    axes[0].set_title("KL(chain | factorial) of each layer; line: $N\\to\\infty$")
    axes[0].legend(ncols=2)
    for collapse in collapses:
        colour = f"C{names.index(collapse.theory.activation.name)}"
        widths_n, square = np.array(collapse.widths), collapse.field.variance**2
        y = np.array([m.value[0] for m in collapse.measured]) / square
        error = np.array([m.stderr[0] for m in collapse.measured]) / square
        exact = [expected_covariance(collapse.theory, int(n), 0).by_lag[0] / square for n in widths_n]
        axes[1].plot(
            widths_n, collapse.field.n_times_variance / square / widths_n, color=colour, linestyle=":", linewidth=1
        )
        axes[1].plot(widths_n, exact, color=colour, linewidth=1)
        axes[1].errorbar(widths_n, y, error, color=colour, label=collapse.theory.activation.name, **MEASURED)
    axes[1].set(xscale="log", yscale="log", xlabel="N", ylabel="Var $\\Sigma/\\Sigma_*^2$")
    axes[1].set_title("fourth cumulant of a unit; dotted: free field; factorial: 0")
    axes[1].legend()
    return figure
