"""Broken solutions that the test chooses, and runs whose overlaps follow their law, in the shape of `synthetic_run`."""

import dataclasses

import numpy as np

from mcmc.compare import comparison as comparison_module
from mcmc.compare.prediction import Prediction
from mcmc.io.reader import RunData
from mcmc.io.schema import Key
from mcmc.theory.broken import BrokenSolution
from tests.support.synthetic import BETA, synthetic_run

WIDTH = 0.04  # of the Gaussian around each level


def solution(ansatz, levels, breaking_points, **evidence):
    """A solution at beta = 1 with two layers of the same levels."""
    return BrokenSolution(
        beta=1.0,
        ansatz=ansatz,
        overlap=(levels, levels),
        self_overlap=(1.0, 1.0),
        breaking_points=breaking_points,
        free_entropy_density=0.3,
        energy_density=-(1 - float(np.diff([0.0, *breaking_points, 1.0]) @ levels)),
        entropy_density=-0.4,
        replicon=0.1,
        stable=True,
        residual=0.0,
        free_entropy_error=0.0,
        energy_error=0.0,
        evidence=evidence,
    )


ONE_STEP = solution("1rsb", (0.1, 0.7), (0.7,))
WRONG_WEIGHTS = solution("1rsb", (0.1, 0.7), (0.3,))
THREE_LEVELS = solution("2rsb", (0.0, 0.4, 0.8), (0.2, 0.5))
# P = 1 between 0.2 and 0.7, with deltas of weight 0.2 and 0.3 at the ends
FULL = solution(
    "full", (0.2, *np.linspace(0.25, 0.65, 9), 0.7), tuple(np.linspace(0.225, 0.675, 10)), x_min=0.2, x_max=0.7
)


def run_with_law(given: BrokenSolution) -> RunData:
    """A synthetic run whose overlaps at the last temperature follow the smeared law of the solution."""
    data = synthetic_run(n_draws=100, n_networks=16)
    arrays = {key: np.copy(value) for key, value in data.arrays.items()}
    shape = arrays[Key.OVERLAP][:, :, -1].shape
    rng = np.random.default_rng(5)
    level = rng.choice(len(given.weights), size=shape, p=given.weights)
    q = np.array(given.overlap[0])[level] + WIDTH * rng.normal(size=shape)
    arrays[Key.OVERLAP][:, :, -1] = q
    arrays[Key.MOMENT_SUM][:, -1] = np.stack([(q**m).sum((0, 2)) for m in (1, 2, 3, 4)], axis=-1)
    for d, layer in np.ndindex(shape[1], shape[-1]):
        edges = arrays[Key.EDGES][layer]
        arrays[Key.HISTOGRAM][d, -1, layer, 1:-1], _ = np.histogram(q[:, d, :, layer], bins=edges)
    return dataclasses.replace(data, arrays=arrays)


def with_prediction(monkeypatch, given: BrokenSolution) -> None:
    """Let the theory answer with this solution at the last temperature, and replica symmetry at the others."""
    true = comparison_module.predict

    def predict(model, betas, **options):
        found = true(model, betas, ansatz="rs")
        return [*found[:-1], Prediction(found[-1].symmetric, given)]

    assert given.beta == BETA[-1]
    monkeypatch.setattr(comparison_module, "predict", predict)
