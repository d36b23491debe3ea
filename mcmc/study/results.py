"""What a study says: every cell as measured, every limit N_0 -> infinity beside its prediction."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcmc.compare.comparison import N_CURVE
from mcmc.compare.prediction import Prediction, predict, theory_model
from mcmc.errors import InsufficientDataError, UsageError
from mcmc.names import nearest
from mcmc.study.cell import CellResult, cell_result, controlled_cells
from mcmc.study.collapse import Collapse, SizeCurve, collapse
from mcmc.study.config import Study
from mcmc.study.directory import StudyDirectory
from mcmc.study.extrapolate import EXPONENTS, WIDTH_EXPONENTS, Extrapolation, extrapolate
from mcmc.study.measured import check_complete, combinations, read_cell
from mcmc.study.predicted import predicted_value
from mcmc.study.settings import Settings, label
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.saddle import SaddlePoint


@dataclass(frozen=True)
class Limit:
    """One observable at one temperature for N_0 -> infinity.

    Attributes:
        predicted: by the theory under `ansatz`; None where it says nothing.
        gain: the least over sizes of what controls are worth (`CellResult.gain`); None where there are none.
    """

    beta: float
    observable: str
    extrapolation: Extrapolation
    predicted: float | None
    ansatz: str
    gain: float | None

    def to_json(self) -> dict[str, Any]:
        """An element of "extrapolations", but for the settings."""
        found = self.extrapolation
        return {
            "beta": self.beta,
            "observable": self.observable,
            **found.to_json(),
            "predicted": self.predicted,
            "n_sigma": None if self.predicted is None else found.n_sigma(self.predicted),
            "ansatz": self.ansatz,
            "gain": self.gain,
        }


@dataclass(frozen=True)
class CombinationResult:
    """One model at all of its sizes.

    Attributes:
        settings:    that distinguish it.
        cells:       smallest size first.
        predictions: (K,) in the limit.
        curve:       replica-symmetric saddle points on a finer grid of temperatures, for drawing.
        limits:      observable by observable, hot to cold.
        refused:     observables and temperatures that have no limit, with the reason.
        scaling:     finite-size scaling of an observable at a transition, where it was asked for.
    """

    settings: Settings
    cells: list[CellResult]
    predictions: list[Prediction]
    curve: list[SaddlePoint]
    limits: list[Limit]
    refused: list[str]
    scaling: "Scaling | None" = None

    @property
    def is_broken(self) -> bool:
        """Replica symmetry is broken at some temperature of the prediction."""
        return any(prediction.solution is not None for prediction in self.predictions)

    def select(self, observable: str) -> list[Limit]:
        """The limits of one observable, in the order of the temperatures."""
        return [limit for limit in self.limits if limit.observable == observable]


@dataclass(frozen=True)
class Scaling:
    """A collapse of the sizes.

    Attributes:
        observable: that is scaled.
        curves:     of every size, as measured.
        collapse:   the best choice.
    """

    observable: str
    curves: list[SizeCurve]
    collapse: Collapse


@dataclass(frozen=True)
class StudyResults:
    """A study as it is on disk."""

    study: Study
    missing: list[str]
    combinations: list[CombinationResult]

    @property
    def cells(self) -> list[CellResult]:
        """Of all combinations."""
        return [cell for combination in self.combinations for cell in combination.cells]

    @property
    def equilibrated(self) -> str:
        """yes if every cell is; no if one is not; else unknown."""
        verdicts = {cell.equilibrium.verdict for cell in self.cells}
        return "no" if "no" in verdicts else "unknown" if "unknown" in verdicts else "yes"

    def resamples(self) -> dict[str, np.ndarray]:
        """Of the limits: SETTINGS/OBSERVABLE (B, K), rows belonging together within SETTINGS, with its /beta (K,)."""
        found = {}
        for combination in self.combinations:
            name = label(combination.settings) or "base"
            for observable in dict.fromkeys(limit.observable for limit in combination.limits):
                limits = combination.select(observable)
                rows = np.stack([limit.extrapolation.resamples for limit in limits], axis=1)
                found[f"{name}/{observable}"] = rows
                found[f"{name}/{observable}/beta"] = np.array([limit.beta for limit in limits])
        return found

    def to_json(self) -> dict[str, Any]:
        """What `mlp-gibbs study report --json` prints, but for the path of the page."""
        return {
            "study": self.study.name,
            "missing": self.missing,
            "extrapolations": [
                {**limit.to_json(), "settings": combination.settings}
                for combination in self.combinations
                for limit in combination.limits
            ],
            "refused": [
                {"settings": combination.settings, "reason": reason}
                for combination in self.combinations
                for reason in combination.refused
            ],
            "collapses": [
                {"settings": found.settings, "observable": found.scaling.observable, **found.scaling.collapse.to_json()}
                for found in self.combinations
                if found.scaling is not None
            ],
            "equilibrated": {"verdict": self.equilibrated, "cells": [_verdict(cell) for cell in self.cells]},
        }


def study_results(
    directory: StudyDirectory, *, ansatz: str = "auto", is_partial: bool = False, free_energy: bool = True
) -> StudyResults:
    """Read every finished item and extrapolate.

    Args:
        ansatz:      of the predictions, see `compare.prediction.predict`.
        is_partial:  go on without the items that are missing.
        free_energy: measure free entropies and entropies too, which takes the longest.
    Raises:
        InsufficientDataError: items are missing, or none is finished.
        RunDirectoryError, SegmentError: of the directories.   ConvergenceError, QuadratureError: of the theory.
    """
    study, missing = directory.study(), directory.missing()
    if not is_partial:
        check_complete(directory)
    found = []
    for cells in combinations(study):
        measured = (read_cell(directory, cell) for cell in cells)
        results = [cell_result(one, free_energy=free_energy) for one in measured if one is not None]
        if results:
            found.append(combine(controlled_cells(results), ansatz=ansatz))
    if not found:
        raise InsufficientDataError(f"{directory.path} has no finished item yet. See `mlp-gibbs study status`.")
    return StudyResults(study, [item.name for item in missing], found)


def combine(cells: list[CellResult], *, ansatz: str = "auto") -> CombinationResult:
    """The limits of one model from its sizes, smallest first, at the temperatures that all of them have."""
    beta = [float(b) for b in cells[0].beta if all(np.isclose(b, cell.beta).any() for cell in cells)]
    model = theory_model(cells[-1].cell.config.model, is_limit=True)
    predictions = predict(model, beta, ansatz=ansatz)
    curve = solve_rs_curve(model, np.linspace(beta[0], beta[-1], N_CURVE).tolist())
    limits: list[Limit] = []
    refused: dict[str, list[str]] = {}
    for name in _shared_names(cells):
        for prediction in predictions:
            try:
                found = _extrapolated(cells, name, prediction.beta)
            except InsufficientDataError as error:
                refused.setdefault(str(error), []).append(f"{name} at beta = {prediction.beta:.3g}")
                continue
            predicted, gain = predicted_value(prediction, name), _least_gain(cells, name, prediction.beta)
            limits.append(Limit(prediction.beta, name, found, predicted, prediction.ansatz, gain))
    reasons = [f"{_listed(places)}: {reason}" for reason, places in refused.items()]
    return CombinationResult(cells[0].cell.settings, cells, predictions, curve, limits, reasons)


def scale(found: CombinationResult, observable: str, beta_c: float) -> CombinationResult:
    """The same with the collapse of an observable about a transition near beta_c; a Binder ratio needs no b.

    Raises:
        UsageError: no such observable.   InsufficientDataError, ConvergenceError: no collapse.
    """
    known = _shared_names(found.cells)
    if observable not in known:
        raise UsageError(f"no observable '{observable}' to scale.{nearest(observable, known)}")
    curves = []
    for cell in found.cells:
        resampled = cell.observables[observable]
        rows = resampled.value + resampled.deviations
        curves.append(SizeCurve(cell.n_inputs, cell.beta, resampled.value, rows))
    best = collapse(curves, beta_c=beta_c, fix_b=observable.startswith("binder"))
    return replace(found, scaling=Scaling(observable, curves, best))


def _extrapolated(cells: list[CellResult], name: str, beta: float) -> Extrapolation:
    values, resamples = [], []
    for cell in cells:
        k = cell.place_of(beta)
        resampled = cell.observables[name]
        values.append(resampled.value[k])
        resamples.append(resampled.value[k] + resampled.deviations[:, k])
    return extrapolate(
        np.array([cell.n_inputs for cell in cells]),
        np.array(values),
        np.stack(resamples, axis=1),
        exponents=WIDTH_EXPONENTS if name.startswith("overlap_width") else EXPONENTS,
    )


def _least_gain(cells: list[CellResult], name: str, beta: float) -> float | None:
    gains = [float(cell.gain[name][cell.place_of(beta)]) for cell in cells if name in cell.gain]
    return min(gains, default=None)


def _shared_names(cells: list[CellResult]) -> list[str]:
    return [name for name in cells[0].observables if all(name in cell.observables for cell in cells)]


def _listed(places: list[str], at_most: int = 4) -> str:
    return ", ".join(places[:at_most]) + (f" and {len(places) - at_most} more" if len(places) > at_most else "")


def _verdict(cell: CellResult) -> dict[str, Any]:
    found = cell.equilibrium
    return {
        "cell": cell.cell.name,
        "settings": cell.cell.settings,
        "n_inputs": cell.n_inputs,
        "items": cell.items,
        "n_missing": cell.n_missing,
        "verdict": found.verdict,
        "reasons": found.reasons,
        "hard_networks": found.hard_networks(),
    }
