"""The entropy at an energy at finite width ratios: s(e) = Phi + beta e where e(beta) = e."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.optimize import brentq

from mcmc.errors import UsageError
from mcmc.theory.ansatz import check_ansatz, phase_name
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.gaussian_field.extrapolation import extrapolate_temperature
from mcmc.theory.high_temperature import energy_scale
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.classify import classify
from mcmc.theory.rsb.full import solve_full
from mcmc.theory.rsb.ground_state import FULL_STEPS, has_kink
from mcmc.theory.rsb.k_step import solve_k_step
from mcmc.theory.rsb.solve import Solution
from mcmc.theory.saddle import SaddlePoint

COLDEST = 16.0  # largest beta, in units of 1/energy_scale, that an energy is looked for at
FIRST = 1.0  # largest first beta of a bracket: COLDEST is then reached with enough temperatures to extrapolate
N_EXTRAPOLATED = 4
CLEARLY = 3.0  # estimated errors below the extrapolated ground state: no colder temperature is tried
GROWTH, BROKEN_GROWTH = 1.6, 1.1  # of beta while a bracket is sought
RTOL, BROKEN_RTOL = 1e-8, 1e-6  # of beta; s is stationary in beta, so that its error is of their square


@dataclass(frozen=True)
class EnergyPoint:
    """The inputs of one energy density.

    Attributes:
        energy_density:  e.
        entropy_density: s(e) = Phi + beta e, the log volume of inputs with that energy, per input.
        beta:            the inverse temperature at which they are typical.
        phase:           of the solution.
        solution:        the solution there.
    """

    energy_density: float
    entropy_density: float
    beta: float
    phase: str
    solution: Solution


def energy_bound(model: TheoryModel) -> float:
    """|e| <= this for every input and almost every network, from norms alone; nothing is solved.

    Bounded phi: sqrt(alpha_L) sup|phi| E|v|. Otherwise sqrt(alpha_L r_L) with the largest possible r_l, from the
    largest singular values: sqrt(r_l) <= a [ sigma_w (1 + sqrt(alpha_{l-1}/alpha_l)) sqrt(r_{l-1}) + sigma_b ].
    """
    width = math.sqrt(model.alpha(model.depth))
    if model.activation.slopes is None:
        return width * model.activation.bound * math.sqrt(2 / math.pi)
    slope, norm = max(map(abs, model.activation.slopes)), 1.0
    for layer in range(1, model.depth + 1):
        gain = math.sqrt(model.weight_variance(layer)) * (1 + 1 / math.sqrt(model.width_gain(layer)))
        norm = slope * (gain * norm + math.sqrt(model.bias_variance(layer)))
    return width * norm


def entropy_at_energy(
    model: TheoryModel, energy_density: float, *, ansatz: str = "auto", n_steps: int | None = None
) -> EnergyPoint:
    """s(e) for e between the ground state and 0, by solving e(beta) = e within an ansatz.

    Replica symmetry is solved first: its energy at a temperature is a lower bound to that of broken solutions, so that
    theirs are looked for at larger beta only.

    Raises:
        UsageError:       e is not in (e_0, 0]; ground_state (or bound, where nothing had to be solved) on it.
        ConvergenceError: as `solve`.
    """
    check_ansatz(ansatz, n_steps)
    bound = energy_bound(model)
    if not -bound < energy_density <= 0:
        raise UsageError(
            f"{model.label}: expected an energy density in (e_0, 0], from the ground state to infinite temperature, "
            f"where e_0 > -{bound:.6g}; found {energy_density}. Energies above 0 mirror those below.",
            energy_density=energy_density,
            bound=bound,
        )
    if energy_density == 0:
        return EnergyPoint(0.0, 0.0, 0.0, "RS", solve_rs(model, 0.0))
    symmetric = _symmetric_point(model, energy_density)
    label = "RS" if ansatz == "rs" else ""
    k = 1 if ansatz == "1rsb" else n_steps
    if ansatz == "auto":
        found = classify(model, symmetric.beta, n_steps=FULL_STEPS)
        label, k = (
            found.label,
            None if found.solution is None or found.solution.ansatz == "full" else found.solution.n_steps,
        )
    if label == "RS":
        return _point(energy_density, symmetric)

    def solution_at(beta: float) -> BrokenSolution:
        return solve_full(model, beta, n_steps=FULL_STEPS) if k is None else solve_k_step(model, beta, k)

    point = _point(energy_density, _of_energy(model, energy_density, symmetric.beta, solution_at))
    if ansatz == "auto" and k is not None and not point.solution.stable:
        # the phase ends between the temperature of the replica-symmetric solution and this one
        label, k = classify(model, point.beta, n_steps=FULL_STEPS).label, None
        point = _point(energy_density, _of_energy(model, energy_density, symmetric.beta, solution_at))
    return point


def _point(energy_density: float, solution: Solution) -> EnergyPoint:
    # Phi + beta e at the energy asked for: the error of beta enters to the second order
    s = solution.free_entropy_density + solution.beta * energy_density
    phase = "RS" if isinstance(solution, SaddlePoint) else phase_name(solution.ansatz)
    return EnergyPoint(energy_density, s, solution.beta, phase, solution)


def _too_cold(model: TheoryModel, energy_density: float, curve: Sequence[Solution]) -> UsageError:
    lowest, error = _extrapolated(model, curve)
    found = (
        f"found {energy_density}."
        if energy_density <= lowest
        else f"found {energy_density}, so close to e_0 that its temperature is below {1 / curve[-1].beta:.2g}: "
        "use ground_state."
    )
    return UsageError(
        f"{model.label}: expected an energy density in (e_0, 0], from the ground state to infinite temperature, where "
        f"e_0 = {lowest:.6g} +- {error:.1e} (extrapolated); {found}",
        energy_density=energy_density,
        ground_state=lowest,
    )


def _extrapolated(model: TheoryModel, curve: Sequence[Solution]) -> tuple[float, float]:
    """The ground-state energy that the coldest solutions of a curve point to, and its error."""
    coldest = curve[-N_EXTRAPOLATED:]
    energies, errors = [s.energy_density for s in coldest], [s.energy_error for s in coldest]
    temperatures = [1 / s.beta for s in coldest]
    return extrapolate_temperature(temperatures, energies, errors, half_powers=has_kink(model))


def _symmetric_point(model: TheoryModel, energy_density: float) -> SaddlePoint:
    """The replica-symmetric solution of that energy, followed from high temperature."""
    unit = energy_scale(model)
    known = {0.0: solve_rs(model, 0.0)}

    def excess(beta: float) -> float:
        if beta not in known:
            known[beta] = solve_rs(model, beta, initial=known[max(b for b in known if b < beta)])
        return known[beta].energy_density - energy_density

    low, high = 0.0, min(-energy_density / unit**2, FIRST / unit)
    while excess(high) > 0:
        curve = [known[b] for b in sorted(known) if b > 0]
        if len(curve) >= N_EXTRAPOLATED:
            lowest, error = _extrapolated(model, curve)
            if high * unit >= COLDEST or energy_density < lowest - CLEARLY * error:
                raise _too_cold(model, energy_density, curve)
        low, high = high, min(GROWTH * high, COLDEST / unit)
    beta = float(brentq(excess, low, high, xtol=1e-300, rtol=RTOL))
    excess(beta)
    return known[beta]


def _of_energy(
    model: TheoryModel, energy_density: float, lowest: float, solution_at: Callable[[float], BrokenSolution]
) -> BrokenSolution:
    """The broken solution of that energy, from the temperature of the replica-symmetric one downwards."""
    known: dict[float, BrokenSolution] = {}

    def excess(beta: float) -> float:
        if beta not in known:
            known[beta] = solution_at(beta)
        return known[beta].energy_density - energy_density

    coldest = COLDEST / energy_scale(model)
    low = high = lowest
    while excess(high) > 0:
        if high >= coldest:
            raise _too_cold(model, energy_density, [known[b] for b in sorted(known)])
        low, high = high, min(BROKEN_GROWTH * high, coldest)
    beta = float(brentq(excess, low, high, xtol=1e-300, rtol=BROKEN_RTOL)) if high > low else high
    excess(beta)
    return known[beta]
