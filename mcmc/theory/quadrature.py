"""Gaussian averages over the quenched fields t and y, on nodes that follow the scale on which a neuron changes.

A neuron in the field u = sqrt(S) y turns over |y| ~ 1/sqrt(S) = 1/beta: a Gauss-Hermite rule of 41 points steps over
that at beta >= 8 and is wrong without a sign of it (equations.md, section 9). The nodes of y are therefore
y = sinh(s) / sqrt(S) with equidistant s. Both rules are trapezoids of an analytic integrand, so that halving a step
squares the error; `Quadrature.refined` halves one step, and what then moves is the error estimate of a solution.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mcmc.errors import QuadratureError

CUTOFF = 7.5  # the Gaussian mass beyond 7.5 standard deviations is 6e-14; the integrands grow at most like y^2
MAX_NODES = 50_000  # c / omega_std ~ 1e-4 at the default step, far below any beta that can be solved
Direction = Literal["t", "y", "xi"]
DIRECTIONS: tuple[Direction, ...] = ("t", "y", "xi")


@dataclass(frozen=True)
class GaussianRule:
    """Nodes and weights of E f(z) ~ sum_i weights_i f(nodes_i), z ~ N(0, 1).

    Attributes:
        nodes:   (n,) float64, increasing.
        weights: (n,) float64; they add up to 1 only as well as the rule resolves the Gaussian itself.
    """

    nodes: Tensor
    weights: Tensor


def point_rule() -> GaussianRule:
    """One node at zero: exact for a field without variance."""
    return GaussianRule(torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64))


def sinh_rule(scale: float, step: float, cutoff: float = CUTOFF) -> GaussianRule:
    """Trapezoid rule in s for z = scale * sinh(s): spacing scale * step at the centre, growing like |z| * step.

    Args:
        scale:  the smallest scale of the integrand near z = 0; larger than CUTOFF gives a plain trapezoid.
        step:   spacing of s; 0.15 gives about 12 digits where the integrand is analytic in |Im s| < pi/4.
        cutoff: largest |z|.
    """
    half = math.ceil(math.asinh(cutoff / scale) / step)
    s = step * torch.arange(-half, half + 1, dtype=torch.float64)
    nodes = scale * torch.sinh(s)
    density = torch.exp(-0.5 * nodes**2) / math.sqrt(2 * math.pi)
    return GaussianRule(nodes, step * scale * torch.cosh(s) * density)


def trapezoid_rule(step: float, cutoff: float = CUTOFF) -> GaussianRule:
    """Equidistant nodes: for a Gaussian times an analytic function the error falls like exp(-const / step)."""
    half = math.ceil(cutoff / step)
    nodes = step * torch.arange(-half, half + 1, dtype=torch.float64)
    return GaussianRule(nodes, step * torch.exp(-0.5 * nodes**2) / math.sqrt(2 * math.pi))


def gauss_hermite_rule(n_nodes: int) -> GaussianRule:
    """The textbook rule, exact for polynomials; here only to show what goes wrong with it at large beta."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    return GaussianRule(torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum()))


@dataclass(frozen=True)
class Quadrature:
    """How finely the three Gaussian averages of a layer are taken, and how their error is controlled.

    Attributes:
        t_step:  spacing of the mean field omega = std_omega * t, in units of min(std_omega, c), c the thermal width.
        y_step:  spacing of s in y = sinh(s) / sqrt(S).
        xi_step: spacing of the inner variable, in units of the narrowest peak that the tilt can make.
        y_rule:  field_std = sqrt(S) -> rule for y; replaces the sinh rule (a refined copy goes back to the sinh rule).
        tol:     largest estimated error of Phi, e, q_l, r_l that is accepted without refining.
        pivot_tol: the same for the replicon pivots.
        max_refinements: how often steps may be halved to reach the tolerances; 0 keeps the steps as they are.
    """

    t_step: float = 0.5
    y_step: float = 0.2
    xi_step: float = 0.5
    y_rule: Callable[[float], GaussianRule] | None = None
    tol: float = 1e-8
    pivot_tol: float = 1e-6
    max_refinements: int = 4

    def t_nodes(self, omega_std: float, thermal_std: float) -> GaussianRule:
        """Rule for t in omega = omega_std * t, when omega is blurred by thermal_std = c."""
        if omega_std == 0:
            return point_rule()
        step = self.t_step * min(1.0, thermal_std / omega_std)
        if CUTOFF / step > MAX_NODES:
            raise QuadratureError(
                f"average over the mean field: step {step:.1e} wanted at c={thermal_std:.2e}, "
                f"omega_std={omega_std:.2e}, more than {2 * MAX_NODES} nodes: r - q is too close to 0. "
                "Use a smaller beta.",
                step=step,
                c=thermal_std,
            )
        return trapezoid_rule(step)

    def y_nodes(self, field_std: float) -> GaussianRule:
        """Rule for y in u = field_std * y."""
        if self.y_rule is not None:
            return self.y_rule(field_std)
        if field_std == 0:
            return point_rule()
        return sinh_rule(min(1.0, 1.0 / field_std), self.y_step)

    def refined(self, *directions: Direction) -> "Quadrature":
        """The same with the steps of these directions (all if none is named) halved."""
        named = directions or DIRECTIONS
        return replace(
            self,
            t_step=self.t_step / 2 if "t" in named else self.t_step,
            y_step=self.y_step / 2 if "y" in named else self.y_step,
            xi_step=self.xi_step / 2 if "xi" in named else self.xi_step,
            # an injected rule is never its own judge: twice as many points of it may be wrong in the same way
            y_rule=None if "y" in named else self.y_rule,
        )
