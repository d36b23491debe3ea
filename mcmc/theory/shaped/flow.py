"""The replica-symmetric order parameters of infinitely deep shaped networks, as functions of the depth tau = l/L.

With alpha_l = a L, D = r - q, S and T the limits of alpha_l S_l and alpha_l (R_l - S_l), and F, V of `drift`,
Phi is stationary over the paths q, r, S, T (equations.md, section 12):

    Phi = 1/2 [ log(1-q_0) + q_0/(1-q_0) ] + int_0^1 dtau [ h - 1/2 (S D' + T r') ] + beta^2/2 D(1)
    h   = 1/2 [ T V(r) + S (V(r) - F(q, r)) ] + [ T^2 (2 q D + D^2) + 2 T S D^2 ] / (4 a)

    r' = V + [ S D^2 + T (2 q D + D^2) ]/a,            D' = V - F + T D^2/a
    S' = -F_q S - [ T^2 q + 2 T S D ]/a,               T' = -T V' - S d(V - F)/dq|_D - T^2 D/a
    r(0) = 1,   q_0/(1-q_0)^2 = S(0),   S(1) = beta^2,   T(1) = 0

Overlaps flow from the sphere, conjugates from the readout: a boundary value problem. h does not depend on tau, so it is
conserved. The replicon flows from the readout, -G' = F_qq S + T^2/a + 2 (F_q + 2 T D/a) G + D^2 G^2/a, G(1) = 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.integrate import solve_bvp, solve_ivp

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.rs_equations import sphere_overlap
from mcmc.theory.shaped.drift import Array
from mcmc.theory.shaped.model import ShapedModel

FIRST_BETA, BETA_GROWTH = 0.5, 1.5  # continuation from high temperature
CONTINUATION_TOL = 1e-4
N_START = 33  # collocation points of the first guess
MAX_NODES = 20_000
REPLICON_TOL = 1e-10


@dataclass(frozen=True)
class FlowSolution:
    """The replica-symmetric solution of an infinitely deep network at one beta, all densities per input N_0.

    Attributes:
        beta:                 inverse temperature.
        model:                the network.
        free_entropy_density: Phi.
        energy_density:       e = -beta D(1).
        entropy_density:      s = Phi + beta e.
        replicon:             lambda = 1 - (1-q_0)^2 G(0); misleads if n_poles > 0.
        n_poles:              poles of G on the way from the readout to the input: hidden pivots that are negative.
        stable:               no pole, and lambda > 0.
        residual:             largest relative residual of the flow equations between the collocation points.
        conserved_error:      largest change of the conserved h over the depth, relative to 1 + |h|.
        path:                 tau in [0, 1], any shape -> (q, D, S, T), (4, *tau.shape).
    """

    beta: float
    model: ShapedModel
    free_entropy_density: float
    energy_density: float
    entropy_density: float
    replicon: float
    n_poles: int
    stable: bool
    residual: float
    conserved_error: float
    path: Callable[[Array], Array] = field(repr=False)

    def overlap(self, tau: Array) -> Array:
        """q at these depths l/L."""
        return self.path(tau)[0]

    def self_overlap(self, tau: Array) -> Array:
        """r at these depths l/L."""
        q, d, _, _ = self.path(tau)
        return q + d


@dataclass(frozen=True)
class _Trajectory:
    """A solved boundary value problem: y = (q, D, S, T, Phi so far) at collocation points, and between them."""

    tau: Array
    y: Array
    residual: float
    at: Callable[[Array], Array]


def conserved(model: ShapedModel, y: Array) -> Array:
    """h of the module's docstring, for y = (q, D, S, T) of shape (4, n)."""
    q, d, s, t = y
    drift = model.drift
    width_part = t**2 * (2 * q * d + d**2) + 2 * t * s * d**2
    h: Array = 0.5 * (t * drift.self_drift(q + d) + s * drift.spread(q, d)) + 0.25 * model.inverse_width * width_part
    return h


def flow_velocity(model: ShapedModel, y: Array) -> Array:
    """(q', D', S', T') at y = (q, D, S, T), both (4, n)."""
    q, d, s, t = y
    drift, w, r = model.drift, model.inverse_width, y[0] + y[1]
    spread = drift.spread(q, d)
    return np.array(
        [
            drift.self_drift(r) - spread + w * (s * d**2 + 2 * t * q * d),
            spread + w * t * d**2,
            -s * drift.slope(q, d) - w * (t**2 * q + 2 * t * s * d),
            -t * drift.self_slope(r) - s * drift.spread_slope(q, d) - w * t**2 * d,
        ]
    )


