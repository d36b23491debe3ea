"""Overlaps between temperatures: <q^0> of each against all others, and what is left of it by the overlaps of each."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from mcmc.analysis.cross import CrossTemperature
from mcmc.plots.style import MEASURED, pick, temperature_colours

N_TEMPERATURES = 5


def cross_temperature_figure(found: CrossTemperature, *, title: str) -> Figure:
    """Mean overlap and correlation of some temperatures with all of them."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.6), constrained_layout=True)
    colours = temperature_colours(found.beta)
    parts = (
        (axes[0], found.mean, r"$\langle q_{\beta\beta'} \rangle$"),
        (
            axes[1],
            found.correlation,
            r"$\langle q_{\beta\beta'} \rangle / \sqrt{\langle q_\beta \rangle \langle q_{\beta'} \rangle}$",
        ),
    )
    for axis, values, label in parts:
        for k in pick(len(found.beta), N_TEMPERATURES + 1)[1:]:
            is_known = np.isfinite(values.value[k]) & np.isfinite(values.stderr[k]) & (found.beta > 0)
            axis.errorbar(
                found.beta[is_known],
                values.value[k][is_known],
                values.stderr[k][is_known],
                color=colours[k],
                label=rf"$\beta$ = {found.beta[k]:.2f}",
                **{**MEASURED, "linestyle": "-"},
            )
        axis.set(xlabel=r"$\beta'$", ylabel=label)
    axes[1].axhline(1.0, color="0.7", linewidth=0.8)
    axes[0].legend(loc="upper left")
    figure.suptitle(title)
    return figure
