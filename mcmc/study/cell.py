"""What one size of a study says, and what its networks have in common with those of the other sizes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcmc.analysis.bootstrap import SEED, NetworkBootstrap, Resampled
from mcmc.analysis.equilibration import Equilibration, equilibration
from mcmc.analysis.measured import NetworkMeans, OverlapLaw, network_means, overlap_law
from mcmc.analysis.observables import observables
from mcmc.analysis.samples import self_averaging
from mcmc.compare.free_energy import measured_thermodynamics
from mcmc.errors import ConvergenceError, DisagreementError, InsufficientDataError, UsageError
from mcmc.io.reader import RunData
from mcmc.study.controls import controlled_by_other_sizes, weight_controls
from mcmc.study.items import Cell
from mcmc.study.measured import MeasuredCell


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
        per_network: {name: (D, K)} of the observables that are plain averages over networks.
        controls:    (D, K, C) functions of each network with mean zero.
        gain:        {name: (K,)} variance of the plain average over that with controls: how many times more networks
                     the plain one would need.
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
    per_network: dict[str, np.ndarray]
    controls: np.ndarray
    gain: dict[str, np.ndarray]
    laws: list[list[OverlapLaw]]
    equilibrium: Equilibration
    notes: list[str]

    @property
    def n_inputs(self) -> int:
        """N_0."""
        return self.cell.n_inputs

    def place_of(self, beta: float) -> int:
        """Number of the temperature nearest to beta."""
        return int(np.argmin(np.abs(self.beta - beta)))


def cell_result(measured: MeasuredCell, *, free_energy: bool = True) -> CellResult:
    """Averages over the networks of a cell, with identity A as the only control.

    Raises:
        InsufficientDataError: fewer than four networks, or no overlaps.
    """
    data, model = measured.data, measured.data.config.model
    bootstrap = _bootstrap(measured.cell, len(measured.networks))
    found = observables(data, bootstrap)
    averages = {observable.name: observable.resampled for observable in found}
    gain = {observable.name: observable.gain for observable in found}
    averages |= _disorder(data, bootstrap)
    means = network_means(data)
    per_network = {"energy_density": means.energy}
    per_network |= {f"overlap_{layer}": means.overlap[..., layer] for layer in range(model.depth + 1)}
    notes = []
    if free_energy:
        try:
            free, thermodynamic, gains = measured_thermodynamics(data, bootstrap)
        except (InsufficientDataError, DisagreementError, UsageError, ConvergenceError) as error:
            notes.append(f"no free entropy: {error}")
        else:
            phi = free.free_entropy_density
            per_network |= {"free_entropy_density": phi, "entropy_density": phi + data.beta * means.energy}
            averages |= {name: thermodynamic[name] for name in ("free_entropy_density", "entropy_density")}
            gain |= {name: gains[name] for name in ("free_entropy_density", "entropy_density")}
    return CellResult(
        cell=measured.cell,
        networks=measured.networks,
        n_draws=data.n_draws,
        items=measured.items,
        n_missing=measured.n_missing,
        facts=data.facts,
        beta=data.beta,
        observables=averages,
        per_network=per_network,
        controls=_controls(measured, means),
        gain={name: gain[name] for name in per_network},
        laws=[[overlap_law(data, k, layer) for layer in range(model.depth + 1)] for k in range(len(data.beta))],
        equilibrium=replace(equilibration(data), networks=measured.networks),
        notes=notes,
    )


def controlled_cells(cells: list[CellResult]) -> list[CellResult]:
    """The sizes of one model, the plain averages among their observables with all controls (see `controls`).

    A single size, and sizes at different temperatures, stay as they are.
    """
    beta = cells[0].beta
    if len(cells) < 2 or not all(cell.beta.shape == beta.shape and np.allclose(cell.beta, beta) for cell in cells):
        return cells
    sizes, controls = [cell.n_inputs for cell in cells], [cell.controls for cell in cells]
    observables = [dict(cell.observables) for cell in cells]
    gain: list[dict[str, np.ndarray]] = [{} for _ in cells]
    for name in cells[0].per_network.keys() & set.intersection(*(set(cell.per_network) for cell in cells)):
        reduced = controlled_by_other_sizes([cell.per_network[name] for cell in cells], controls, sizes)
        for place, (cell, values) in enumerate(zip(cells, reduced, strict=True)):
            found = _bootstrap(cell.cell, len(values)).mean(values)
            observables[place][name] = found
            plain, left = cell.per_network[name].var(0), values.var(0)
            gain[place][name] = np.divide(plain, left, out=np.ones_like(plain), where=left > 0)
    return [
        replace(cell, observables=averages, gain={**cell.gain, **gains})
        for cell, averages, gains in zip(cells, observables, gain, strict=True)
    ]


def _controls(measured: MeasuredCell, means: NetworkMeans) -> np.ndarray:
    """(D, K, 1+C): the difference of identity A, which at beta = 0 is the energy itself and no use; of the weights."""
    config = measured.data.config
    of_weights = weight_controls(config.model, config.run.seed, measured.networks)
    identity = np.where(means.beta > 0, means.identity_difference(), 0.0)
    repeated = np.repeat(of_weights[:, None], len(means.beta), axis=1)
    return np.concatenate([identity[..., None], repeated], axis=2)


def _bootstrap(cell: Cell, n_networks: int) -> NetworkBootstrap:
    """A seed for each size: resamples of one size must not be tied to those of another."""
    return NetworkBootstrap(n_networks, seed=SEED + cell.n_inputs)


def _disorder(data: RunData, bootstrap: NetworkBootstrap) -> dict[str, Resampled]:
    """Variance over networks of each layer's overlap, and its share of the whole variance: does q average itself?"""
    found = self_averaging(data, bootstrap)
    return {
        f"{name}_{layer}": Resampled(part.value[:, layer], part.resamples[:, :, layer], part.n_networks)
        for name, part in (("overlap_disorder", found.disorder), ("overlap_disorder_share", found.share))
        for layer in range(part.value.shape[-1])
    }
