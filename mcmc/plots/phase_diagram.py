"""The phase diagram: a cell for every point in the colour of its phase, and the transition lines on top."""

import math
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mcmc.diagram.axes import Axis
from mcmc.diagram.driver import Diagram
from mcmc.diagram.point import NOT_SOLVED, Point
from mcmc.plots.style import PREDICTED

NOT_COMPUTED = "not computed"
COLOURS = {
    "RS": "#dce8f2",
    "1RSB": "#f3b267",
    "2RSB": "#dd7f4a",
    "3RSB": "#b6512f",
    "full RSB": "#7fb39b",
    "1RSB + full": "#b98ab8",
    "2RSB + full": "#8a5a96",
}
OTHER_COLOURS = ("#d6c752", "#a3a84a", "#c99aa0")
NEUTRAL = {NOT_SOLVED: "#8f8f8f", NOT_COMPUTED: "#ffffff"}
LINES = {"at": ("-", "AT: replica symmetry unstable"), "static": ("--", "static"), "dynamic": (":", "dynamic")}
NAMES = {
    "beta": r"inverse temperature $\beta$",
    "sigma_w": r"weight scale $\sigma_w$",
    "sigma_b": r"bias scale $\sigma_b$",
    "width_ratio": r"width ratio $\alpha$",
    "depth": "hidden layers $L$",
}
LOG_SPAN = 30.0  # an axis of unequal steps over more than this factor is drawn on a logarithmic scale


@dataclass(frozen=True)
class _Scale:
    """Where the values of an axis are drawn: at themselves, on a log scale, or (with infinities) one by one."""

    axis: Axis
    positions: np.ndarray
    is_log: bool
    is_listed: bool

    @classmethod
    def of(cls, axis: Axis) -> "_Scale":
        values = np.array(axis.values)
        if not np.all(np.isfinite(values)):
            return cls(axis, np.arange(len(values), dtype=float), False, True)
        steps = np.diff(values)
        is_even = len(steps) < 2 or np.allclose(steps, steps[0])
        return cls(axis, values, bool(values[0] > 0 and values[-1] > LOG_SPAN * values[0] and not is_even), False)

    def edges(self) -> np.ndarray:
        """Borders of the cells, half way between values."""
        x = np.log(self.positions) if self.is_log else self.positions
        if len(x) == 1:
            width = 0.05 * max(abs(x[0]), 1.0)
            ends = np.array([x[0] - width, x[0] + width])
        else:
            middle = 0.5 * (x[:-1] + x[1:])
            ends = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
        return np.exp(ends) if self.is_log else ends

    def label(self, panel: Panel, which: str) -> None:
        """Name, ticks and scale of the x or y direction."""
        if self.is_log:
            panel.set(**{f"{which}scale": "log"})
        if self.is_listed or self.axis.key == "depth":
            panel.set(**{f"{which}ticks": self.positions, f"{which}ticklabels": [f"{v:g}" for v in self.axis.values]})
        panel.set(**{f"{which}label": NAMES.get(self.axis.key, self.axis.key.replace("_", " "))})


def phase_figure(diagram: Diagram) -> Figure:
    """Regions and lines: beta upwards if it is scanned, else the second axis; one axis alone shows the overlaps."""
    figure, panel = plt.subplots(figsize=(6.2, 4.4), constrained_layout=True)
    points = _table(diagram)
    axes = (*diagram.request.other_axes, *(a for a in diagram.request.axes if a.key == "beta"))
    labels = np.array([[p.label if p is not None else NOT_COMPUTED for p in row] for row in points], dtype=object)
    if len(axes) == 2:
        across, up = map(_Scale.of, axes)
        labels = labels.reshape(len(across.positions), len(up.positions))
        shown = _draw_cells(panel, across.edges(), up.edges(), labels)
        up.label(panel, "y")
        lines = _draw_lines(panel, diagram, across, up) if axes[1].key == "beta" else []
    else:
        (across,) = map(_Scale.of, axes)
        shown = _draw_cells(panel, across.edges(), np.array([0.0, 1.0]), labels.reshape(-1, 1))
        _draw_levels(panel, across.positions, [p for row in points for p in row])
        panel.set(ylabel="levels of the overlap $q_0$", ylim=(0, 1))
        lines = _draw_vertical_lines(panel, diagram)
    across.label(panel, "x")
    panel.grid(False)
    panel.set_title(_title(diagram))
    handles = [Patch(facecolor=colour, edgecolor="0.4", label=name) for name, colour in shown.items()] + lines
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
    return figure


