"""P(q^l) of a run beside the smeared prediction, layer by layer, and the variance over networks beside its own."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.analysis.bootstrap import NetworkBootstrap, Resampled
from mcmc.analysis.samples import SelfAveraging, self_averaging
from mcmc.compare.comparison import Comparison, compare_with_theory
from mcmc.compare.distance import LawDistance, law_distance
from mcmc.compare.finite_size import OverlapKernel
from mcmc.compare.prediction import Prediction, theory_model
from mcmc.errors import ConvergenceError, QuadratureError
from mcmc.io.reader import RunData
from mcmc.io.schema import Key
from mcmc.theory.fluctuations import OverlapFluctuations, overlap_fluctuations
from mcmc.theory.model import TheoryModel

GHIRLANDA_GUERRA = 1 / 3  # Var_J <q> over Var q where replica symmetry is broken


@dataclass(frozen=True)
class OverlapReport:
    """Everything about P(q) of one run; the axes are (temperature, layer).

    Attributes:
        distances: [temperature][layer] W_1 to the smeared prediction and to the smeared replica-symmetric law.
        moments:   <q^m>, m = 1 to 4, of shape (K, L+1, 4).
        predicted_moments: (K, L+1, 4) of the smeared prediction.
        averaging: variance over networks.
        fluctuations: (K,) theory of the variances, None where symmetry is broken or theory gives none.
    """

    comparison: Comparison
    bootstrap: NetworkBootstrap
    distances: list[list[LawDistance]]
    moments: Resampled
    predicted_moments: np.ndarray
    averaging: SelfAveraging
    fluctuations: list[OverlapFluctuations | None]

    @property
    def z_scores(self) -> np.ndarray:
        """(K, L+1, 4) difference of the moments in errors; NaN where there is no scatter."""
        error = self.moments.stderr
        difference = self.moments.value - self.predicted_moments
        return np.divide(difference, error, out=np.full_like(error, np.nan), where=error > 0)

    def predicted_share(self, k: int, layer: int) -> float | None:
        """Of the variance of q^l that lies between networks: by theory around a symmetric saddle, 1/3 if broken."""
        if self.comparison.predictions[k].solution is not None:
            return GHIRLANDA_GUERRA
        found = self.fluctuations[k]
        return None if found is None else found.disorder[layer] / found.total[layer]

    def to_json(self) -> dict[str, Any]:
        """A run of `mlp-gibbs overlap --json`."""
        model, averaging = self.comparison.data.config.model, self.averaging
        rows = []
        for k, prediction in enumerate(self.comparison.predictions):
            for layer in range(model.depth + 1):
                distance, fluctuations = self.distances[k][layer], self.fluctuations[k]
                rows.append(
                    {
                        "beta": prediction.beta,
                        "layer": layer,
                        "ansatz": prediction.ansatz,
                        "smearing": self.comparison.kernels[k].origin,
                        "distance": distance.value,
                        "distance_stderr": distance.stderr,
                        "distance_noise": distance.noise,
                        "symmetric_distance": distance.symmetric_value,
                        "moments": self.moments.value[k, layer].tolist(),
                        "moment_stderrs": self.moments.stderr[k, layer].tolist(),
                        "predicted_moments": self.predicted_moments[k, layer].tolist(),
                        "moment_z_scores": self.z_scores[k, layer].tolist(),
                        "disorder_variance": float(averaging.disorder.value[k, layer]),
                        "disorder_variance_stderr": float(averaging.disorder.stderr[k, layer]),
                        "predicted_disorder_variance": None
                        if fluctuations is None
                        else fluctuations.disorder[layer] / model.n_inputs,
                        "disorder_share": float(averaging.share.value[k, layer]),
                        "disorder_share_stderr": float(averaging.share.stderr[k, layer]),
                        "predicted_disorder_share": self.predicted_share(k, layer),
                    }
                )
        return {"n_inputs": model.n_inputs, "n_networks": self.bootstrap.n_networks, "laws": rows}


def overlap_report(data: RunData, *, ansatz: str = "auto", n_steps: int | None = None) -> OverlapReport:
    """The report of a run; the ansatz as in `compare_with_theory`, whose errors it has too.

    Raises:
        InsufficientDataError: fewer than 4 networks, or no overlaps; before the theory is solved.
    """
    bootstrap = NetworkBootstrap(data.n_networks)
    averaging = self_averaging(data, bootstrap)
    comparison = compare_with_theory(data, ansatz=ansatz, n_steps=n_steps)
    model, n_layers = theory_model(data.config.model), data.config.model.depth + 1
    distances = [
        [law_distance(data, k, prediction.ansatz, *kernels, layer=layer) for layer in range(n_layers)]
        for k, (prediction, *kernels) in enumerate(
            zip(comparison.predictions, comparison.kernels, comparison.symmetric_kernels, strict=True)
        )
    ]
    return OverlapReport(
        comparison,
        bootstrap,
        distances,
        bootstrap.mean(data.arrays[Key.MOMENT_SUM] / data.n_overlaps),
        np.stack([kernel_moments(kernel) for kernel in comparison.kernels]),
        averaging,
        [_fluctuations(model, prediction) for prediction in comparison.predictions],
    )


def kernel_moments(kernel: OverlapKernel) -> np.ndarray:
    """(L+1, 4) E q, ..., E q^4 of a mixture of Gaussians."""
    c, s = kernel.centre, kernel.width**2
    powers = np.stack([c, c**2 + s, c**3 + 3 * c * s, c**4 + 6 * c**2 * s + 3 * s**2], axis=-1)
    return np.einsum("lim,i->lm", powers, kernel.weight)


def _fluctuations(model: TheoryModel, prediction: Prediction) -> OverlapFluctuations | None:
    if prediction.solution is not None or min(prediction.symmetric.pivots) <= 0:
        return None
    try:
        return overlap_fluctuations(model, prediction.symmetric)
    except (ConvergenceError, QuadratureError):
        return None
