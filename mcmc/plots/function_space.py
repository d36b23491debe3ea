"""Figures of the function space: theory as lines, explicit networks as points."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure

from mcmc.compare.function_space_points import DEPTH, FunctionSpacePoints, MeasuredError
from mcmc.plots.style import MEASURED, PREDICTED
from mcmc.theory.function_space.generalization import asymptotic_error, generalization_error, jump
from mcmc.theory.function_space.max_entropy import MaxEntropy, max_entropy_continuous
from mcmc.theory.function_space.max_entropy_binary import alignment_error, max_entropy_binary
from mcmc.theory.function_space.sparse import critical_flip, stationary

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3")
UNJUDGED: dict[str, Any] = {"markerfacecolor": "white"}
POINT: dict[str, Any] = {**MEASURED, "fmt": "o", "linestyle": "none"}


def figure_two(points: FunctionSpacePoints) -> Figure:
    """Panels (a) to (f) of figure 2 of Li and Saad."""
    figure, axes = plt.subplots(2, 3, figsize=(11, 6.6), constrained_layout=True)
    errors = np.linspace(0.004, 0.4995, 160)
    continuous = [max_entropy_continuous(float(e), DEPTH) for e in errors]
    binary = [max_entropy_binary(float(e), DEPTH) for e in errors]
    _perturbations(axes[0, 0], continuous, points.continuous, r"$\eta_l^*$", r"$S_{con}$")
    _perturbations(axes[0, 1], binary, points.binary, "$p_l^*$", r"$S_{bin}$")
    for n in range(2, DEPTH + 1):
        axes[0, 1].axvline(alignment_error(n), color="grey", linewidth=0.7, linestyle=":")
    _generalization(axes[0, 2], points.loads)
    _stationary(axes[1, 0], points)
    _transient(axes[1, 1], points, (0.05, 0.1))
    _transient(axes[1, 2], points, (0.15, 0.2))
    titles = (
        "continuous weights",
        "binary weights",
        "annealed generalisation",
        "majority gates, many layers",
        "three inputs, few flips",
        "three inputs, on both sides of $p_c = 1/6$",
    )
    for letter, title, panel in zip("abcdef", titles, axes.flat, strict=True):
        panel.set_title(f"({letter}) {title}", loc="left")
    return figure


def overlap_figure(points: FunctionSpacePoints) -> Figure:
    """q^l against l for several perturbations and units, and the z-scores."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    layers = np.arange(1, DEPTH + 1)
    for colour, (label, found) in zip(COLOURS, points.profiles.items(), strict=True):
        axes[0].plot(layers, found.profile.overlap, color=colour, linewidth=1)
        axes[0].errorbar(layers, found.measured, found.stderr, color=colour, label=label, **POINT)
        style = {} if found.is_derived else {"markerfacecolor": "white"}
        axes[1].plot(layers, found.z, "o", color=colour, markersize=4, **style)
    axes[0].set(xlabel="layer $l$", ylabel="overlap $q^l$", xticks=layers, ylim=(0, 1.02))
    figure.legend(fontsize=7, loc="outside right upper")
    axes[1].axhspan(-2, 2, color="grey", alpha=0.15, linewidth=0)
    axes[1].set(
        xlabel="layer $l$",
        ylabel="(measured - theory)/error",
        xticks=layers,
        ylim=(-4.2, 4.2),
        title="full: derived error, open: scatter of networks",
    )
    axes[0].set_title(f"N = {points.width}")
    return figure


def learning_figure(documents: Sequence[Mapping[str, Any]]) -> Figure:
    """Gibbs measure over weights: error and overlaps against alpha, one colour a width, theory in black.

    Args:
        documents: of `mlp-gibbs function-space gibbs --json`, of one depth.
    """
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.5), constrained_layout=True)
    for colour, document in zip(COLOURS, documents, strict=False):
        points = document["points"]
        alpha = [p["inverse_temperature"] for p in points]
        label = f"N = {document['width']}"
        for key, style in (("error", {}), ("error_at_overlap", UNJUDGED)):
            values, errors = ([p[key][part] for p in points] for part in ("value", "stderr"))
            text = label if key == "error" else f"{label}, independent layers at the measured $R_l$"
            axes[0].errorbar(alpha, values, errors, color=colour, label=text, **{**POINT, **style})
        for layer, panel in enumerate(axes[1:]):
            values, errors = ([1 - p["overlap"][layer]["value"] for p in points],
                              [p["overlap"][layer]["stderr"] for p in points])  # fmt: skip
            panel.errorbar(alpha, values, errors, color=colour, label=label, **POINT)
    widest = max(documents, key=lambda document: len(document["points"]))["points"]
    alpha = [p["inverse_temperature"] for p in widest]
    axes[0].plot(alpha, [p["theory_error"] for p in widest], label="independent perturbations", **PREDICTED)
    for layer, panel in enumerate(axes[1:]):
        panel.plot(alpha, [1 - p["theory_overlap"][layer] for p in widest], **PREDICTED)
        panel.set(ylabel=f"$1 - R_{layer + 1}$", yscale="log", title=f"layer {layer + 1}")
    axes[0].set(ylabel=r"error $\epsilon$", title="error of the student")
    axes[0].set_ylim(0, None)
    for panel in axes:
        panel.set_xlabel(r"inverse temperature $\tilde\alpha$")
    axes[0].legend(fontsize=6)
    return figure


