"""The ground state at finite width ratios: energies of low temperatures, extrapolated to T = 0.

    e(T) = e_0 + c_1 T + c_2 T^2 + ...,    x_i = T y_i + ...,    1 - q_EA = T chi + ...

(c_1 = 1/2 where phi is smooth: each of the N_0 coordinates has its share T/2; a kink of phi adds a term T^{3/2}, of
neurons that are held at it softly.) The coefficients are not assumed: the series through all temperatures is taken at
T = 0, and the error is what other series give (`extrapolate_temperature`). Entropies tend to minus infinity like log T:
they are logarithms of volumes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcmc.errors import ConvergenceError
from mcmc.theory.ansatz import check_ansatz, phase_name
from mcmc.theory.gaussian_field.extrapolation import extrapolate_temperature
from mcmc.theory.high_temperature import energy_scale
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.classify import classify
from mcmc.theory.rsb.full import solve_full
from mcmc.theory.rsb.k_step import solve_k_step
from mcmc.theory.rsb.solve import Solution
from mcmc.theory.saddle import SaddlePoint

RS_LADDER = (2.0, 4.0, 8.0, 16.0, 32.0)  # beta in units of 1/energy_scale, until the error is small enough
K_STEP_LADDER = (6.0, 9.0, 13.0, 18.0)
FULL_LADDER = (6.0, 9.0, 12.0)
CLASSIFIED_AT = 12.0
FULL_STEPS = 8  # of full breaking: e is extrapolated in k as well
MIN_POINTS = 3
TOL = 3e-4  # of e_0, relative: where the replica-symmetric ladder stops


@dataclass(frozen=True)
class GroundState:
    """The limit beta -> infinity of one ansatz.

    Attributes:
        energy_density:  e_0 = lim min H / N_0.
        energy_error:    estimated error: of the extrapolation and of the energies.
        phase:           "RS", "1RSB", ..., "full RSB": of the coldest temperature solved; a phase that sets in below
                         it is not seen.
        scaled_breaking: lim beta x_i, empty for RS and full RSB.
        susceptibility:  chi = lim beta (1 - q_EA).
        evidence:        "betas", "energy_densities", "stable" (of each), "extrapolations" (e_0 with fewer of the warm
                         temperatures), "stopped" (why it went no colder; absent if nothing failed).
    """

    energy_density: float
    energy_error: float
    phase: str
    scaled_breaking: tuple[float, ...]
    susceptibility: float
    evidence: dict[str, Any]


def has_kink(model: TheoryModel) -> bool:
    """phi is piecewise linear, and not linear."""
    slopes = model.activation.slopes
    return slopes is not None and slopes[0] != slopes[1]


def ground_state(model: TheoryModel, *, ansatz: str = "auto", n_steps: int | None = None) -> GroundState:
    """The ground-state energy density within an ansatz, and its error.

    Within RS and k-step RSB it is a lower bound of the true one, the better the larger k. "auto" takes the ansatz of
    the phase at beta = 12 / energy_scale.

    Raises:
        UsageError:       as `solve`.
        ConvergenceError: fewer than three temperatures were solved; beta, residual.
    """
    check_ansatz(ansatz, n_steps)
    unit = energy_scale(model)
    k = 1 if ansatz == "1rsb" else n_steps
    if ansatz == "auto":
        found = classify(model, CLASSIFIED_AT / unit, n_steps=FULL_STEPS)
        ansatz = {"RS": "rs", "full RSB": "full"}.get(found.label, "krsb")
        k = found.solution.n_steps if found.solution is not None else None
        only_stable = found.label == "RS"
    else:
        only_stable = False
    if ansatz == "rs":
        return _replica_symmetric(model, unit, only_stable)
    ladder = FULL_LADDER if ansatz == "full" else K_STEP_LADDER
    solved: list[Solution] = []
    failures: list[ConvergenceError] = []
    for scaled in ladder:
        try:
            beta = scaled / unit
            solved.append(solve_full(model, beta, n_steps=FULL_STEPS) if k is None else solve_k_step(model, beta, k))
        except ConvergenceError as error:
            failures.append(error)
    if len(solved) < MIN_POINTS:
        raise _too_few(model, solved, failures)
    return _limit(model, solved, failures)


def _replica_symmetric(model: TheoryModel, unit: float, only_stable: bool) -> GroundState:
    """Halve T until the extrapolation settles, the solver fails, or (only_stable) replica symmetry does."""
    solved: list[SaddlePoint] = []
    failures: list[ConvergenceError] = []
    for scaled in RS_LADDER:
        try:
            saddle = solve_rs(model, scaled / unit, initial=solved[-1] if solved else None)
        except ConvergenceError as error:
            failures.append(error)
            break
        if only_stable and not saddle.stable and len(solved) >= MIN_POINTS:
            break
        solved.append(saddle)
        if len(solved) > MIN_POINTS:
            state = _limit(model, solved, failures)
            if state.energy_error <= TOL * abs(state.energy_density):
                return state
    if len(solved) < MIN_POINTS:
        raise _too_few(model, solved, failures)
    return _limit(model, solved, failures)


def _too_few(model: TheoryModel, solved: Sequence[Solution], failures: Sequence[ConvergenceError]) -> ConvergenceError:
    last = failures[-1]
    return ConvergenceError(
        f"{model.label}: ground state: only {len(solved)} of the {MIN_POINTS} temperatures needed were solved. The "
        f"last failure: {last} Use another ansatz, or look at single temperatures.",
        beta=vars(last).get("beta", math.nan),
        residual=vars(last).get("residual", math.nan),
    )


def _limit(model: TheoryModel, solved: Sequence[Solution], failures: Sequence[ConvergenceError]) -> GroundState:
    temperatures = [1 / s.beta for s in solved]
    energies = [s.energy_density for s in solved]
    errors = [s.energy_error for s in solved]
    kinked = has_kink(model)
    e, error = extrapolate_temperature(temperatures, energies, errors, half_powers=kinked)

    def scaled(values: Sequence[float]) -> float:
        """lim beta value."""
        products = [v / t for v, t in zip(values, temperatures, strict=True)]
        return extrapolate_temperature(temperatures, products, [0.0] * len(products), half_powers=kinked)[0]

    coldest = solved[-1]
    steps: tuple[tuple[float, ...], ...] = ()
    phase = "RS"
    if not isinstance(coldest, SaddlePoint):
        phase = phase_name(coldest.ansatz)
        if coldest.ansatz != "full":
            steps = tuple(zip(*(s.breaking_points for s in solved if not isinstance(s, SaddlePoint)), strict=True))
    fewer = range(len(solved) - MIN_POINTS + 1)
    return GroundState(
        energy_density=e,
        energy_error=error,
        phase=phase,
        scaled_breaking=tuple(scaled(x) for x in steps),
        susceptibility=scaled([1 - s.overlap_law().plateau for s in solved]),
        evidence={
            "betas": [s.beta for s in solved],
            "energy_densities": energies,
            "stable": [s.stable for s in solved],
            "extrapolations": [
                extrapolate_temperature(temperatures[i:], energies[i:], errors[i:], half_powers=kinked)[0]
                for i in fewer
            ],
            **({"stopped": str(failures[-1])} if failures else {}),
        },
    )
