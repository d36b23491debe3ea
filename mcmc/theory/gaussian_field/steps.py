"""k-step replica symmetry breaking: k + 1 atoms, every level and every breaking point stationary.

Each step starts from the solution with one atom less and puts a new atom where the potential f is largest, the steepest
descent of Phi among all places; then all levels and weights are relaxed together by a quasi-Newton descent that keeps
them ordered, and Newton's method finishes (`stationarity`). Phi is a minimum over the breaking, so it falls at each
step (equations.md, "Infinite width"), and the optimality gap says by how much it still could.
"""

import numpy as np
from scipy.optimize import minimize

from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.potential import certify, mean_potential, potential, search_grid
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.replica_symmetric import solve_replica_symmetric
from mcmc.theory.gaussian_field.stationarity import Stationary, solve_structure

TRIAL_MASSES = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
MERGE_DISTANCE = 1e-6  # levels closer than this are one
NO_MASS = 1e-9  # relative weight below which an atom is not there
WORSE = 1e-11  # increase of T Phi from the descent to Newton's solution that is not rounding: another saddle
MIN_GAIN = 1e-15  # smallest decrease of T Phi that counts as a further step
GAP_TOL = 1e-14  # of the certificate that ends the ladder early
FIRST_LEVEL = 0.2
OUTSIDE = 1e10  # value of T Phi outside of its domain
FEW_STEPS = 2  # up to here several places are tried for a further atom; later ones only fill a continuous part


def solve_steps(problem: FieldProblem, k: int) -> list[Stationary]:
    """The solutions with 0, 1, ..., k steps; shorter if fewer steps are already exact.

    Returns:
        one entry per number of steps; the last one has as many steps as are needed, at most k. Entries whose Newton
        iteration did not converge carry `converged` False (their Phi is still an upper bound).
    """
    rs = solve_replica_symmetric(problem)
    ladder = [Stationary(rs, abs(float(rs.edge_potentials[0][0])), True, 0.0)]
    return extend_steps(ladder, k)


def extend_steps(ladder: list[Stationary], k: int) -> list[Stationary]:
    """The same ladder with further steps up to k, or up to where they are exact or lower Phi no more."""
    ladder = list(ladder)
    while len(ladder) <= k and not certify(ladder[-1].measure).accepts(gap_tol=GAP_TOL):
        following = add_step(ladder[-1].measure)
        if following is None:
            break
        ladder.append(following)
    return ladder


def add_step(measure: ParisiMeasure) -> Stationary | None:
    """The best solution with one atom more; None if no further atom lowers Phi."""
    best: Stationary | None = None
    n_candidates = 3 if len(measure.lower) <= FEW_STEPS else 1
    for overlap in _candidates(measure)[:n_candidates]:
        start = _with_atom(measure, overlap)
        relaxed = _merged(_descend(start))
        if len(relaxed.lower) <= len(measure.lower):
            continue
        solution = solve_structure(relaxed)
        if not solution.converged or solution.measure.scaled_free_entropy > relaxed.scaled_free_entropy + WORSE:
            solution = Stationary(relaxed, solution.residual, False, solution.step)
        if best is None or solution.measure.scaled_free_entropy < best.measure.scaled_free_entropy:
            best = solution
    if best is None or best.measure.scaled_free_entropy > measure.scaled_free_entropy - MIN_GAIN:
        return None
    return best


def _candidates(measure: ParisiMeasure) -> list[float]:
    """Local maxima of f above its average, the highest first."""
    q = search_grid(measure)
    f = potential(measure, q) - mean_potential(measure)
    inner = np.flatnonzero((f[1:-1] >= f[:-2]) & (f[1:-1] >= f[2:])) + 1
    peaks = [int(i) for i in inner if f[i] > 0]
    if f[0] >= f[1] and f[0] > 0:
        peaks.append(0)
    places = [
        float(q[i])
        for i in sorted(peaks, key=lambda i: -f[i])
        if np.min(np.abs(measure.lower - q[i])) > MERGE_DISTANCE / 10
    ]
    # without a field the force on a level vanishes at q = 0 whether it wants to be there or not: start beside it
    return [max(place, FIRST_LEVEL * float(measure.lower[0])) for place in places]


def _with_atom(measure: ParisiMeasure, overlap: float) -> ParisiMeasure:
    """(1 - m) mu + m delta(q) with the best of a few masses m; at T = 0, weight is added instead."""
    trials = [_mixture(measure, overlap, mass) for mass in TRIAL_MASSES]
    return min(trials, key=lambda trial: trial.scaled_free_entropy)


