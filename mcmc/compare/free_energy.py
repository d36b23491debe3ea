"""Quenched free entropy and entropy of a run beside the replica-symmetric theory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.analysis.blocks import draw_mean
from mcmc.analysis.bootstrap import NetworkBootstrap, Resampled
from mcmc.analysis.estimate import Estimate
from mcmc.analysis.free_energy import FreeEnergies, free_energies
from mcmc.analysis.measured import network_means
from mcmc.analysis.observables import controlled_ladder
from mcmc.compare.comparison import N_CURVE
from mcmc.compare.prediction import theory_model
from mcmc.io.reader import RunData
from mcmc.io.schema import Key
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.saddle import SaddlePoint


@dataclass(frozen=True)
class Thermodynamics:
    """Phi(beta), e(beta) and s = Phi + beta e, measured and predicted.

    Attributes:
        free:      log Z of every network by every estimator, which agree.
        free_entropy_density, energy_density, entropy_density: of shape (K,) with the same resamples of networks, so
                   that the error of s knows how Phi and e move together. At beta > 0 each has identity A as control.
        gain:      {name: (K,)} variance of the plain network average over that of the controlled one: how many times
                   more networks the plain one would need. 1 at beta = 0.
        saddles:   (K,) replica-symmetric prediction in the limit of N_0.
        curve:     the same on a finer grid, for drawing.
    """

    data: RunData
    free: FreeEnergies
    free_entropy_density: Resampled
    energy_density: Resampled
    entropy_density: Resampled
    gain: dict[str, np.ndarray]
    saddles: list[SaddlePoint]
    curve: list[SaddlePoint]

    def rows(self) -> list[dict[str, Any]]:
        """One a temperature, as in `mlp-gibbs free-energy --json`."""
        names = ("free_entropy_density", "energy_density", "entropy_density")
        rows = []
        for k, saddle in enumerate(self.saddles):
            row: dict[str, Any] = {"beta": saddle.beta, "predicted_stable": saddle.stable}
            for name in names:
                resampled: Resampled = getattr(self, name)
                predicted = getattr(saddle, name)
                value = Estimate(float(resampled.value[k]), float(resampled.stderr[k]), resampled.n_networks)
                row[name] = {
                    "value": value.value,
                    "stderr": value.stderr,
                    "predicted": predicted,
                    "n_sigma": value.n_sigma(predicted),
                    "gain": float(self.gain[name][k]),
                }
            row["estimators"] = {
                name: float(v[:, k].mean() / self.free.n_inputs) for name, v in self.free.log_z.items()
            }
            rows.append(row)
        return rows


def thermodynamics(data: RunData) -> Thermodynamics:
    """Phi, e and s of a run.

    Raises:
        InsufficientDataError: too few networks or draws, one temperature, no beta = 0, a ladder with gaps.
        DisagreementError: the three free energies differ.
        UsageError: `pymbar` is not installed.   ConvergenceError, QuadratureError: of the theory.
    """
    free, averages, gain = measured_thermodynamics(data)
    model = theory_model(data.config.model)
    return Thermodynamics(
        data,
        free,
        **averages,
        gain=gain,
        saddles=solve_rs_curve(model, [float(beta) for beta in data.beta]),
        curve=solve_rs_curve(model, np.linspace(data.beta[0], data.beta[-1], N_CURVE).tolist()),
    )


def measured_thermodynamics(
    data: RunData, bootstrap: NetworkBootstrap | None = None
) -> tuple[FreeEnergies, dict[str, Resampled], dict[str, np.ndarray]]:
    """`free`, the three averages by name and `gain` of `Thermodynamics`, without theory; raises what it raises."""
    bootstrap = bootstrap or NetworkBootstrap(data.n_networks)
    free = free_energies(data)
    free.require_agreement()
    energy, phi = draw_mean(data.series(Key.ENERGY), 0, data.n_draws), free.free_entropy_density
    per_network = {
        "free_entropy_density": phi,
        "energy_density": energy,
        "entropy_density": phi + data.beta * energy,
    }
    averages = {name: bootstrap.mean(values) for name, values in per_network.items()}
    gain = {name: np.ones(len(data.beta)) for name in per_network}
    if data.config.output.overlaps:
        control = network_means(data).identity_difference()
        for name, values in per_network.items():
            averages[name], gain[name] = controlled_ladder(bootstrap, values, control, data.beta)
    return free, averages, gain
