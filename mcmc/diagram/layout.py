"""How points and lines lie in arrays: one layout for the file of an item and for the file of a whole diagram.

Axes: item, beta, then layer, level, ... . Shorter rows (fewer layers or levels) are filled up with NaN.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from mcmc.diagram.lines import KINDS, Line
from mcmc.diagram.point import NOT_SOLVED, Point
from mcmc.diagram.request import Item
from mcmc.diagram.solve import ItemResult

NUMBERS = ("free_entropy_density", "free_entropy_error", "energy_density", "energy_error", "replicon", "seconds")
LINE_NUMBERS = ("beta", "beta_error", "searched_to")
TEXTS = ("label", "error", "evidence")
N_AXES = {"pivots": 3, "breaking_points": 3, "overlap": 4}  # of points; two for all else
Arrays = dict[str, np.ndarray]


def pack(results: Sequence[ItemResult]) -> Arrays:
    """Arrays of some items that have the same temperatures."""
    points = [point for result in results for point in result.points]
    shape = (len(results), len(results[0].points))
    arrays: Arrays = {"beta": np.array(results[0].item.betas)}
    for key in results[0].item.coordinates:
        arrays[f"items/{key}"] = np.array([result.item.coordinates[key] for result in results])
    arrays["items/digest"] = _text([result.item.digest() for result in results], shape[:1])
    for name in ("label", "error"):
        arrays[f"points/{name}"] = _text([getattr(point, name) for point in points], shape)
    arrays["points/evidence"] = _text([json.dumps(point.evidence, sort_keys=True) for point in points], shape)
    for name in NUMBERS:
        arrays[f"points/{name}"] = np.array([getattr(point, name) for point in points]).reshape(shape)
    for name in ("pivots", "breaking_points"):
        rows = _padded([getattr(point, name) for point in points])
        arrays[f"points/{name}"] = rows.reshape(*shape, -1)
    n_layers = max(len(point.overlap) for point in points)
    levels = [layer for point in points for layer in (*point.overlap, *((),) * (n_layers - len(point.overlap)))]
    arrays["points/overlap"] = _padded(levels).reshape(*shape, n_layers, -1) if n_layers else np.zeros((*shape, 0, 0))
    for kind in {line.kind for line in results[0].lines}:
        lines = [line for result in results for line in result.lines if line.kind == kind]
        for name in LINE_NUMBERS:
            arrays[f"lines/{kind}/{name}"] = np.array([getattr(line, name) for line in lines])
        arrays[f"lines/{kind}/note"] = _text([line.note for line in lines], shape[:1])
    return arrays


def unpack(arrays: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[ItemResult]:
    """The inverse of `pack`.

    Raises:
        ValueError: the arrays are of other items, or of other kinds or shapes than `pack` makes.
        KeyError:   one is missing.
    """
    _check(arrays, len(items), len(items[0].betas))
    wanted = [item.digest() for item in items]
    if [d.decode() for d in arrays["items/digest"]] != wanted:
        raise ValueError("it holds other models or temperatures")
    results = []
    for i, item in enumerate(items):
        points = tuple(_point(arrays, i, j, beta) for j, beta in enumerate(item.betas))
        lines = tuple(
            Line(
                kind,
                **{name: float(arrays[f"lines/{kind}/{name}"][i]) for name in LINE_NUMBERS},
                note=arrays[f"lines/{kind}/note"][i].decode(),
            )
            for kind in KINDS
            if f"lines/{kind}/beta" in arrays
        )
        results.append(ItemResult(item, points, lines))
    return results


def _check(arrays: Mapping[str, np.ndarray], n_items: int, n_betas: int) -> None:
    kinds = [kind for kind in KINDS if f"lines/{kind}/beta" in arrays]
    wanted = {"items/digest": ("S", 1)}
    wanted |= {f"points/{name}": ("S", 2) for name in TEXTS}
    wanted |= {f"points/{name}": ("biuf", N_AXES.get(name, 2)) for name in (*NUMBERS, *N_AXES)}
    wanted |= {f"lines/{kind}/{name}": ("biuf", 1) for kind in kinds for name in LINE_NUMBERS}
    wanted |= {f"lines/{kind}/note": ("S", 1) for kind in kinds}
    for name, (dtypes, n_axes) in wanted.items():
        array, shape = arrays[name], (n_items, n_betas)[:n_axes]
        if array.dtype.kind not in dtypes or array.ndim != n_axes or array.shape[: len(shape)] != shape:
            raise ValueError(f"{name} holds {array.dtype} {array.shape}, expected {n_axes} axes that begin {shape}")


def _point(arrays: Mapping[str, np.ndarray], i: int, j: int, beta: float) -> Point:
    label, error = (arrays[f"points/{name}"][i, j].decode() for name in ("label", "error"))
    if (label == NOT_SOLVED) != bool(error):
        raise ValueError(f"point {i}, {j} is labelled {label!r} with the error {error[:50]!r}")
    overlap = tuple(_trimmed(row) for row in arrays["points/overlap"][i, j])
    return Point(
        beta=beta,
        label=label,
        error=error,
        pivots=_trimmed(arrays["points/pivots"][i, j]),
        overlap=tuple(row for row in overlap if row),
        breaking_points=_trimmed(arrays["points/breaking_points"][i, j]),
        evidence=json.loads(arrays["points/evidence"][i, j]),
        **{name: float(arrays[f"points/{name}"][i, j]) for name in NUMBERS},
    )


def _text(texts: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """Fixed-length bytes: their checksum is that of what they say."""
    encoded: np.ndarray = np.array([text.encode("ascii", "backslashreplace") for text in texts])
    return encoded.reshape(shape)


def _padded(rows: Sequence[Sequence[float]]) -> np.ndarray:
    padded = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for filled, row in zip(padded, rows, strict=True):
        filled[: len(row)] = row
    return padded


def _trimmed(row: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in row[~np.isnan(row)])
