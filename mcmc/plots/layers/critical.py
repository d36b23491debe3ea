"""FT3: without biases at the critical weight scale: variance of ln Sigma against L/N, and its law."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mcmc.compare.layer_study import CriticalWalk
from mcmc.plots.style import MEASURED, PREDICTED


def critical_figure(walks: list[CriticalWalk]) -> Figure:
    """Several widths of several activations on one axis L/N; histogram of the first walk at its last layer."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    names = list(dict.fromkeys(walk.theory.activation.name for walk in walks))
    markers = dict(zip(sorted({walk.width for walk in walks}), "os^v", strict=False))
    for walk in walks:
        colour, name = f"C{names.index(walk.theory.activation.name)}", walk.theory.activation.name
        layers = np.arange(1, len(walk.walk.mean))
        shown = slice(4, None, 5)
        axes[0].plot(layers / walk.width, walk.walk.variance[1:], color=colour, linewidth=1)
        axes[0].errorbar(
            layers[shown] / walk.width,
            walk.variance.value[shown],
            walk.variance.stderr[shown],
            color=colour,
            label=f"{name}, N = {walk.width}",
            **{**MEASURED, "fmt": markers[walk.width]},
        )
    axes[0].set(xlabel="L/N", ylabel="Var ln $\\Sigma_L$", title="slopes 2, 5 and 2/3: linear, relu, tanh")
    axes[0].legend()
    first = walks[0]
    mean, variance = first.walk.mean[-1], first.walk.variance[-1]
    axes[1].hist(first.last, bins=50, density=True, color="C0", alpha=0.5, label="measured")
    low, high = axes[1].get_xlim()
    x = np.linspace(low, high, 200)
    density = np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    axes[1].plot(x, density, label="log-normal law", **PREDICTED)
    title = f"{first.theory.activation.name}, N = {first.width}, {len(first.walk.mean) - 1} layers"
    axes[1].set(xlabel="ln($\\Sigma_L/\\Sigma_1$)", ylabel="density", title=title)
    axes[1].legend()
    return figure
