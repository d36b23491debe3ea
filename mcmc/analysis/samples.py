"""P(q) with its band over networks, P_J(q) of single networks, and how much of the overlap differs between them."""

from dataclasses import dataclass

import numpy as np

from mcmc.analysis.blocks import draw_mean
from mcmc.analysis.bootstrap import NetworkBootstrap, Resampled
from mcmc.analysis.measured import overlap_law
from mcmc.io.reader import RunData
from mcmc.io.schema import Key


@dataclass(frozen=True)
class SampledLaw:
    """P(q^l) at one temperature, network by network.

    Attributes:
        edges:       (B+1,) bins, joined until few enough to look at.
        per_network: (D, B) densities P_J(q^l).
        average:     of shape (B,), with resamples: `average.band()` is a pointwise band.
    """

    edges: np.ndarray
    per_network: np.ndarray
    average: Resampled


def sampled_law(
    data: RunData, temperature: int, layer: int, bootstrap: NetworkBootstrap, *, at_most: int = 60
) -> SampledLaw:
    """The law at the temperature of that index, in at most so many bins where it is (see `OverlapLaw.coarsened`)."""
    edges = overlap_law(data, temperature, layer).coarsened(at_most=at_most).edges
    counts = data.arrays[Key.HISTOGRAM][:, temperature, layer].astype(np.float64)
    joined = counts[:, 1:-1].reshape(len(counts), len(edges) - 1, -1).sum(-1)
    per_network = joined / counts.sum(-1, keepdims=True) / np.diff(edges)
    return SampledLaw(edges, per_network, bootstrap.mean(per_network))


@dataclass(frozen=True)
class SelfAveraging:
    """Variance of the overlap over networks, at each temperature and layer, each of shape (K, L+1).

        disorder = Var_J <q>,    total = E<q^2> - (E<q>)^2,    share = disorder/total

    Self-averaging overlaps have a disorder that falls like 1/N_0 at a share that does not depend on N_0; where replica
    symmetry is broken it stays, and the share is 1/3 [Ghirlanda and Guerra 1998].
    """

    disorder: Resampled
    total: Resampled
    share: Resampled


def self_averaging(data: RunData, bootstrap: NetworkBootstrap) -> SelfAveraging:
    """From the covariance over networks of both halves of the run: the noise within a network is not in it.

    Halves that still remember each other (a run of few autocorrelation times) make the disorder too large.
    """
    overlap, n_draws = data.series(Key.OVERLAP), data.n_draws
    half = n_draws // 2
    first, last = draw_mean(overlap, 0, half), draw_mean(overlap, n_draws - half, n_draws)
    moments = data.arrays[Key.MOMENT_SUM] / data.n_overlaps
    one, two = moments[..., 0], moments[..., 1]
    unbiased = bootstrap.n_networks / (bootstrap.n_networks - 1)

    def disorder(a: np.ndarray, b: np.ndarray, ab: np.ndarray) -> np.ndarray:
        return unbiased * (ab - a * b)

    def share(a: np.ndarray, b: np.ndarray, ab: np.ndarray, m1: np.ndarray, m2: np.ndarray) -> np.ndarray:
        return disorder(a, b, ab) / (m2 - m1**2)

    return SelfAveraging(
        bootstrap.estimate(disorder, first, last, first * last),
        bootstrap.estimate(lambda m1, m2: m2 - m1**2, one, two),
        bootstrap.estimate(share, first, last, first * last, one, two),
    )
