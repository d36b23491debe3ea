"""Curves along temperature, the entropy at an energy, and bounds and expansions to hold them against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import brentq

from mcmc.errors import UsageError
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.convexity import require_convex
from mcmc.theory.gaussian_field.covariance import Covariance
from mcmc.theory.gaussian_field.ground_state import ground_state
from mcmc.theory.gaussian_field.solve import solve

COLDEST = 1e6  # largest beta sqrt(xi'(1)) that an energy is looked for at


def solve_curve(
    covariance: Covariance, betas: Sequence[float], *, ansatz: str = "auto", n_steps: int | None = None
) -> list[BrokenSolution]:
    """Solutions at these inverse temperatures, in the order given; each is found on its own, none from its neighbour.

    For "auto" and "full" the curve must be that of one convex Phi(beta) with slope -e: for each pair of neighbours
    Phi(b) >= Phi(a) - e(a) (b - a) and the reverse. A solution on a wrong branch violates it.
    Raises:
        ConvergenceError: such a violation, with both temperatures; UsageError and others as `solve`.
    """
    solved = {beta: solve(covariance, beta, ansatz=ansatz, n_steps=n_steps) for beta in sorted(set(betas))}
    if ansatz in ("auto", "full"):
        require_convex(covariance.label, list(solved.values()))
    return [solved[beta] for beta in betas]


@dataclass(frozen=True)
class EnergyPoint:
    """The states of one energy density.

    Attributes:
        energy_density:  e.
        entropy_density: s(e) = Phi + beta e, the log volume of inputs with that energy, per input.
        beta:            the inverse temperature at which they are typical.
        solution:        the solution there.
    """

    energy_density: float
    entropy_density: float
    beta: float
    solution: BrokenSolution


def entropy_at_energy(covariance: Covariance, energy_density: float) -> EnergyPoint:
    """s(e) for e between the ground state and 0, by solving e(beta) = e.

    Raises:
        UsageError: e is not in (e_0, 0]; the ground-state energy is quoted.
    """
    lowest = ground_state(covariance).energy_density
    if not lowest < energy_density <= 0:
        raise UsageError(
            f"{covariance.label}: expected an energy density in ({lowest:.8g}, 0], from the ground state to infinite "
            f"temperature, found {energy_density}. Energies above 0 mirror those below.",
            energy_density=energy_density,
            ground_state=lowest,
        )
    unit = math.sqrt(float(covariance.derivatives(1.0, 1)[1]))

    def excess(log_beta: float) -> float:
        return solve(covariance, math.exp(log_beta)).energy_density - energy_density

    beta = 0.0
    if energy_density < 0:
        # at high temperature e = -beta [xi(1) - xi(0)], and never lower than that
        ends = covariance(0.0), covariance(1.0)
        low = math.log(-energy_density / float(ends[1] - ends[0])) - 1e-9
        high = low + math.log(2)
        while excess(high) > 0 and high < math.log(COLDEST / unit):
            low, high = high, high + math.log(2)
        if high >= math.log(COLDEST / unit):
            raise UsageError(
                f"{covariance.label}: e={energy_density} is so close to the ground state {lowest:.8g} that its "
                f"temperature is below {unit / COLDEST:.1e}: use ground_state.",
                energy_density=energy_density,
                ground_state=lowest,
            )
        beta = math.exp(brentq(excess, low, high, xtol=1e-13, rtol=1e-13))
    solution = solve(covariance, beta)
    return EnergyPoint(energy_density, solution.entropy_density, beta, solution)


def annealed_free_entropy(covariance: Covariance, beta: float) -> float:
    """The upper bound Phi <= (1/N_0) log E Z = beta^2/2 [xi(1) - xi(0)] (Jensen).

    The part xi(0) of the covariance is one Gaussian constant per sample, conditioned on before Jensen's inequality.
    """
    ends = covariance(0.0), covariance(1.0)
    return 0.5 * beta**2 * float(ends[1] - ends[0])


@dataclass(frozen=True)
class HighTemperature:
    """The expansion of Phi and e in beta, with the size of the first term left out.

    Attributes:
        free_entropy_density, energy_density: to beta^4 and beta^3.
        free_entropy_remainder, energy_remainder: the terms of beta^6 and beta^5.
    """

    free_entropy_density: float
    energy_density: float
    free_entropy_remainder: float
    energy_remainder: float


def high_temperature(covariance: Covariance, beta: float) -> HighTemperature:
    """Phi = beta^2/2 [xi(1) - xi(0)] - beta^4/4 xi'(0)^2 + beta^6 [xi'(0)^3/3 - xi'(0)^2 xi''(0)/4] + O(beta^8).

    Without replicas: the fourth cumulant of H in E log Z is -beta^4 N_0^2/4 E xi(q_12)^2 for two points drawn uniformly
    (after centring), and q_12 has variance 1/N_0.
    """
    jet = covariance.derivatives(0.0, 2)
    _, slope, curvature = (float(v) for v in jet)
    drop = float(covariance(1.0)) - float(jet[0])
    sixth = slope**3 / 3 - slope**2 * curvature / 4
    return HighTemperature(
        free_entropy_density=0.5 * beta**2 * drop - 0.25 * beta**4 * slope**2,
        energy_density=-beta * drop + beta**3 * slope**2,
        free_entropy_remainder=beta**6 * sixth,
        energy_remainder=-6 * beta**5 * sixth,
    )
