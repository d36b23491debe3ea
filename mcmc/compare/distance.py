"""How far the measured law of an overlap is from the smeared prediction, and from the replica-symmetric one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.compare.finite_size import OverlapKernel
from mcmc.io.reader import RunData
from mcmc.io.schema import Key

N_BOOTSTRAP = 1000
BETTER_SIGMA = 2.0


@dataclass(frozen=True)
class LawDistance:
    """W_1 = int |F_measured - F_predicted| dq^l at one temperature; errors from a bootstrap over networks.

    Attributes:
        ansatz:           of the prediction.
        value, stderr:    distance to the smeared prediction.
        symmetric_value, symmetric_stderr: distance to the smeared replica-symmetric law.
        gain, gain_stderr: symmetric_value - value, from the same resampled networks.
        noise:            distance that the scatter of the networks alone makes.
    """

    beta: float
    ansatz: str
    value: float
    stderr: float
    symmetric_value: float
    symmetric_stderr: float
    gain: float
    gain_stderr: float
    noise: float

    @property
    def is_better(self) -> bool | None:
        """True: nearer than the replica-symmetric law; False: farther; None: not told apart.

        Two laws that are both smeared to the measured width differ by little, and exactly so: a gain must exceed
        BETTER_SIGMA errors and the noise as well.
        """
        if abs(self.gain) <= max(BETTER_SIGMA * self.gain_stderr, self.noise):
            return None
        return self.gain > 0

    def to_json(self) -> dict[str, Any]:
        """An element of "distances" of `mlp-gibbs compare --json`."""
        return dict(vars(self))


def law_distance(
    data: RunData,
    temperature: int,
    ansatz: str,
    predicted: OverlapKernel,
    symmetric: OverlapKernel,
    *,
    layer: int = 0,
) -> LawDistance:
    """The distances of q^l at the temperature of that index."""
    edges = data.arrays[Key.EDGES][layer]
    counts = data.arrays[Key.HISTOGRAM][:, temperature, layer].astype(np.float64)
    # below the first edge counts too; above the last one is what is missing to 1
    per_network = np.cumsum(counts[:, :-1], axis=1) / counts.sum(1, keepdims=True)
    laws = [kernel.distribution(edges, layer) for kernel in (predicted, symmetric)]
    n_networks = len(counts)
    # a fixed seed: the same run directory gives the same digits
    share = np.random.default_rng(0).multinomial(n_networks, [1 / n_networks] * n_networks, N_BOOTSTRAP) / n_networks
    measured, resampled = per_network.mean(0), share @ per_network
    value, symmetric_value = (float(wasserstein(measured, law, edges)) for law in laws)
    drawn, symmetric_drawn = (wasserstein(resampled, law, edges) for law in laws)
    return LawDistance(
        beta=float(data.beta[temperature]),
        ansatz=ansatz,
        value=value,
        stderr=float(drawn.std()),
        symmetric_value=symmetric_value,
        symmetric_stderr=float(symmetric_drawn.std()),
        gain=symmetric_value - value,
        gain_stderr=float((symmetric_drawn - drawn).std()),
        noise=float(wasserstein(resampled, measured, edges).mean()),
    )


def wasserstein(first: np.ndarray, second: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """int |F_1 - F_2| dq between distribution functions given at the edges, by trapezia: (..., B+1) -> (...)."""
    return np.trapezoid(np.abs(first - second), edges, axis=-1)
