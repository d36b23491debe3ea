"""Energy density against beta: every network, their average, and both sides of identity A."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from mcmc.analysis.measured import network_means
from mcmc.io.reader import RunData
from mcmc.io.schema import Key
from mcmc.plots.style import MEASURED


def energy_figure(data: RunData) -> Figure:
    """e(beta) of each network (grey) and of their average; below, the difference of the sides of identity A."""
    has_overlaps = data.config.output.overlaps
    figure, axes = plt.subplots(
        1 + has_overlaps, 1, figsize=(5.5, 6), squeeze=False, constrained_layout=True, sharex=True
    )
    energy = data.mean(Key.ENERGY)
    axis = axes[0, 0]
    axis.plot(data.beta, energy.T, color="0.75", linewidth=0.6)
    axis.errorbar(data.beta, energy.mean(0), _stderr(energy), **MEASURED, color="tab:blue", label="average")
    axis.set(ylabel=r"$e = \langle H\rangle/N_0$", title=f"{len(energy)} networks (grey) and their average")
    if has_overlaps:
        difference = network_means(data).identity_difference()
        axis = axes[1, 0]
        axis.axhline(0, color="black", linewidth=1)
        axis.errorbar(data.beta, difference.mean(0), _stderr(difference), **MEASURED, color="tab:red")
        axis.set(ylabel=r"$e + \beta(r^L - q^L)$", title="identity A: zero in equilibrium")
    axes[-1, 0].set_xlabel(r"$\beta$")
    return figure


def _stderr(per_network: np.ndarray) -> np.ndarray | None:
    if len(per_network) < 2:
        return None
    return per_network.std(0, ddof=1) / np.sqrt(len(per_network))
