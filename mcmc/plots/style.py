"""What all figures share: no display, one set of colours for temperatures, sizes fit for a two-column page."""

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # before pyplot: a compute node has no display

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from mcmc.errors import UsageError
from mcmc.io.atomic import make_directory, write_bytes_atomically

MEASURED: dict[str, Any] = {"fmt": "o", "markersize": 3.5, "capsize": 2, "linewidth": 1}
PREDICTED: dict[str, Any] = {"color": "black", "linewidth": 1.2}
DPI = 160

plt.rcParams.update(
    {"font.size": 9, "axes.titlesize": 9, "legend.fontsize": 7.5, "axes.grid": True, "grid.alpha": 0.25}
)


def temperature_colours(beta: np.ndarray) -> np.ndarray:
    """One colour a temperature, hot to cold: (K, 4)."""
    return plt.get_cmap("plasma_r")(np.linspace(0.12, 0.95, len(beta)))


def pick(n: int, at_most: int) -> list[int]:
    """Up to `at_most` indices spread over 0..n-1, with both ends."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, at_most))})


def check_figure_name(path: Path) -> None:
    """Raises UsageError if the ending of the name is no format of figures; to be asked before a long computation."""
    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in formats:
        raise UsageError(f"{path} must end with a format of figures: {', '.join(f'.{name}' for name in formats)}.")


def save(figure: Figure, path: Path) -> Path:
    """Write the figure, its folder too, and free its memory.

    Raises:
        UsageError: the ending of the name is no format of figures.   StorageError: it cannot be written there.
    """
    check_figure_name(path)
    image = io.BytesIO()
    try:
        figure.savefig(image, format=path.suffix.lower().removeprefix("."), dpi=DPI)
        make_directory(path.parent)
        write_bytes_atomically(path, image.getvalue())
    finally:
        plt.close(figure)
    return path