def _perturbations(
    panel: Panel, curve: list[MaxEntropy], points: list[MeasuredError], symbol: str, entropy: str
) -> None:
    errors = [found.error for found in curve]
    for layer in range(DEPTH):
        values = np.array([found.perturbation[layer] for found in curve])
        panel.plot(errors, values, color=COLOURS[layer], linewidth=1.1, label=f"$l$ = {layer + 1}")
        for is_judged, style in ((True, {}), (False, UNJUDGED)):
            chosen = [point for point in points if point.is_judged == is_judged]
            panel.errorbar(
                [point.measured for point in chosen],
                [point.target.perturbation[layer] for point in chosen],
                xerr=[point.stderr for point in chosen],
                color=COLOURS[layer],
                **{**POINT, **style},
            )
    panel.set(xlabel=r"error $\epsilon$", ylabel=symbol, xlim=(0, 0.5), ylim=(-0.02 * values.max(), None))
    panel.legend(loc="upper left", bbox_to_anchor=(0.0, 0.62))
    inset = panel.inset_axes((0.12, 0.68, 0.34, 0.28))
    inset.plot(errors, [found.entropy_density for found in curve], **PREDICTED)
    inset.set(xlim=(0, 0.5))
    inset.set_title(entropy, fontsize=7.5, pad=2)
    inset.tick_params(labelsize=6)


def _generalization(panel: Panel, measured: Mapping[int, list[MeasuredError]]) -> None:
    loads = np.geomspace(0.5, 60, 48)
    for colour, (depth, points) in zip(COLOURS, measured.items(), strict=False):
        start = jump(depth)
        fine = np.unique(np.concatenate([loads, start.load * np.array([1 - 1e-9, 1 + 1e-9])])) if start.load else loads
        panel.plot(fine, [generalization_error(float(a), depth) for a in fine], color=colour, label=f"L = {depth}")
        far = loads[loads > 20]
        panel.plot(far, [asymptotic_error(float(a), depth) for a in far], color=colour, linestyle=":", linewidth=0.8)
        for point in points:
            style = {} if point.is_judged else UNJUDGED
            panel.errorbar(point.x, point.measured, point.stderr, color=colour, **{**POINT, **style})
    panel.set(xscale="log", xlabel=r"load $\alpha$", ylabel=r"error $\epsilon^*$", ylim=(0, 0.52))
    panel.legend(loc="lower left")


def _stationary(panel: Panel, points: FunctionSpacePoints) -> None:
    for colour, (k, measured) in zip(COLOURS, points.stationary.items(), strict=False):
        top = critical_flip(k)
        flips = np.concatenate([np.linspace(0, top, 200)[:-1], top - np.geomspace(top / 200, 1e-7, 30), [top, 0.32]])
        states = [stationary(k, float(p)) for p in flips]
        panel.plot(flips, [s.magnetization for s in states], color=colour, label=f"k = {k}")
        panel.plot(flips, [s.error for s in states], color=colour, linestyle="--", linewidth=0.9)
        for flip, mean, stderr, _ in measured:
            panel.errorbar(flip, mean[1], stderr[1], color=colour, **POINT)
            panel.errorbar(flip, (1 - mean[2]) / 2, stderr[2] / 2, color=colour, **{**POINT, "fmt": "s"})
    panel.set(xlabel="probability of a flip $p$", ylabel=r"$m$ (full), $\epsilon$ (dashed)", xlim=(0, 0.32))
    panel.legend()


def _transient(panel: Panel, points: FunctionSpacePoints, flips: Sequence[float]) -> None:
    for colour, flip in zip(COLOURS, flips, strict=False):
        found = points.transients[flip]
        layers = np.arange(len(found.states))
        panel.plot(layers, [state.error for state in found.states], color=colour, linewidth=1, label=f"p = {flip:g}")
        panel.errorbar(layers, (1 - found.measured[:, 2]) / 2, found.stderr[:, 2] / 2, color=colour, **POINT)
    panel.set(xlabel="layer $l$", ylabel=r"$\delta_l$", ylim=(0, None))
    panel.legend()
