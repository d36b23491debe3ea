"""A run beside its theory: `compare_with_theory`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.analysis.equilibration import equilibration
from mcmc.analysis.estimate import network_average
from mcmc.analysis.measured import OverlapLaw, network_means, overlap_law
from mcmc.compare.distance import LawDistance, law_distance
from mcmc.compare.finite_size import OverlapKernel, overlap_kernel
from mcmc.compare.match import Match, matches_at, overlap_width
from mcmc.compare.prediction import Prediction, predict, theory_model
from mcmc.compare.verdict import verdict
from mcmc.io.reader import RunData
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.saddle import SaddlePoint

N_CURVE = 41


@dataclass(frozen=True)
class Comparison:
    """A run beside its theory.

    Attributes:
        matches:     rows, temperature by temperature.
        predictions: (K,) laws and thermodynamics, each under its ansatz.
        curve:       replica-symmetric saddle points on a finer grid of temperatures, for drawing.
        laws, kernels: [temperature][layer] measured P(q^l), and [temperature] the smeared prediction.
        symmetric_kernels: (K,) the smeared replica-symmetric law.
        distances:   (K,) between both for q^0, and between the measured and the replica-symmetric law.
        verdict:     in words.
    """

    data: RunData
    matches: list[Match]
    predictions: list[Prediction]
    curve: list[SaddlePoint]
    laws: list[list[OverlapLaw]]
    kernels: list[OverlapKernel]
    symmetric_kernels: list[OverlapKernel]
    distances: list[LawDistance]
    verdict: str

    @property
    def is_broken(self) -> bool:
        """Replica symmetry is broken at some temperature of the prediction."""
        return any(prediction.solution is not None for prediction in self.predictions)

    def select(self, observable: str) -> list[Match]:
        """The rows of one observable, in the order of the temperatures."""
        return [match for match in self.matches if match.observable == observable]

    def to_json(self) -> dict[str, Any]:
        """What `mlp-gibbs compare --json` prints, but for the figure."""
        return {
            "comparisons": [match.to_json() for match in self.matches],
            "predictions": [
                {**prediction.to_json(), "smearing": kernel.origin, "widths": kernel.width.tolist()}
                for prediction, kernel in zip(self.predictions, self.kernels, strict=True)
            ],
            "distances": [distance.to_json() for distance in self.distances],
            "verdict": self.verdict,
        }


def compare_with_theory(data: RunData, *, ansatz: str = "auto", n_steps: int | None = None) -> Comparison:
    """Hold a run against the replica solution at each of its temperatures.

    Args:
        ansatz:  auto, rs, 1rsb, krsb (with n_steps) or full; see `prediction.predict`.
        n_steps: k of krsb.
    Raises:
        UsageError:            of the ansatz.
        InsufficientDataError: fewer than 2 networks, or no overlaps.
        ConvergenceError, QuadratureError: of the replica-symmetric theory.
    """
    means = network_means(data)
    network_average(means.energy[:, 0])  # tells of a single network before the theory is solved
    model = theory_model(data.config.model)
    predictions = predict(model, [float(beta) for beta in data.beta], ansatz=ansatz, n_steps=n_steps)
    n_layers, n_inputs = means.overlap.shape[-1], data.config.model.n_inputs
    laws = [[overlap_law(data, k, layer) for layer in range(n_layers)] for k in range(len(predictions))]
    matches, kernels, symmetric_kernels, distances = [], [], [], []
    for k, prediction in enumerate(predictions):
        widths = np.array([overlap_width(means, k, layer).value for layer in range(n_layers)])
        kernel, symmetric = (
            overlap_kernel(model, given, n_inputs, measured_width=widths, laws=laws[k])
            for given in (prediction, Prediction(prediction.symmetric))
        )
        kernels.append(kernel)
        symmetric_kernels.append(symmetric)
        distances.append(law_distance(data, k, prediction.ansatz, kernel, symmetric))
        matches += matches_at(means, k, prediction, kernel)
    curve = solve_rs_curve(model, np.linspace(data.beta[0], data.beta[-1], N_CURVE).tolist())
    return Comparison(
        data,
        matches,
        predictions,
        curve,
        laws,
        kernels,
        symmetric_kernels,
        distances,
        verdict(matches, predictions, kernels, distances, n_inputs, equilibration(data)),
    )
