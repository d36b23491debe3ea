"""Everything that a run says about the ensemble, as functions of network averages with one set of resamples."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mcmc.analysis.bootstrap import NetworkBootstrap, Resampled
from mcmc.analysis.measured import network_means
from mcmc.io.reader import RunData
from mcmc.io.schema import Key

SMOOTHING = 0.25  # width of the kernel that finds the peak of P(q), in standard deviations of q
PEAK_HEIGHT = 0.5  # of the highest: lower maxima of a resample are noise


@dataclass(frozen=True)
class Observable:
    """One disorder average along the ladder.

    Attributes:
        name:      energy_density; overlap_l, overlap_moment_m_l (m = 2, 3, 4), overlap_width_l, binder_l,
                   overlap_peak_l of layer l.
        resampled: of shape (K,); row b of every observable holds the same networks.
        gain:      (K,) variance of the plain network average over that with identity A as control variate: how many
                   times more networks the plain one would need. 1 where there is no control.
    """

    name: str
    resampled: Resampled
    gain: np.ndarray


def observables(data: RunData, bootstrap: NetworkBootstrap | None = None) -> list[Observable]:
    """Averages, nonlinear functions and their resamples, of a run with overlaps.

        overlap_width = sqrt(<q^2> - <q>^2),    binder = (3 - <q^4>/<q^2>^2)/2

    and overlap_peak, the outermost peak of P(q): the q_EA of a state, at the resolution of this N_0.

    Raises:
        InsufficientDataError: fewer than 4 networks, or no overlaps.
    """
    bootstrap = bootstrap or NetworkBootstrap(data.n_networks)
    means = network_means(data)
    control = means.identity_difference()
    found = [Observable("energy_density", *controlled_ladder(bootstrap, means.energy, control, data.beta))]
    moments = data.arrays[Key.MOMENT_SUM] / data.n_overlaps
    none = np.ones(len(data.beta))
    for layer in range(means.overlap.shape[-1]):
        m1, m2, m3, m4 = (moments[:, :, layer, m] for m in range(4))
        found.append(Observable(f"overlap_{layer}", *controlled_ladder(bootstrap, m1, control, data.beta)))
        for power, moment in ((2, m2), (3, m3), (4, m4)):
            found.append(Observable(f"overlap_moment_{power}_{layer}", bootstrap.mean(moment), none))
        found += [
            Observable(f"overlap_width_{layer}", bootstrap.estimate(_width, m1, m2), none),
            Observable(f"binder_{layer}", bootstrap.estimate(_binder, m2, m4), none),
            Observable(f"overlap_peak_{layer}", overlap_peak(data, bootstrap, layer), none),
        ]
    return found


def controlled_ladder(
    bootstrap: NetworkBootstrap, per_network: np.ndarray, control: np.ndarray, beta: np.ndarray
) -> tuple[Resampled, np.ndarray]:
    """Averages (K,) of (D, K) with the difference of identity A as control, and the gain of each (see `Observable`)."""
    plain = bootstrap.mean(per_network)
    columns = [
        # at beta = 0 the control is the energy itself and would leave nothing to measure
        bootstrap.controlled(y, z) if b > 0 else bootstrap.mean(y)
        for y, z, b in zip(per_network.T, control.T, beta, strict=True)
    ]
    joined = Resampled(
        np.stack([column.value for column in columns]),
        np.stack([column.resamples for column in columns], axis=1),
        bootstrap.n_networks,
    )
    gain = np.divide(plain.stderr**2, joined.stderr**2, out=np.ones(len(beta)), where=joined.stderr > 0)
    return joined, gain


def overlap_peak(data: RunData, bootstrap: NetworkBootstrap, layer: int) -> Resampled:
    """Position of the outermost peak of P(q^l), (K,); NaN where P(q) has no maximum between the edges.

    P(q) is smoothed by a Gaussian of a quarter of its width (half a bin at least), the same in every resample, and the
    peak is the vertex of the parabola through the highest bin and its neighbours.
    """
    edges = data.arrays[Key.EDGES][layer]
    centres = 0.5 * (edges[1:] + edges[:-1])
    counts = data.arrays[Key.HISTOGRAM][:, :, layer, 1:-1].astype(np.float64)
    found = []
    for k in range(counts.shape[1]):
        law = counts[:, k].sum(0) / max(counts[:, k].sum(), 1.0)
        width = np.sqrt(max(law @ centres**2 - (law @ centres) ** 2, 0.0))
        n_bins = max(SMOOTHING * width / (edges[1] - edges[0]), 0.5)
        smooth = gaussian_filter1d(counts[:, k], n_bins, axis=-1)
        found.append(bootstrap.estimate(lambda law: _outermost_peak(law, centres), smooth))
    return Resampled(
        np.stack([peak.value for peak in found]),
        np.stack([peak.resamples for peak in found], axis=1),
        bootstrap.n_networks,
    )


def _outermost_peak(law: np.ndarray, centres: np.ndarray) -> np.ndarray:
    left, here, right = law[..., :-2], law[..., 1:-1], law[..., 2:]
    is_peak = (here >= left) & (here > right) & (here >= PEAK_HEIGHT * law.max(-1, keepdims=True))
    last = here.shape[-1] - 1 - is_peak[..., ::-1].argmax(-1)
    a, b, c = (np.take_along_axis(part, last[..., None], -1)[..., 0] for part in (left, here, right))
    curvature = a - 2 * b + c
    shift = np.divide(0.5 * (a - c), curvature, out=np.zeros_like(b), where=curvature < 0)
    position = centres[last + 1] + shift * (centres[1] - centres[0])
    return np.where(is_peak.any(-1), position, np.nan)


def _width(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(second - first**2, 0.0))


def _binder(second: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    return 0.5 * (3 - fourth / second**2)