def solve_flow(model: ShapedModel, beta: float, *, tol: float = 1e-10) -> FlowSolution:
    """The replica-symmetric flow at one inverse temperature, followed from high temperature.

    Args:
        beta: inverse temperature >= 0.
        tol:  relative residual of the flow equations that is accepted.
    Raises:
        UsageError:       beta < 0 or not finite.
        ConvergenceError: the boundary value problem was not solved; beta, residual as attributes.
    """
    if not (beta >= 0 and math.isfinite(beta)):
        raise UsageError(f"depth flow: expected a finite beta >= 0, found {beta}. The law of H is even.", beta=beta)
    n_steps = math.ceil(math.log(beta / FIRST_BETA, BETA_GROWTH)) if beta > FIRST_BETA else 0
    tau = np.linspace(0, 1, N_START)
    scaled = _high_temperature_guess(beta / BETA_GROWTH**n_steps)
    for i in range(n_steps, -1, -1):
        b = beta / BETA_GROWTH**i
        solution = _solve(model, b, tau, scaled, CONTINUATION_TOL if i else tol)
        tau, scaled = solution.tau, solution.y / _units(b)
    return _flow_solution(model, beta, solution)


def _units(beta: float) -> Array:
    """(5, 1) units in which y = (q, D, S, T, Phi so far) is of order one at any beta."""
    return np.array([1, 1 / (1 + beta), (1 + beta) ** 2, 1 + beta, 1 + beta])[:, None]


def _high_temperature_guess(beta: float) -> Array:
    """The linear network at infinite width, in units: (5, N_START)."""
    q0 = sphere_overlap(beta**2)
    return np.repeat([[q0], [1 - q0], [beta**2], [0.0], [0.0]], N_START, axis=1) / _units(beta)


def _solve(model: ShapedModel, beta: float, tau: Array, start: Array, tol: float) -> _Trajectory:
    """scipy's solution of the boundary value problem, started from values in units."""
    unit = _units(beta)

    def velocity(_: Array, scaled: Array) -> Array:
        y = scaled * unit
        v = flow_velocity(model, y[:4])
        phi = conserved(model, y[:4]) - 0.5 * (y[2] * v[1] + y[3] * (v[0] + v[1]))
        return np.vstack([v, phi]) / unit

    def ends(first: Array, last: Array) -> Array:
        (q, d, s, _, phi), (_, _, s1, t1, _) = first * unit[:, 0], last * unit[:, 0]
        return np.array([q + d - 1, q - s * d**2, (s1 - beta**2) / unit[2, 0], t1 / unit[3, 0], phi / unit[4, 0]])

    solution = solve_bvp(velocity, ends, tau, start, tol=tol, bc_tol=tol, max_nodes=MAX_NODES)
    residual = float(np.max(solution.rms_residuals))
    if solution.status != 0 or not np.all(np.isfinite(solution.y)):
        raise ConvergenceError(
            f"depth flow: residual {residual:.1e} (wanted <= {tol:.0e}) at beta={beta:g}, "
            f"{model.activation}, a={model.width_per_depth:g}: {solution.message.rstrip('.')}. "
            "Use a smaller beta, a larger width_per_depth, or a weaker activation.",
            beta=beta,
            residual=residual,
        )
    return _Trajectory(solution.x, solution.y * unit, residual, lambda tau: (solution.sol(tau).T * unit[:, 0]).T)


def _flow_solution(model: ShapedModel, beta: float, solution: _Trajectory) -> FlowSolution:
    def path(tau: Array) -> Array:
        return solution.at(tau)[:4]

    q0, d1 = float(solution.y[0, 0]), float(solution.y[1, -1])
    phi = 0.5 * (math.log1p(-q0) + q0 / (1 - q0)) + float(solution.y[4, -1]) + 0.5 * beta**2 * d1
    angle = _replicon_angle(model, path)
    h = conserved(model, solution.y[:4])
    replicon, n_poles = 1 - (1 - q0) ** 2 * math.tan(angle), math.floor(angle / math.pi + 0.5)
    return FlowSolution(
        beta=float(beta),
        model=model,
        free_entropy_density=phi,
        energy_density=-beta * d1,
        entropy_density=phi - beta**2 * d1,
        replicon=replicon,
        n_poles=n_poles,
        stable=n_poles == 0 and replicon > 0,
        residual=solution.residual,
        conserved_error=float(np.ptp(h) / (1 + np.max(np.abs(h)))),
        path=path,
    )


def _replicon_angle(model: ShapedModel, path: Callable[[Array], Array]) -> float:
    """theta(0), G = tan(theta): unlike G itself it passes through poles, each of them upwards, and counts them."""
    drift, w = model.drift, model.inverse_width

    def velocity(tau: float, theta: Array) -> Array:
        q, d, s, t = path(np.array(tau))
        sin, cos = np.sin(theta), np.cos(theta)
        source = s * drift.curvature(q, d) + w * t**2
        slope = drift.slope(q, d) + 2 * w * t * d
        result: Array = -(source * cos**2 + 2 * slope * sin * cos + w * d**2 * sin**2)
        return result

    flown = solve_ivp(velocity, (1.0, 0.0), [0.0], method="DOP853", rtol=REPLICON_TOL, atol=REPLICON_TOL)
    return float(flown.y[0, -1])
