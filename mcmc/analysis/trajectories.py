"""Did trajectories do what exactness needs, at the precision of their forces: what `status` and `run --json` report."""

from typing import Any

import numpy as np

from mcmc.analysis.estimate import network_average
from mcmc.io.reader import RunData
from mcmc.io.schema import Key

N_SIGMA = 4.0


def trajectory_report(data: RunData) -> dict[str, Any]:
    """Work identity, energy errors and checks of the production, by temperature, as plain values.

    Keys:
        forces, fallback: precision in use, and the change that led to it (sweep, from, reason) or None.
        work_identity:    <exp(-dH)>, 1 in equilibrium.
        work_identity_stderr: from the scatter of (network, replica), which are independent; None if there is only one.
        energy_error_sd:  standard deviation of dH.
        n_checks:         trajectories checked at each temperature.
        reversal:         median distance |x' - x|/sqrt(N_0) of there and back; None without checks.
        checked_energy_error: largest error of H found, in float32 roundings; None without checks.
        decision_error:   largest beta |dH - dH_64| found: how far the precision of energies moves the logarithm of an
            acceptance ratio; None where it was not measured.
        reasons:          lines that begin with "ok " or "BAD".
    """
    n_steps = data.arrays[Key.N_STEPS]
    work = (data.arrays[Key.METROPOLIS_SUM] / n_steps).transpose(2, 0, 1).reshape(-1, len(data.beta))
    mean = data.arrays[Key.ENERGY_ERROR_SUM].mean((0, 2)) / n_steps
    square = data.arrays[Key.ENERGY_ERROR_SQUARE_SUM].mean((0, 2)) / n_steps
    stderr = None if len(work) < 2 else [network_average(column).stderr for column in work.T]
    reasons = [] if stderr is None else [_work_identity(work, data.beta)]
    reversal = data.arrays.get(Key.REVERSAL)
    checks: dict[str, Any] = {"n_checks": 0, "reversal": None, "checked_energy_error": None, "decision_error": None}
    if reversal is not None:
        errors = data.arrays[Key.CHECKED_ENERGY_ERROR]
        decisions = data.arrays.get(Key.DECISION_ERROR)
        checks = {
            "decision_error": None if decisions is None else np.nanmax(decisions, axis=0).tolist(),
            "n_checks": len(reversal),
            "reversal": np.median(reversal, axis=0).tolist(),
            "checked_energy_error": errors.max(axis=0).tolist(),
        }
        reasons.append(_retracing(data, reversal))
    fallback = data.forces.get("fallback")
    if fallback is not None:
        reasons.append(
            f"BAD {fallback['from']} forces failed a check at sweep {fallback['sweep']}: {fallback['reason']}"
        )
    return {
        "forces": data.forces.get("used"),
        "fallback": fallback,
        "work_identity": work.mean(0).tolist(),
        "work_identity_stderr": stderr,
        "energy_error_sd": np.sqrt(np.maximum(square - mean**2, 0)).tolist(),
        **checks,
        "reasons": reasons,
    }


def _work_identity(work: np.ndarray, beta: np.ndarray) -> str:
    estimates = [network_average(column) for column in work.T]
    distances = [abs(estimate.n_sigma(1.0) or 0.0) for estimate in estimates]
    k = int(np.argmax(distances))
    ok = all(estimate.agrees(1.0, n_sigma=N_SIGMA) for estimate in estimates)
    return (
        f"{'ok ' if ok else 'BAD'} <exp(-dH)> = 1: largest deviation {distances[k]:.1f} sigma "
        f"(allowed {estimates[k].bound(N_SIGMA):.1f}), at beta = {beta[k]:.3g}"
    )


def _retracing(data: RunData, reversal: np.ndarray) -> str:
    ok = bool(data.arrays[Key.IS_REPEATABLE].all())
    k = int(np.argmax(np.median(reversal, axis=0)))
    return (
        f"{'ok ' if ok else 'BAD'} forces are functions of the position; {len(reversal)} trajectories at each "
        f"temperature came back to {np.median(reversal[:, k]):.0e} |x| or nearer (median), at beta = {data.beta[k]:.3g}"
    )