def _mixture(measure: ParisiMeasure, overlap: float, mass: float) -> ParisiMeasure:
    problem = measure.problem
    t = problem.temperature
    place = int(np.searchsorted(measure.lower, overlap))
    levels = np.insert(measure.lower, place, overlap)
    below = np.concatenate([[0.0], measure.plateaus])[: place + 1]  # plateaus up to and including the one split
    above = measure.plateaus[place:]
    if t == 0:
        shift = mass * max(1.0, float(np.max(measure.plateaus, initial=0.0)))
        split = below[place] + shift if place < len(below) else shift
        plateaus = np.concatenate([below[1:], [split], above + shift])
        return ParisiMeasure.from_atoms(problem, levels[:-1], plateaus, measure.chi)
    if place == len(measure.lower):  # above the present top: everything below shares (1 - m)
        plateaus = np.append(measure.plateaus, problem.max_plateau) * (1 - mass)
        return ParisiMeasure.from_atoms(problem, levels[:-1], plateaus, (1 - overlap) / t)
    split = (1 - mass) * below[place] + mass / t
    plateaus = np.concatenate([(1 - mass) * below[1:], [split], (1 - mass) * above + mass / t])
    return ParisiMeasure.from_atoms(problem, levels[:-1], plateaus, measure.chi)


def _descend(start: ParisiMeasure) -> ParisiMeasure:
    """Minimum of T Phi over all levels and plateaus from there, order kept by linear constraints."""
    problem = start.problem
    n = len(start.lower) - 1

    def measure(u: Array) -> ParisiMeasure:
        return ParisiMeasure.from_atoms(problem, u[:n], u[n : 2 * n], u[-1])

    def objective(u: Array) -> tuple[float, Array]:
        trial = measure(u)
        if u[-1] <= 0 or np.any(trial.response_upper <= 0):
            return OUTSIDE, np.zeros_like(u)  # the line search comes back from there
        return trial.scaled_free_entropy, gradient(trial)

    matrix, offset = _order_constraints(problem, n)
    constraint = {"type": "ineq", "fun": lambda u: matrix @ u + offset, "jac": lambda u: matrix}
    u0 = np.concatenate([start.lower[:-1], start.plateaus, [start.chi]])
    with np.errstate(all="ignore"):
        done = minimize(
            objective, u0, jac=True, method="SLSQP", constraints=[constraint], options={"maxiter": 400, "ftol": 1e-15}
        )
        end = measure(done.x)
        if np.all(matrix @ done.x + offset >= -1e-9) and end.scaled_free_entropy <= start.scaled_free_entropy:
            return end
    return start


def gradient(measure: ParisiMeasure) -> Array:
    """d(T Phi)/d(levels below the top, plateaus, chi) of a measure of atoms.

    d/dq_i = -1/2 (alpha_{i+1} - alpha_i) F(q_i),       d/dalpha_i = 1/2 [f(q_i) - f(q_{i-1})],
    d/dchi = 1/2 (1 - T alpha_k) F(q_k)
    """
    slope, value, _, _ = measure.edge_potentials
    weights = np.diff(np.concatenate([[0.0], measure.plateaus]))
    top = float(measure.plateaus[-1]) if len(measure.plateaus) else 0.0
    return 0.5 * np.concatenate(
        [-weights * slope[:-1], np.diff(value), [(1 - measure.problem.temperature * top) * slope[-1]]]
    )


def _order_constraints(problem: FieldProblem, n: int) -> tuple[Array, Array]:
    """Rows of A u + b >= 0: levels and plateaus ordered within their bounds, chi positive."""
    t = problem.temperature
    size = 2 * n + 1
    rows, offset = [], []

    def add(entries: dict[int, float], constant: float) -> None:
        row = np.zeros(size)
        for column, entry in entries.items():
            row[column] = entry
        rows.append(row)
        offset.append(constant)

    for i in range(n):
        add({i: 1.0} if i == 0 else {i: 1.0, i - 1: -1.0}, 0.0)
        add({n + i: 1.0} if i == 0 else {n + i: 1.0, n + i - 1: -1.0}, 0.0)
    add({n - 1: -1.0, 2 * n: -t}, 1.0)
    if t > 0:
        add({2 * n - 1: -t}, 1.0)
    add({2 * n: 1.0}, -1e-9)
    return np.array(rows), np.array(offset)


def _merged(measure: ParisiMeasure) -> ParisiMeasure:
    """Without atoms of no weight and with levels that have met made one."""
    problem = measure.problem
    levels, plateaus = list(measure.lower), list(measure.plateaus)
    top = problem.max_plateau if problem.temperature > 0 else np.inf
    chi, j = measure.chi, 0
    while j < len(levels) and len(levels) > 1:
        low = plateaus[j - 1] if j else 0.0
        high = plateaus[j] if j < len(plateaus) else top
        scale = top if np.isfinite(top) else max(1.0, plateaus[-1])
        if high - low <= NO_MASS * scale:
            # the plateau that survives is either; the level goes
            levels.pop(j)
            plateaus.pop(min(j, len(plateaus) - 1))
            if j == len(levels) and problem.temperature > 0:
                chi = (1 - levels[-1]) / problem.temperature
        elif j + 1 < len(levels) and levels[j + 1] - levels[j] <= MERGE_DISTANCE:
            levels.pop(j)
            plateaus.pop(j)
        else:
            j += 1
    if not problem.has_field and len(levels) > 1 and levels[0] < MERGE_DISTANCE:
        levels[0] = 0.0
    return ParisiMeasure.from_atoms(problem, np.array(levels[:-1]), np.array(plateaus), chi)