def _table(diagram: Diagram) -> list[list[Point | None]]:
    """(n_items, n_beta) points, None where an item is missing."""
    found = {result.item.index: list(result.points) for result in diagram.results}
    nothing: list[Point | None] = [None] * len(diagram.request.betas)
    return [list(found.get(item.index, nothing)) for item in diagram.request.items()]


def _draw_cells(panel: Panel, x: np.ndarray, y: np.ndarray, labels: np.ndarray) -> dict[str, str]:
    """Colour the cells; returns the colours of the phases that occur."""
    present = set(labels.ravel())
    colours = {name: c for name, c in {**COLOURS, **NEUTRAL}.items() if name in present}
    others = sorted(present - colours.keys())
    colours = {**{name: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, name in enumerate(others)}, **colours}
    order = list(colours)
    numbers = np.vectorize(order.index, otypes=[int])(labels)
    norm = BoundaryNorm(np.arange(len(order) + 1) - 0.5, len(order))
    panel.pcolormesh(x, y, numbers.T, cmap=ListedColormap(list(colours.values())), norm=norm, rasterized=True)
    panel.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    return {name: colours[name] for name in (*COLOURS, *others, *NEUTRAL) if name in colours}


def _draw_lines(panel: Panel, diagram: Diagram, across: _Scale, up: _Scale) -> list[Line2D]:
    """beta of each kind of transition against the other axis; crosses where its solver failed."""
    position = dict(zip(across.axis.values, across.positions, strict=True))
    handles = []
    for kind, (style, name) in LINES.items():
        beta = np.full(len(across.positions), np.nan)
        for result in diagram.results:
            x = np.searchsorted(across.positions, position[result.item.coordinates[across.axis.key]])
            beta[x] = next((line.beta for line in result.lines if line.kind == kind), math.nan)
        if np.any((beta > up.edges()[0]) & (beta < up.edges()[-1])):
            # a lone value between values without a transition would not show without a marker
            panel.plot(across.positions, beta, style, marker=".", markersize=3, **PREDICTED)
            handles.append(_handle(style, name))
    return handles


def _draw_vertical_lines(panel: Panel, diagram: Diagram) -> list[Line2D]:
    handles = []
    for result in diagram.results if not diagram.request.other_axes else []:
        for line in result.lines:
            style, name = LINES[line.kind]
            if math.isfinite(line.beta) and panel.get_xlim()[0] < line.beta < panel.get_xlim()[1]:
                panel.axvline(line.beta, linestyle=style, **PREDICTED)
                handles.append(_handle(style, name))
    return handles


def _handle(style: Any, name: str) -> Line2D:
    return Line2D([], [], linestyle=style, label=name, **PREDICTED)


def _draw_levels(panel: Panel, positions: np.ndarray, points: list[Point | None]) -> None:
    """Levels of q_0, the darker the more probable."""
    for x, point in zip(positions, points, strict=True):
        if point is not None and point.overlap:
            levels = np.array(point.overlap[0])
            weights = np.diff([0.0, *point.breaking_points, 1.0])
            colours = np.column_stack([np.zeros((len(levels), 3)), 0.25 + 0.75 * weights])
            panel.scatter(np.full(len(levels), x), levels, s=10, color=colours, linewidths=0, zorder=3)


def _title(diagram: Diagram) -> str:
    model = diagram.request.model
    scanned = {axis.key for axis in diagram.request.axes}
    facts = [f"{key}={value:g}" for key, value in model.activation_params.items() if key not in scanned]
    for key, symbol in (("depth", "L"), ("width_ratio", r"\alpha"), ("sigma_w", r"\sigma_w"), ("sigma_b", r"\sigma_b")):
        value = getattr(model, key)
        if key not in scanned and not (key == "sigma_b" and value == 0):
            values = value if isinstance(value, tuple) else (value,)
            facts.append(f"${symbol}={','.join(f'{v:g}' for v in values)}$".replace("inf", r"\infty"))
    if "beta" not in scanned:
        facts.append(rf"$\beta={diagram.request.beta:g}$")
    return ", ".join([model.activation.replace("_", " "), *facts])
