"""Order parameters of a shaped network against depth: networks of finite depth, and the flow that they approach."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from mcmc.plots.style import PREDICTED, temperature_colours
from mcmc.theory.saddle import SaddlePoint
from mcmc.theory.shaped.flow import FlowSolution

N_CURVE = 201


def flow_figure(limit: FlowSolution, finite: dict[int, SaddlePoint]) -> Figure:
    """q_l and r_l - q_l against l/L, and the distance of q_l from the limit times L.

    Args:
        limit:  the solution at infinite depth.
        finite: {L: saddle point at alpha_l = a L} of the same activation and temperature.
    """
    tau = np.linspace(0, 1, N_CURVE)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), constrained_layout=True)
    for colour, (depth, saddle) in zip(temperature_colours(np.arange(len(finite))), finite.items(), strict=True):
        place = np.arange(depth + 1) / depth
        q, r = np.array(saddle.overlap), np.array(saddle.self_overlap)
        style = {"color": colour, "marker": "o", "markersize": 2.5 if depth > 8 else 3.5}
        axes[0].plot(place, q, linestyle="none", label=f"L = {depth}", **style)
        axes[1].plot(place, r - q, linestyle="none", **style)
        axes[2].plot(place, depth * (q - limit.overlap(place)), linewidth=0.8, **style)
    axes[0].plot(tau, limit.overlap(tau), label="flow, $L = \\infty$", **PREDICTED)
    axes[1].plot(tau, limit.self_overlap(tau) - limit.overlap(tau), **PREDICTED)
    axes[0].set(ylabel="$q_l$", title="overlap")
    axes[1].set(ylabel="$r_l - q_l$", title="self-overlap minus overlap")
    axes[2].set(ylabel="$L\\,(q_l - q(l/L))$", title="distance from the limit, times L")
    for axis in axes:
        axis.set_xlabel("$l/L$")
    axes[0].legend()
    model = limit.model
    params = "".join(f", {name} = {value:g}" for name, value in model.params.items())
    name = model.activation.replace("_", " ")
    figure.suptitle(
        f"{name}{params}, $N_l/N_0 = {model.width_per_depth:g}\\,L$, $\\beta$ = {limit.beta:g}", fontsize="medium"
    )
    return figure
