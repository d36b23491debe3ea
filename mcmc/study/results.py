"""What a study says: every cell as measured, every limit N_0 -> infinity beside its prediction."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcmc.analysis.bootstrap import SEED, NetworkBootstrap, Resampled
from mcmc.analysis.equilibration import Equilibration, equilibration
from mcmc.analysis.measured import OverlapLaw, overlap_law
from mcmc.analysis.observables import observables
from mcmc.analysis.samples import self_averaging
from mcmc.compare.comparison import N_CURVE
from mcmc.compare.free_energy import measured_thermodynamics
from mcmc.compare.prediction import Prediction, predict, theory_model
from mcmc.errors import ConvergenceError, DisagreementError, InsufficientDataError, UsageError
from mcmc.io.reader import RunData
from mcmc.names import nearest
from mcmc.study.collapse import Collapse, SizeCurve, collapse
from mcmc.study.config import Study
from mcmc.study.directory import StudyDirectory
from mcmc.study.extrapolate import EXPONENTS, WIDTH_EXPONENTS, Extrapolation, extrapolate
from mcmc.study.items import Cell
from mcmc.study.measured import MeasuredCell, check_complete, combinations, read_cell
from mcmc.study.predicted import predicted_value
from mcmc.study.settings import Settings
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.saddle import SaddlePoint


@dataclass(frozen=True)
class CellResult:
    """One model at one size.

    Attributes:
        cell:        what was asked for.
        networks:    (D,) numbers of the quenched draws.
        n_draws:     measurements of each.
        items, n_missing, facts: as of `MeasuredCell`.
        beta:        (K,)
        observables: {name: (K,)}, with the same resamples of the networks; no observable of another cell shares them.
        laws:        [temperature][layer] measured P(q^l).
        equilibrium: verdict over all of its networks.
        notes:       what could not be measured, and why.
    """

    cell: Cell
    networks: np.ndarray
    n_draws: int
    items: list[str]
    n_missing: int
    facts: dict[str, Any]
    beta: np.ndarray
    observables: dict[str, Resampled]
    laws: list[list[OverlapLaw]]
    equilibrium: Equilibration
    notes: list[str]

    @property
    def n_inputs(self) -> int:
        """N_0."""
        return self.cell.n_inputs


@dataclass(frozen=True)
class Limit:
    """One observable at one temperature for N_0 -> infinity.

    Attributes:
        predicted: by the theory under `ansatz`; None where it says nothing.
    """

    beta: float
    observable: str
    extrapolation: Extrapolation
    predicted: float | None
    ansatz: str

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
            found.append(combine(results, ansatz=ansatz))
    if not found:
        raise InsufficientDataError(f"{directory.path} has no finished item yet. See `mlp-gibbs study status`.")
    return StudyResults(study, [item.name for item in missing], found)


def cell_result(measured: MeasuredCell, *, free_energy: bool = True) -> CellResult:
    """Averages over the networks of a cell.

    Raises:
        InsufficientDataError: fewer than four networks, or no overlaps.
    """
    data = measured.data
    # a seed for each size: resamples of one size must not be tied to those of another
    bootstrap = NetworkBootstrap(data.energy.shape[1], seed=SEED + measured.cell.n_inputs)
    averages = {observable.name: observable.resampled for observable in observables(data, bootstrap)}
    averages |= _disorder(data, bootstrap)
    notes = []
    if free_energy:
        try:
            _, thermodynamic, _ = measured_thermodynamics(data, bootstrap)
            averages |= {name: thermodynamic[name] for name in ("free_entropy_density", "entropy_density")}
        except (InsufficientDataError, DisagreementError, UsageError, ConvergenceError) as error:
            notes.append(f"no free entropy: {error}")
    layers = range(data.config.model.depth + 1)
    return CellResult(
        cell=measured.cell,
        networks=measured.networks,
        n_draws=len(data.energy),
        items=measured.items,
        n_missing=measured.n_missing,
        facts=data.facts,
        beta=data.beta,
        observables=averages,
        laws=[[overlap_law(data, k, layer) for layer in layers] for k in range(len(data.beta))],
        equilibrium=_equilibrium(data, measured.networks),
        notes=notes,
    )


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
            limits.append(Limit(prediction.beta, name, found, predicted_value(prediction, name), prediction.ansatz))
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
        k = int(np.argmin(np.abs(cell.beta - beta)))
        resampled = cell.observables[name]
        values.append(resampled.value[k])
        resamples.append(resampled.value[k] + resampled.deviations[:, k])
    return extrapolate(
        np.array([cell.n_inputs for cell in cells]),
        np.array(values),
        np.stack(resamples, axis=1),
        exponents=WIDTH_EXPONENTS if name.startswith("overlap_width") else EXPONENTS,
    )


def _shared_names(cells: list[CellResult]) -> list[str]:
    return [name for name in cells[0].observables if all(name in cell.observables for cell in cells)]


def _listed(places: list[str], at_most: int = 4) -> str:
    return ", ".join(places[:at_most]) + (f" and {len(places) - at_most} more" if len(places) > at_most else "")


def _disorder(data: RunData, bootstrap: NetworkBootstrap) -> dict[str, Resampled]:
    """Variance over networks of each layer's overlap, and its share of the whole variance: does q average itself?"""
    found = self_averaging(data, bootstrap)
    return {
        f"{name}_{layer}": Resampled(part.value[:, layer], part.resamples[:, :, layer], part.n_networks)
        for name, part in (("overlap_disorder", found.disorder), ("overlap_disorder_share", found.share))
        for layer in range(part.value.shape[-1])
    }


def _equilibrium(data: RunData, networks: np.ndarray) -> Equilibration:
    return replace(equilibration(data), networks=networks)


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
