"""Explicit perturbed networks beside their theory: measured overlaps, their errors and z-scores.

The error of a measured mean is the derived one, sqrt(N Var q/(N D M)) for M inputs in each of D networks, where there
is a derivation: dense layers of spins. It counts inputs of one network as independent; what they share through the
weights adds less than M/(3 N) to the variance (docs/function_space.md). Elsewhere it is the scatter of the networks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mcmc.analysis.estimate import network_average
from mcmc.errors import UsageError
from mcmc.run.build import available_memory_bytes
from mcmc.systems.function_space.ensemble import Layout, PairEnsemble
from mcmc.systems.function_space.majority import magnetized_input, measure_majority
from mcmc.systems.function_space.overlaps import measure_overlaps
from mcmc.theory.function_space.overlap import OverlapProfile, overlap_profile
from mcmc.theory.function_space.sparse import SparseState, covariance, transient
from mcmc.theory.function_space.units import make_unit

Array = NDArray[np.float64]
BYTES_PER_WEIGHT = 40  # of a layer: both networks, noise, uniform numbers in float64
ROUNDING = 1e-12  # a variance that should be zero
ENOUGH_WRONG_UNITS = 10.0  # N delta_l from which the recursion and its variance hold at the level of 4 sigma


@dataclass(frozen=True)
class SimulationSize:
    """How much is simulated.

    Attributes:
        n_networks: D, independent pairs of networks.
        n_inputs:   M of each.
        seed:       of weights and inputs.
    """

    n_networks: int = 8
    n_inputs: int = 64
    seed: int = 0


@dataclass(frozen=True)
class MeasuredOverlaps:
    """Overlaps of explicit networks and what the theory says of them, one number a layer.

    Attributes:
        profile:     theory.
        measured:    (L,) mean over networks and inputs.
        stderr:      (L,) of that mean.
        is_derived:  the error is derived, not read off the scatter of the networks.
        wrong_units: (L,) N delta_l; below ENOUGH_WRONG_UNITS a deviation is one of finite width.
    """

    profile: OverlapProfile
    measured: Array
    stderr: Array
    is_derived: bool
    wrong_units: Array

    @property
    def z(self) -> Array:
        """(L,) (measured - theory)/stderr, NaN where nothing fluctuates."""
        return _z(self.measured - self.profile.overlap, self.stderr)


def ensemble_of(
    weights: str,
    perturbation: tuple[float, ...],
    *,
    layout: Layout,
    unit: str = "sign",
    beta: float | None = None,
    sigma: float = 1.0,
    row_correlation: float = 0.0,
) -> PairEnsemble:
    """The ensemble of explicit networks of these numbers."""
    return PairEnsemble(
        layout, weights, perturbation, unit, beta if beta is not None else np.inf, sigma, row_correlation
    )


def compare_overlaps(
    ensemble: PairEnsemble, size: SimulationSize, device: torch.device | str = "cpu"
) -> MeasuredOverlaps:
    """Simulate networks and compare every layer with theory.

    Raises:
        UsageError: a layer does not fit into memory, sizes below one, or one network where the error must come from
            their scatter.
    """
    layout = ensemble.layout
    device = torch.device(device)
    needed, free = BYTES_PER_WEIGHT * layout.width * layout.fan_in, available_memory_bytes(device)
    if needed > free:
        raise UsageError(
            f"one layer of width {layout.width} needs {needed / 2**30:.3g} GiB, found {free / 2**30:.3g} GiB free. "
            "Use a smaller width.",
            needed=needed,
        )
    unit = make_unit(
        ensemble.unit,
        beta=ensemble.beta if ensemble.unit == "thermal" else None,
        sigma=ensemble.sigma,
        row_correlation=ensemble.row_correlation,
    )
    profile = overlap_profile(ensemble.weights, ensemble.perturbation, unit)
    is_derived = profile.variance is not None and layout.places is None
    if size.n_networks < 2 and not is_derived:
        raise UsageError("expected at least 2 networks, whose scatter is the only error known here, found 1.")
    overlaps = measure_overlaps(
        ensemble, n_networks=size.n_networks, n_inputs=size.n_inputs, seed=size.seed, device=device
    )
    found = overlaps.cpu().numpy()
    if is_derived:
        assert profile.variance is not None
        stderr = np.sqrt(profile.variance / (layout.width * size.n_networks * size.n_inputs))
    else:
        stderr = np.array([network_average(layer).stderr for layer in found.mean(1).T])
    return MeasuredOverlaps(profile, found.mean((0, 1)), stderr, is_derived, profile.wrong_units(layout.n_units))


@dataclass(frozen=True)
class MeasuredTransient:
    """Majority networks, layer by layer.

    Attributes:
        states:   theory of layers 0..n, started from the magnetisation that N spins can have.
        measured: (n + 1, 3) of m^, m and q, means over networks.
        stderr:   (n + 1, 3), derived.
    """

    states: list[SparseState]
    measured: Array
    stderr: Array

    @property
    def z(self) -> Array:
        """(n + 1, 3), NaN where nothing fluctuates."""
        return _z(self.measured - np.array([state.vector() for state in self.states]), self.stderr)


def compare_majority(
    k: int,
    flip: float,
    *,
    start: float,
    width: int,
    n_layers: int,
    n_networks: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> MeasuredTransient:
    """Simulate majority networks and compare every layer with theory."""
    exact_start = float(magnetized_input(width, start).double().mean()) if width > 0 else start
    states = transient(k, flip, exact_start, n_layers)
    found = measure_majority(
        k,
        flip,
        start=start,
        width=width,
        n_layers=n_layers,
        n_networks=n_networks,
        seed=seed,
        device=device,
    )
    variance = np.array([np.diag(c) for c in covariance(k, flip, states)])
    stderr = np.sqrt(np.maximum(variance, 0.0) / (width * n_networks))
    return MeasuredTransient(states, found.mean(0).cpu().numpy(), stderr)


def _z(difference: Array, stderr: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Array = np.where(stderr > ROUNDING, difference / stderr, np.nan)
    return result
