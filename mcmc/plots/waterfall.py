"""P(q^l) against temperature, one shifted curve a temperature."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from mcmc.analysis.measured import overlap_law
from mcmc.io.reader import RunData
from mcmc.plots.style import pick, temperature_colours

N_CURVES = 16


def waterfall_figure(data: RunData) -> Figure:
    """One panel a layer; hot at the bottom, cold at the top."""
    n_layers = data.config.model.depth + 1
    figure, axes = plt.subplots(1, n_layers, figsize=(4.2 * n_layers, 5.5), squeeze=False, constrained_layout=True)
    colours = temperature_colours(data.beta)
    rows = pick(len(data.beta), N_CURVES)
    for layer, axis in enumerate(axes[0]):
        laws = [overlap_law(data, k, layer).coarsened() for k in rows]
        step = 0.45 * max(law.density.max() for law in laws)
        for place, (k, law) in enumerate(zip(rows, laws, strict=True)):
            base = place * step
            axis.fill_between(
                law.centres, base, base + law.density, color=colours[k], alpha=0.75, linewidth=0, zorder=-place
            )
            axis.plot(law.centres, base + law.density, color="white", linewidth=0.6, zorder=-place + 0.5)
        shown = np.concatenate([law.centres[law.density > 0] for law in laws])
        if len(shown):  # all of it may lie outside of the bins
            axis.set_xlim(shown.min(), shown.max())
        axis.set_yticks([place * step for place in range(len(rows))], [f"{data.beta[k]:.2f}" for k in rows])
        axis.set(xlabel=rf"$q^{{{layer}}}$", ylabel=r"$\beta$", title=rf"$P(q^{{{layer}}})$")
        axis.grid(axis="y", visible=False)
    return figure
