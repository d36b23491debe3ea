"""FT2: Fourier spectrum along the layers: measured, as its window must show it, on the lattice, in the continuum."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mcmc.compare.layer_study import Spectrum
from mcmc.plots.style import MEASURED, PREDICTED
from mcmc.theory.layers.spectrum import field_theory_spectrum, lattice_spectrum


def spectrum_figure(spectra: list[Spectrum]) -> Figure:
    """One panel a network."""
    figure, axes = plt.subplots(1, len(spectra), figsize=(4.2 * len(spectra), 3.6), layout="constrained", squeeze=False)
    for axis, spectrum in zip(axes[0], spectra, strict=True):
        k = np.linspace(0, np.pi, 300)
        n, measured = spectrum.width, spectrum.measured
        axis.plot(k, lattice_spectrum(spectrum.field, k), color="C0", linewidth=1, label="lattice, infinite chain")
        axis.plot(
            k, field_theory_spectrum(spectrum.field, k), color="C1", linestyle="--", linewidth=1, label="field theory"
        )
        axis.plot(spectrum.k, n * measured.expected, label=f"window of {2 * len(spectrum.k) - 2} layers", **PREDICTED)
        axis.errorbar(spectrum.k, n * measured.value, n * measured.stderr, color="C3", label="measured", **MEASURED)
        axis.set(yscale="log", xlabel="k", ylabel="N S(k)")
        axis.set_title(f"{spectrum.theory.activation.name}, N = {n}, mass m = {spectrum.field.mass:.3g}")
        axis.legend()
    return figure
