"""A trial order parameter x(q) of any structure: atoms and continuous parts of P(q), with its free entropy.

    Phi[x] = 1/2 [ beta^2 int_0^1 x(q) xi'(q) dq + int_0^{q_EA} dq / D(q) + log(1 - q_EA) ],   D(q) = int_q^1 x

[Crisanti and Sommers, Z. Phys. B 87, 341 (1992)]; k steps give the sums of equations.md, "Infinite width".
The functional is convex in x(q), so that its minimum is unique. Between two parts of the support x is constant; on a
continuous part D = 1/(beta sqrt(xi'')), x = xi'''/(2 beta xi''^(3/2)), which is what stationarity demands there.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.integrate import tanhsinh

from mcmc.errors import QuadratureError
from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.segment_functions import h1, h2

BAND_TOL, BAND_LIMIT = 1e-13, 1e-10  # wanted and worst accepted error of the integral over a continuous part
NEAR_ONE = 0.01
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
ROUNDING = 4e-16


@dataclass(frozen=True, eq=False)
class ParisiMeasure:
    """x(q) in scaled units: alpha = beta x, D = beta int_q^1 x (see `FieldProblem`).

    Attributes:
        problem:  xi and T.
        lower:    (J,) lower edges of the parts of the support, increasing.
        upper:    (J,) upper edges; equal to `lower` for an atom. The last is q_EA = 1 - T chi.
        plateaus: (J - 1,) alpha between neighbouring parts, increasing.
        chi:      D(q_EA) = beta (1 - q_EA).
        is_band:  (J,) which parts are continuous.
    """

    problem: FieldProblem
    lower: Array
    upper: Array
    plateaus: Array
    chi: float
    is_band: tuple[bool, ...]

    @classmethod
    def from_atoms(cls, problem: FieldProblem, levels: Array, plateaus: Array, chi: float) -> "ParisiMeasure":
        """Atoms at levels q[0] < ... < q[k-1] and at q[k] = 1 - T chi."""
        top = 1 - problem.temperature * chi
        # chi = beta is q = 0, and must not become a level of size 1e-16
        edges = np.append(np.asarray(levels, float), 0.0 if abs(top) < ROUNDING else top)
        return cls(problem, edges, edges, np.asarray(plateaus, float), float(chi), (False,) * len(edges))

    @cached_property
    def response_lower(self) -> Array:
        """D at the lower edges."""
        return self._responses[0]

    @cached_property
    def response_upper(self) -> Array:
        """D at the upper edges, summed from q = 1 downwards."""
        return self._responses[1]

    @cached_property
    def _responses(self) -> tuple[Array, Array]:
        n = len(self.lower)
        low, up = np.empty(n), np.empty(n)
        up[-1] = self.chi
        marginal = self.problem.marginal_response(self.lower) if any(self.is_band) else np.zeros(n)
        for j in range(n - 1, -1, -1):
            low[j] = marginal[j] if self.is_band[j] else up[j]
            if j:
                up[j - 1] = low[j] + self.plateaus[j - 1] * (self.lower[j] - self.upper[j - 1])
        return low, up

    @cached_property
    def _jets(self) -> tuple[Array, Array]:
        return self.problem.xi(self.lower, 2), self.problem.xi(self.upper, 2)

    @cached_property
    def replicons(self) -> Array:
        """1 - xi'' D^2 = 1 - beta^2 (int_q^1 x)^2 xi'' at the upper edge of every part; the last is the innermost."""
        with np.errstate(invalid="ignore"):
            values = 1 - self._jets[1][2] * self.response_upper**2
        return np.where(self.is_band, 0.0, values)

    @cached_property
    def edge_potentials(self) -> tuple[Array, Array, Array, Array]:
        """(F, f) at the lower and (F, f) at the upper edges, by summing over the stretches between."""
        (jet_a, jet_b), n = self._jets, len(self.lower)
        slope_a, value_a, slope_b, value_b = (np.empty(n) for _ in range(4))
        low, up = self.response_lower, self.response_upper
        slope_a[0] = jet_a[1, 0] - self.lower[0] / low[0] ** 2
        value_a[0] = jet_a[0, 0] - float(self.problem.xi(0.0, 0)[0]) - 0.5 * (self.lower[0] / low[0]) ** 2
        for j in range(n):
            width = self.upper[j] - self.lower[j]
            slope_b[j], value_b[j] = slope_a[j], value_a[j] + slope_a[j] * width
            if j + 1 < n:
                gap = self.lower[j + 1] - self.upper[j]
                y = self.plateaus[j] * gap / up[j]
                slope_a[j + 1] = slope_b[j] + jet_a[1, j + 1] - jet_b[1, j] - gap / (up[j] * low[j + 1])
                value_a[j + 1] = (
                    value_b[j]
                    + (slope_b[j] - jet_b[1, j]) * gap
                    + (jet_a[0, j + 1] - jet_b[0, j])
                    - (gap / up[j]) ** 2 * float(h2(y))
                )
        return slope_a, value_a, slope_b, value_b

    @cached_property
    def band_integrals(self) -> Array:
        """int sqrt(xi'') dq over each continuous part, 0 for an atom: its share of int dq/D."""

        def integrand(q: Array) -> Array:
            return np.sqrt(self.problem.xi(q, 2)[2])

        integrals = np.zeros(len(self.lower))
        for j in np.flatnonzero(self.is_band):
            if self.upper[j] > self.lower[j]:
                # tanh-sinh: xi'' may diverge at q = 1
                done = tanhsinh(integrand, self.lower[j], self.upper[j], rtol=BAND_TOL)
                if not done.error <= BAND_LIMIT:
                    raise QuadratureError(
                        f"{self.problem.covariance.label}: the integral of sqrt(xi'') from {self.lower[j]:.6g} to "
                        f"{self.upper[j]:.6g} has an error of {done.error:.1e} (wanted <= {BAND_LIMIT:.0e}) at "
                        f"beta={self.problem.beta:g}. Use a smaller beta or ansatz 'krsb'.",
                        beta=self.problem.beta,
                        residual=float(done.error),
                    )
                integrals[j] = done.integral
        return integrals

    @cached_property
    def energy(self) -> float:
        """-e in these units: int alpha xi' dq, which is chi xi'(1) above q_EA = 1 at T = 0."""
        jet_a, jet_b = self._jets
        total = float(np.sum(self.plateaus * (jet_a[0, 1:] - jet_b[0, :-1])))
        for j in np.flatnonzero(self.is_band):
            # by parts, with D = xi''^(-1/2) on a continuous part
            total += self.response_lower[j] * jet_a[1, j] - self.response_upper[j] * jet_b[1, j]
            total += float(self.band_integrals[j])
        return total + self._top_energy()

    def _top_energy(self) -> float:
        """beta [xi(1) - xi(q_EA)] = chi int_0^1 2v xi'(1 - T chi v^2) dv, the second where the first would cancel.

        v = sqrt((1-q)/(1-q_EA)) because a kink of phi gives xi' a square root at q = 1.
        """
        t = self.problem.temperature
        if t * self.chi > NEAR_ONE:
            top = self.problem.xi(np.array([1.0, self.upper[-1]]), 0)[0]
            return float(top[0] - top[1]) / t
        v, weights = (NODES + 1) / 2, WEIGHTS / 2
        return self.chi * float(np.sum(weights * 2 * v * self.problem.xi(1 - t * self.chi * v**2, 1)[1]))

    @cached_property
    def inverse_response(self) -> float:
        """int_0^{q_EA} dq / D."""
        gaps = self.lower[1:] - self.upper[:-1]
        up = self.response_upper[:-1]
        total = self.lower[0] / self.response_lower[0] + float(np.sum(gaps / up * h1(self.plateaus * gaps / up)))
        return float(total + np.sum(self.band_integrals))

    @cached_property
    def scaled_free_entropy(self) -> float:
        """T Phi, finite at T = 0 where it is minus the ground-state energy."""
        t = self.problem.temperature
        return 0.5 * (self.energy + self.inverse_response + (t * math.log(t * self.chi) if t > 0 else 0.0))

    @property
    def free_entropy_density(self) -> float:
        """Phi; infinite at T = 0."""
        t = self.problem.temperature
        return self.scaled_free_entropy / t if t > 0 else math.inf

    @property
    def energy_density(self) -> float:
        """e = -beta int_0^1 x xi' dq = -d Phi / d beta, in the units of the covariance as given."""
        return -self.problem.energy_unit * self.energy
