"""FT6: two inputs in one network: their correlation layer by layer, and how it fluctuates from network to network."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mcmc.compare.layer_study import Pair
from mcmc.plots.style import MEASURED


def several_figure(pairs: list[Pair]) -> Figure:
    """Mean correlation, its variance, and its two-point function with one layer."""
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.7), layout="constrained")
    for i, pair in enumerate(pairs):
        layer, n, colour = np.arange(1, len(pair.correlation) + 1), pair.width, f"C{i}"
        name = pair.theory.activation.name
        axes[0].plot(layer, pair.pair.correlation, color=colour, linewidth=1)
        axes[0].plot(layer, pair.correlation, "o", markersize=3.5, color=colour, label=name)
        for axis, measured in ((axes[1], pair.variance), (axes[2], pair.covariance)):
            axis.plot(layer, n * measured.expected, color=colour, linewidth=1)
            axis.errorbar(layer, n * measured.value, n * measured.stderr, color=colour, label=name, **MEASURED)
    axes[0].set(ylabel="$c_l$", title="mean correlation of two inputs")
    axes[1].set(ylabel="N Var $c_l$", title=f"its variance over networks, N = {pairs[0].width}")
    site = pairs[0].site + 1
    axes[2].set(ylabel=f"N Cov($c_l$, $c_{{{site}}}$)", title=f"two-point function with layer {site}")
    for axis in axes:
        axis.set_xlabel("layer $l$")
        axis.legend()
    return figure
