"""A covariance at one temperature, in the units the solvers work in.

Energies are measured in sqrt(N_0 xi'(1)), so that xi'(1) = 1 and tolerances mean the same for every model. The
breaking enters as alpha(q) = beta x(q) and D = beta int_q^1 x, which stay finite at T = 0: temperatures from
infinity down to zero *included* go through the same equations (equations.md, "Infinite width").
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from mcmc.errors import UsageError
from mcmc.theory.gaussian_field.covariance import Array, Covariance


class FieldProblem:
    """xi and beta in units where xi'(1) = 1.

    Attributes:
        covariance:   as given.
        beta:         as given; math.inf is the ground state.
        energy_unit:  sqrt(xi'(1)): energies of the solvers times this are energy densities.
        temperature:  T in these units.
        has_field:    xi'(0) > 0: the overlap of two replicas is positive at every temperature.
    Raises:
        UsageError: beta is not positive, or xi'(1) is not finite.
    """

    def __init__(self, covariance: Covariance, beta: float):
        if not beta > 0:
            raise UsageError(
                f"{covariance.label}: expected an inverse temperature beta > 0, found {beta}. "
                "The law of H is even: use |beta| and change the sign of the energy.",
                beta=beta,
            )
        slope = float(covariance.derivatives(1.0, 1)[1])
        if not (math.isfinite(slope) and slope > 0):
            raise UsageError(
                f"{covariance.label}: expected 0 < xi'(1) < infinity, found {slope}: "
                "the energy does not depend on the input, or has no derivative.",
                slope=slope,
            )
        self.covariance = covariance
        self.beta = float(beta)
        self.energy_unit = math.sqrt(slope)
        self.temperature = 0.0 if math.isinf(beta) else 1 / (beta * self.energy_unit)
        self.has_field = bool(covariance.derivatives(0.0, 1)[1] > 0)

    @property
    def max_plateau(self) -> float:
        """Largest alpha = beta x, at x = 1; infinite at T = 0."""
        return math.inf if self.temperature == 0 else 1 / self.temperature

    def xi(self, overlap: ArrayLike, order: int) -> Array:
        """(xi, ..., xi^(order)) in units where xi'(1) = 1."""
        return self.covariance.derivatives(overlap, order) / self.energy_unit**2

    def marginal_response(self, overlap: ArrayLike) -> Array:
        """D = xi''^(-1/2), where the replicon vanishes; the response all along a continuous part."""
        with np.errstate(divide="ignore"):
            return 1 / np.sqrt(self.xi(overlap, 2)[2])

    def marginal_breaking(self, overlap: ArrayLike) -> Array:
        """alpha = -d/dq xi''^(-1/2) = xi''' / (2 xi''^(3/2)), the breaking beta x(q) on a continuous part."""
        jet = self.xi(overlap, 3)
        with np.errstate(divide="ignore", invalid="ignore"):
            return jet[3] / (2 * jet[2] ** 1.5)
