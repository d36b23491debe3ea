"""Measured points for the figures of the function space: what is simulated, and beside which numbers it stands."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mcmc.compare.function_space import (
    ENOUGH_WRONG_UNITS,
    Array,
    MeasuredOverlaps,
    MeasuredTransient,
    SimulationSize,
    compare_majority,
    compare_overlaps,
    ensemble_of,
)
from mcmc.systems.function_space.ensemble import Layout
from mcmc.theory.function_space.generalization import generalization_error
from mcmc.theory.function_space.max_entropy import MaxEntropy, max_entropy_continuous
from mcmc.theory.function_space.max_entropy_binary import max_entropy_binary
from mcmc.theory.function_space.sparse import critical_flip

DEPTH = 4
CONTINUOUS_ERRORS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
BINARY_ERRORS = (0.05, 0.1, 0.2, 0.28, 0.33, 0.38, 0.44, 0.48, 0.49)
LOADS = {1: (3.0, 30.0), 2: (2.0, 8.0), 3: (4.0, 6.0), 4: (5.7, 7.0), 5: (8.5, 10.0)}
GATES = {3: (0.05, 0.1, 0.13, 0.155), 5: (0.1, 0.17, 0.21), 7: (0.1, 0.2, 0.25)}
TRANSIENT_FLIPS = (0.05, 0.1, 0.15, 0.2)
START = 0.2  # mean spin of the input; the letter does not say which it took
N_TRANSIENT, N_STATIONARY = 60, 80
PROFILES: dict[str, tuple[str, float, dict[str, Any]]] = {
    r"$\eta = 0.1$": ("continuous", 0.1, {}),
    r"$\eta = 0.3$": ("continuous", 0.3, {}),
    r"$\eta = 0.8$": ("continuous", 0.8, {}),
    r"$p = 0.05$": ("binary", 0.05, {}),
    r"$\eta = 0.3$, $\beta = 2$": ("continuous", 0.3, {"unit": "thermal", "beta": 2.0}),
    r"ReLU, $\eta = 0.3$": ("continuous", 0.3, {"unit": "relu"}),
    r"ReLU, $\eta = 0.3$, $\gamma = -0.8$": ("continuous", 0.3, {"unit": "relu", "row_correlation": -0.8}),
}


@dataclass(frozen=True)
class MeasuredError:
    """Networks perturbed in the most numerous way for an error, and the error that they have.

    Attributes:
        target:      the perturbation.
        x:           the coordinate it was chosen by: the error itself, or a load.
        measured:    error of the outputs.
        stderr:      derived.
        wrong_units: the smallest N delta_l of a layer that is perturbed at all.
    """

    target: MaxEntropy
    x: float
    measured: float
    stderr: float
    wrong_units: float

    @property
    def z(self) -> float:
        """(measured - theory)/stderr."""
        return (self.measured - self.target.error) / self.stderr

    @property
    def is_judged(self) -> bool:
        """The recursion is claimed to hold: more than ENOUGH_WRONG_UNITS differ in every perturbed layer."""
        return self.wrong_units > ENOUGH_WRONG_UNITS


@dataclass(frozen=True)
class FunctionSpacePoints:
    """Everything that the figures need measured.

    Attributes:
        width, majority_width: N of dense networks, and of majority gates.
        continuous, binary: figure 2(a), 2(b).
        loads:      figure 2(c), by depth.
        stationary: figure 2(d), by k: p, and the last layer's measured, stderr and z, (3,) each.
        transients: figure 2(e), 2(f), by p.
        profiles:   overlaps layer by layer, by label.
    """

    width: int
    continuous: list[MeasuredError]
    binary: list[MeasuredError]
    loads: dict[int, list[MeasuredError]]
    stationary: dict[int, list[tuple[float, Array, Array, Array]]]
    transients: dict[float, MeasuredTransient]
    profiles: dict[str, MeasuredOverlaps]
    majority_width: int

    def z_scores(self) -> dict[str, list[float]]:
        """z of every judged point, by panel."""
        transients = [_judged(measured, self.majority_width) for measured in self.transients.values()]
        return {
            "a": [point.z for point in self.continuous if point.is_judged],
            "b": [point.z for point in self.binary if point.is_judged],
            "c": [point.z for points in self.loads.values() for point in points if point.is_judged],
            "d": [float(z[1]) for points in self.stationary.values() for *_, z in points],
            "e, f": [float(z) for values in transients for z in values],
            "overlaps": [
                float(z)
                for measured in self.profiles.values()
                for z, wrong in zip(measured.z, measured.wrong_units, strict=True)
                if wrong > ENOUGH_WRONG_UNITS
            ],
        }


def measure_points(*, width: int, majority_width: int, size: SimulationSize) -> FunctionSpacePoints:
    """Simulate every point of the figures."""
    measure = partial(_measure_error, width=width, size=size)
    majority = partial(compare_majority, width=majority_width, n_networks=1, seed=size.seed)
    stationary: dict[int, list[tuple[float, Array, Array, Array]]] = {}
    for k, flips in GATES.items():
        stationary[k] = []
        for flip in flips:
            found = majority(k, flip, start=0.9 * (1 - flip / critical_flip(k)) + 0.1, n_layers=N_STATIONARY)
            stationary[k].append((flip, found.measured[-1], found.stderr[-1], found.z[-1]))
    return FunctionSpacePoints(
        width=width,
        continuous=[measure("continuous", max_entropy_continuous(e, DEPTH), e) for e in CONTINUOUS_ERRORS],
        binary=[measure("binary", max_entropy_binary(e, DEPTH), e) for e in BINARY_ERRORS],
        loads={
            depth: [
                measure("continuous", max_entropy_continuous(generalization_error(load, depth), depth), load)
                for load in loads
            ]
            for depth, loads in LOADS.items()
        },
        stationary=stationary,
        transients={flip: majority(3, flip, start=START, n_layers=N_TRANSIENT) for flip in TRANSIENT_FLIPS},
        profiles={
            label: compare_overlaps(
                ensemble_of(weights, (value,) * DEPTH, layout=Layout(width), **unit),
                size,
            )
            for label, (weights, value, unit) in PROFILES.items()
        },
        majority_width=majority_width,
    )


def _judged(measured: MeasuredTransient, width: int) -> Array:
    overlap = np.array([state.overlap for state in measured.states])
    is_judged = (width * (1 - overlap) / 2 > ENOUGH_WRONG_UNITS) & np.isfinite(measured.z[:, 2])
    result: Array = measured.z[is_judged, 2]
    return result


def _measure_error(weights: str, target: MaxEntropy, x: float, *, width: int, size: SimulationSize) -> MeasuredError:
    found = compare_overlaps(ensemble_of(weights, tuple(target.perturbation.tolist()), layout=Layout(width)), size)
    perturbed = found.wrong_units[target.perturbation > 0]
    return MeasuredError(
        target=target,
        x=x,
        measured=float(1 - found.measured[-1]) / 2,
        stderr=float(found.stderr[-1]) / 2,
        wrong_units=float(perturbed.min()),
    )
