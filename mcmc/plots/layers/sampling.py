"""FT5: the chain of layers sampled by every kernel with replica exchange, against its exact draws."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.stats import norm

from mcmc.compare.layer_study import Sampled
from mcmc.plots.style import MEASURED, PREDICTED


def sampling_figure(samples: list[Sampled]) -> Figure:
    """Left: mean ln Sigma_l against temperature. Right: all distances from the exact means, in their errors."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    names = [c.observable for c in samples[0].checks if c.observable.startswith("ln det") and "*" not in c.observable]
    for j, name in enumerate(dict.fromkeys(names)):
        for i, sampled in enumerate(samples):
            lines = [c for c in sampled.checks if c.observable == name and c.check is not None]
            beta = np.array([c.beta for c in lines])
            if i == 0:
                exact = [c.check.exact for c in lines if c.check is not None]
                label = f"$\\langle\\ln\\Sigma_{name[-1]}\\rangle$"
                axes[0].plot(beta, exact, color=f"C{j}", linewidth=1, label=label)
            style = {**MEASURED, "fmt": "os^v"[i]}
            shifted = beta + 0.006 * (i - 1.5)
            axes[0].errorbar(shifted, [c.value for c in lines], [c.stderr for c in lines], color=f"C{j}", **style)
    axes[0].set(
        xlabel="$\\beta$", title="lines: exact draws; " + ", ".join(s.kernel.replace("_", " ") for s in samples)
    )
    axes[0].legend()
    bins = np.linspace(-4, 4, 25)
    z = [[c.check.n_sigma for c in sampled.checks if c.check is not None] for sampled in samples]
    axes[1].hist(z, bins=bins, stacked=True, density=True, label=[s.kernel.replace("_", " ") for s in samples])
    x = np.linspace(-4, 4, 200)
    axes[1].plot(x, norm.pdf(x), label="normal law", **PREDICTED)
    axes[1].set(xlabel="(measured - exact)/error", ylabel="density", title=f"{sum(map(len, z))} means")
    axes[1].legend()
    return figure
