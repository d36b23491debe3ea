"""Measured against predicted: every observable at one temperature, with the difference in units of its error."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.analysis.estimate import Estimate, controlled_average, network_average
from mcmc.analysis.measured import NetworkMeans
from mcmc.compare.finite_size import OverlapKernel
from mcmc.compare.prediction import Prediction

AGREEMENT_SIGMA = 3.0


@dataclass(frozen=True)
class Match:
    """One observable at one temperature.

    Attributes:
        observable: energy_density, overlap_l, self_overlap_l, overlap_width_l, identity_a.
        measured:   disorder average with its error.
        predicted:  in the limit N_0 -> infinity; overlap_width_l of a symmetric phase scaled to this N_0, of a broken
                    one the spread of the levels, which is what the limit leaves; identity_a exactly 0.
        ansatz:     of the prediction: rs, 1rsb, 2rsb, ... or full.
    """

    beta: float
    observable: str
    measured: Estimate
    predicted: float
    ansatz: str = "rs"

    @property
    def n_sigma(self) -> float | None:
        """(measured - predicted) / stderr; None where all networks agree exactly, as r^0 = 1 does."""
        return self.measured.n_sigma(self.predicted)

    @property
    def distance(self) -> float:
        """|n_sigma|, 0 where there is none."""
        return abs(self.n_sigma or 0.0)

    @property
    def agrees(self) -> bool:
        """Within AGREEMENT_SIGMA, counting how well the error is known."""
        return self.measured.agrees(self.predicted, n_sigma=AGREEMENT_SIGMA)

    def to_json(self) -> dict[str, Any]:
        """A row of `mlp-gibbs compare --json`."""
        return {
            "beta": self.beta,
            "observable": self.observable,
            "measured": self.measured.value,
            "stderr": self.measured.stderr,
            "n_networks": self.measured.n_networks,
            "predicted": self.predicted,
            "n_sigma": self.n_sigma,
            "ansatz": self.ansatz,
        }


def matches_at(means: NetworkMeans, k: int, prediction: Prediction, kernel: OverlapKernel) -> list[Match]:
    """All rows of the temperature of index k.

    Energies and overlaps use the difference of identity A as a control variate (`estimate.controlled_average`).
    """
    control = means.identity_difference()[:, k]

    def row(observable: str, measured: Estimate, predicted: float) -> Match:
        return Match(prediction.beta, observable, measured, float(predicted), prediction.ansatz)

    def average(per_network: np.ndarray) -> Estimate:
        # at beta = 0 the control is the energy itself and would leave nothing to measure
        return controlled_average(per_network, control) if prediction.beta > 0 else network_average(per_network)

    rows = [row("energy_density", average(means.energy[:, k]), prediction.energy_density)]
    for layer, (q, r) in enumerate(zip(prediction.mean_overlap, prediction.self_overlap, strict=True)):
        rows.append(row(f"overlap_{layer}", average(means.overlap[:, k, layer]), q))
        if layer:
            rows.append(row(f"self_overlap_{layer}", average(means.self_overlap[:, k, layer]), r))
    rows.append(row("identity_a", network_average(control), 0.0))
    if prediction.solution is not None or kernel.origin == "predicted":
        widths = kernel.total_width if prediction.solution is None else prediction.level_spread
        rows += [row(f"overlap_width_{layer}", overlap_width(means, k, layer), w) for layer, w in enumerate(widths)]
    return rows


def overlap_width(means: NetworkMeans, k: int, layer: int) -> Estimate:
    """Standard deviation of q^l over replicas and networks, with its jackknife error over networks."""
    q, q2 = means.overlap[:, k, layer], means.overlap_square[:, k, layer]
    n = len(q)

    def width(q: np.ndarray, q2: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(q2 - q**2, 0))

    left_out = width((q.sum() - q) / (n - 1), (q2.sum() - q2) / (n - 1))
    stderr = np.sqrt((n - 1) * left_out.var())
    return Estimate(float(width(q.mean(), q2.mean())), float(stderr), n)
