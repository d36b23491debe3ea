"""Fourier spectrum of the fluctuations along the layers: lattice, effective field theory, and a window of layers.

    lattice          N S(k) = sigma_w^4 V / (1 + chi^2 - 2 chi cos k)
    field theory     N S(k) = sigma_w^4 V / ((1 - chi)^2 + chi k^2) = (sigma_w^4 V/chi) / (m^2 + k^2)
    window           N S_W(k) = (1/W) sum_{l,m in window} N C(l, m) cos k(l - m)

A periodogram of W layers estimates the third, not the first: near chi = 1 the window is not much longer than the
correlation length, and S(0) can be a third too large (docs/layer_field_theory.md).
"""

import numpy as np
from numpy.typing import NDArray

from mcmc.theory.layers.fluctuations import FreeField

Array = NDArray[np.float64]


def window_wavenumbers(n_layers: int) -> Array:
    """k_j = 2 pi j / W, j = 0 ... floor(W/2): where the periodogram of W layers is taken."""
    return 2 * np.pi * np.arange(n_layers // 2 + 1) / n_layers


def lattice_spectrum(field: FreeField, k: Array) -> Array:
    """N S(k) of an infinite chain."""
    return field.noise / (1 + field.chi**2 - 2 * field.chi * np.cos(k))


def field_theory_spectrum(field: FreeField, k: Array) -> Array:
    """N S(k) of the continuum theory, right for k << 1."""
    return field.noise / ((1 - field.chi) ** 2 + field.chi * k**2)


def windowed_spectrum(covariance: Array, k: Array) -> Array:
    """E of the periodogram |sum_l d_l exp(-ikl)|^2 / W of fluctuations with this covariance.

    Args:
        covariance: (W, W), of d_l in the window.
        k:          (n,).
    """
    site = np.arange(len(covariance))
    phase = np.exp(-1j * np.outer(k, site))
    return np.einsum("kl,lm,km->k", phase, covariance, phase.conj()).real / len(covariance)


def periodogram(fluctuation: Array) -> Array:
    """|sum_l d_l exp(-ikl)|^2 / W at `window_wavenumbers(W)` of each network: (D, W) -> (D, W//2 + 1)."""
    return np.abs(np.fft.rfft(fluctuation, axis=-1)) ** 2 / fluctuation.shape[-1]
