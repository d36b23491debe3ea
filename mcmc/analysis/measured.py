"""What a run measured, per network and temperature, and as disorder averages."""

from dataclasses import dataclass

import numpy as np

from mcmc.analysis.estimate import Estimate, network_average
from mcmc.io.reader import RunData
from mcmc.io.schema import Key


@dataclass(frozen=True)
class NetworkMeans:
    """Averages over draws and replicas (or pairs) within each network.

    Attributes:
        beta:         (K,)
        energy:       (D, K) of H/N_0.
        overlap:      (D, K, L+1) of q^l.
        overlap_square: (D, K, L+1) of (q^l)^2, from the exact moment sums.
        self_overlap: (D, K, L+1) of r^l.
    """

    beta: np.ndarray
    energy: np.ndarray
    overlap: np.ndarray
    overlap_square: np.ndarray
    self_overlap: np.ndarray

    def identity_difference(self) -> np.ndarray:
        """(D, K): e + beta (r^L - q^L), whose mean over networks is zero in equilibrium (identity A)."""
        return self.energy + self.beta * (self.self_overlap[..., -1] - self.overlap[..., -1])


def network_means(data: RunData) -> NetworkMeans:
    """Within-network means of a run with overlaps."""
    n_overlaps = data.n_overlaps  # first: a run without overlaps is refused in words
    moments = data.arrays[Key.MOMENT_SUM] / n_overlaps
    return NetworkMeans(data.beta, data.mean(Key.ENERGY), moments[..., 0], moments[..., 1], data.mean(Key.SELF_OVERLAP))


def identity_a(means: NetworkMeans) -> list[Estimate]:
    """The difference of both sides of identity A at each temperature, with its error; zero if in equilibrium."""
    return [network_average(column) for column in means.identity_difference().T]


def weight_identities(data: RunData) -> np.ndarray | None:
    """(D, K, L) differences whose means over networks are zero in equilibrium, by parts over the weights of each layer.

        (|z^l|^2/N_l - sigma_w^2 r^{l-1}) + beta (sigma_w^2/N_l) (r^{l-1} z^l.d^l - q^{l-1} z^l.d'^l)

    None where the run did not record them.
    """
    if Key.WEIGHT_EXCESS_SUM not in data.arrays:
        return None
    excess, response = data.arrays[Key.WEIGHT_EXCESS_SUM], data.arrays[Key.WEIGHT_RESPONSE_SUM]
    return (excess + data.beta[:, None] * response) / data.n_draws


@dataclass(frozen=True)
class OverlapLaw:
    """P(q^l) at one temperature: the average over networks of each network's histogram.

    Attributes:
        edges:   (B+1,)
        density: (B,) so that density times bin width sums to 1 minus what fell outside.
        stderr:  (B,) over networks.
        outside: fraction of samples outside the edges.
    """

    edges: np.ndarray
    density: np.ndarray
    stderr: np.ndarray
    outside: float

    @property
    def centres(self) -> np.ndarray:
        """(B,) middle of each bin."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def coarsened(self, *, at_most: int = 60) -> "OverlapLaw":
        """The same law with neighbouring bins joined until at most that many hold 99.9 % of it, for drawing.

        The errors of joined bins are added as if fully correlated, which is an upper bound.
        """
        mass = np.cumsum(self.density) / max(self.density.sum(), 1e-300)
        occupied = int(((mass > 5e-4) & (mass < 1 - 5e-4)).sum())
        n_bins = len(self.density)
        join = next((j for j in range(1, n_bins) if n_bins % j == 0 and occupied / j <= at_most), 1)
        density, stderr = (values.reshape(-1, join).mean(1) for values in (self.density, self.stderr))
        return OverlapLaw(self.edges[::join], density, stderr, self.outside)


def overlap_law(data: RunData, temperature: int, layer: int = 0) -> OverlapLaw:
    """P(q^l) of a run at the temperature of that index."""
    counts = data.arrays[Key.HISTOGRAM][:, temperature, layer].astype(np.float64)
    edges = data.arrays[Key.EDGES][layer]
    per_network = counts[:, 1:-1] / counts.sum(-1, keepdims=True) / np.diff(edges)
    stderr = per_network.std(0, ddof=1) / np.sqrt(len(counts)) if len(counts) > 1 else np.full(len(edges) - 1, np.nan)
    return OverlapLaw(edges, per_network.mean(0), stderr, float((counts[:, 0] + counts[:, -1]).sum() / counts.sum()))
