"""What exactness needs of a trajectory, tested: it retraces itself, its force is a function, its energies are accurate.

A deterministic force, however rounded, keeps the leapfrog reversible and volume-preserving; one with a memory or noise
does not, and an energy of coarse products samples another law without any sign of it in <exp(-dH)> = 1.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import leapfrog
from mcmc.systems.base import System

FLOAT32_UNIT = 2.0**-24  # relative error of one float32 rounding


class TrajectoryCheck(NamedTuple):
    """The faults of one trajectory of each chain, all (D, C).

    Attributes:
        reversal:      float64, |x' - x| / sqrt(N_0), x' the end of the way back.
        energy_error:  float64, |H - H_64| / (|H_64| + |x| |dH/dx|) in float32 roundings, H_64 from float64 arithmetic.
            The denominator is what a relative change of x by one changes; float32 gives about 1, bfloat16 thousands.
        decision_error: float64, beta |dH - dH_64|, dH the difference of H between the two ends: by how much the
            precision of the energies moves the logarithm of the acceptance ratio.
        is_repeatable: bool, force and energy at the end point are the same bits when they are computed again.
    """

    reversal: Tensor
    energy_error: Tensor
    decision_error: Tensor
    is_repeatable: Tensor


def check_trajectories(
    system: System, x: Tensor, momentum: Tensor, beta: Tensor, step_size: Tensor, n_leapfrog: int | Tensor
) -> TrajectoryCheck:
    """Go there and back from (x, momentum) and compare; arguments as for `leapfrog`. Costs two trajectories."""
    fine = system.in_float64()
    energy, grad = system.energy_and_grad(x)
    end = leapfrog(system, ChainState(x, energy, grad, momentum), beta, step_size, n_leapfrog)
    assert end.grad is not None
    assert end.momentum is not None
    turned = ChainState(end.x, end.energy, end.grad, -end.momentum)
    back = leapfrog(system, turned, beta, step_size, n_leapfrog)
    again_energy, again_grad = system.energy_and_grad(end.x)
    exact_energy, exact_grad = fine.energy_and_grad(end.x.to(torch.float64))
    exact_start, _ = fine.energy_and_grad(x.to(torch.float64))
    change = end.energy.to(torch.float64) - energy.to(torch.float64)
    scale = exact_energy.abs() + _norm(end.x) * _norm(exact_grad)
    return TrajectoryCheck(
        _norm(back.x.to(torch.float64) - x) / math.sqrt(system.n_sites),
        (end.energy - exact_energy).abs() / scale / FLOAT32_UNIT,
        beta.to(torch.float64) * (change - (exact_energy - exact_start)).abs(),
        (again_energy == end.energy) & (again_grad == end.grad).all(-1),
    )


def _norm(t: Tensor) -> Tensor:
    return torch.linalg.vector_norm(t, dim=-1, dtype=torch.float64)
