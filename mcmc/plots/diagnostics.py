"""Did the sampler do its work: acceptance, energy errors, swaps, round trips."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mcmc.io.reader import RunData
from mcmc.io.schema import Key


def diagnostics_figure(data: RunData) -> Figure:
    """Four panels: acceptance and step size, <exp(-dH)>, swap rates, round trips of the networks."""
    figure, axes = plt.subplots(2, 2, figsize=(8.5, 6), constrained_layout=True)
    _acceptance(axes[0, 0], data)
    _work_identity(axes[0, 1], data)
    has_swaps = Key.SWAP_ATTEMPTS in data.arrays and (data.arrays[Key.SWAP_ATTEMPTS] > 0).all()
    if has_swaps:
        _swaps(axes[1, 0], data)
        _round_trips(axes[1, 1], data)
    else:
        for axis in axes[1]:
            axis.set_axis_off()
            axis.text(0.5, 0.5, "no replica exchange", ha="center")
    return figure


def _acceptance(axis: Axes, data: RunData) -> None:
    rate = data.arrays[Key.ACCEPTANCE].mean((0, 2))
    axis.plot(data.beta, rate, "o-", markersize=3, label="acceptance")
    axis.plot(data.beta, data.arrays[Key.STEP_SIZE], "s--", markersize=3, color="tab:gray", label="step size")
    axis.set(xlabel=r"$\beta$", ylim=(0, max(1.02, 1.05 * data.arrays[Key.STEP_SIZE].max())), title="kernel")
    axis.legend()


def _work_identity(axis: Axes, data: RunData) -> None:
    per_network = (data.arrays[Key.METROPOLIS_SUM] / data.arrays[Key.N_STEPS]).mean(2)
    error = per_network.std(0, ddof=1) / np.sqrt(len(per_network)) if len(per_network) > 1 else None
    axis.axhline(1, color="black", linewidth=1)
    axis.errorbar(data.beta, per_network.mean(0), error, fmt="o", markersize=3, capsize=2)
    axis.set(xlabel=r"$\beta$", title=r"$\langle \exp(-\Delta H)\rangle$: 1 in equilibrium")
    axis.ticklabel_format(axis="y", useOffset=False)


def _swaps(axis: Axes, data: RunData) -> None:
    per_network = data.arrays[Key.SWAP_ACCEPTANCE_SUM].mean(2) / data.arrays[Key.SWAP_ATTEMPTS]
    middle = 0.5 * (data.beta[1:] + data.beta[:-1])
    axis.plot(middle, per_network.T, color="0.75", linewidth=0.6)
    axis.plot(middle, per_network.mean(0), "o-", markersize=3)
    barrier = float((1 - per_network.mean(0)).sum())
    axis.set(xlabel=r"$\beta$", ylim=(0, 1), title=rf"swap acceptance; barrier $\Lambda$ = {barrier:.2f}")


def _round_trips(axis: Axes, data: RunData) -> None:
    trips = data.arrays[Key.ROUND_TRIPS].mean((1, 2))
    axis.bar(np.arange(len(trips)), np.sort(trips), width=0.9)
    axis.set(xlabel="networks, slowest first", title="round trips per walker")
