"""Free entropy against temperature and entropy against energy, on the replica-symmetric prediction."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mcmc.analysis.free_energy import BACKWARD, FORWARD, TI
from mcmc.compare.free_energy import Thermodynamics
from mcmc.plots.style import MEASURED, PREDICTED, temperature_colours

LABELS = {TI: "integration", FORWARD: "stepping, forward", BACKWARD: "stepping, backward"}


def free_energy_figure(found: Thermodynamics) -> Figure:
    """Three panels: Phi(beta), s(e), and the other estimators of Phi minus MBAR."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), constrained_layout=True)
    _free_entropy(axes[0], found)
    _entropy(axes[1], found)
    _estimators(axes[2], found)
    model = found.data.config.model
    figure.suptitle(
        f"{model.activation}, widths {' x '.join(map(str, model.widths))}, {len(found.free.networks)} networks: "
        "measured (colour) and replica symmetric (black)",
        fontsize="medium",
    )
    return figure


def _free_entropy(axis: Axes, found: Thermodynamics) -> None:
    axis.plot([s.beta for s in found.curve], [s.free_entropy_density for s in found.curve], **PREDICTED, label="RS")
    phi = found.free_entropy_density
    axis.errorbar(found.free.beta, phi.value, phi.stderr, **MEASURED, color="tab:blue", label="measured (MBAR)")
    axis.set(xlabel=r"$\beta$", ylabel=r"$\Phi = E\,\log Z/N_0$", title="free entropy")
    axis.legend()


def _entropy(axis: Axes, found: Thermodynamics) -> None:
    stable = np.array([s.stable for s in found.curve])
    energy = np.array([s.energy_density for s in found.curve])
    entropy = np.array([s.entropy_density for s in found.curve])
    axis.plot(energy, entropy, linestyle="--" if not stable.all() else "-", **PREDICTED)
    if not stable.all():
        axis.plot(energy[stable], entropy[stable], **PREDICTED)
    e, s = found.energy_density, found.entropy_density
    for k, colour in enumerate(temperature_colours(found.free.beta)):
        axis.errorbar(e.value[k], s.value[k], s.stderr[k], e.stderr[k], **MEASURED, color=colour)
    title = "entropy (hot to cold)" + ("" if stable.all() else "; dashed: RS unstable")
    axis.set(xlabel=r"$e = \langle H\rangle/N_0$", ylabel=r"$s = \Phi + \beta e$", title=title)


def _estimators(axis: Axes, found: Thermodynamics) -> None:
    free = found.free
    axis.axhline(0, color="black", linewidth=1)
    spread = 0.12 * np.diff(free.beta).min() * np.array([-1, 0, 1])
    for shift, (name, label) in zip(spread, LABELS.items(), strict=True):
        difference = free.differences[name] / free.n_inputs
        error = difference.std(0, ddof=1) / np.sqrt(len(difference))
        axis.errorbar(free.beta + shift, difference.mean(0), error, **MEASURED, label=label)
    axis.set(xlabel=r"$\beta$", title=r"estimators of $\Phi$, minus MBAR")
    axis.ticklabel_format(axis="y", scilimits=(-2, 2))
    axis.legend()
