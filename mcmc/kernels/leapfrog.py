"""Leapfrog trajectories with exact geodesic drift: the one function in which all the time is spent.

    p <- p - (eps/2) beta P_x grad H(x);   (x, p) <- geodesic flow for a time eps;   p <- p - (eps/2) beta P_x grad H(x)

P_x projects on the tangent space. Each map preserves volume and the composition is reversible under p -> -p, whatever
the force field is, so the Metropolis test on the energies makes it exact [Byrne and Girolami 2013, geodesic HMC].
"""

import torch
from torch import Tensor

from mcmc import native
from mcmc.kernels.base import ChainState
from mcmc.systems.base import System
from mcmc.systems.schedule import leapfrog_schedule

REPROJECT_EVERY = 16  # steps: in float32 the norm drifts by about 1e-7 a step, and each correction is two more passes


def kinetic_energy(p: Tensor) -> Tensor:
    """|p|^2 / 2 for each chain: (D, C, n0) -> (D, C) float64 (float64: it enters the Metropolis test)."""
    if native.serves_rows(p):
        return torch.ops.mlp_gibbs.kinetic_energy(p)
    return 0.5 * torch.sum(p * p, dim=-1, dtype=torch.float64)


def leapfrog(
    system: System,
    start: ChainState,
    beta: Tensor,
    step_size: Tensor,
    n_leapfrog: int | Tensor,
    fresh: Tensor | None = None,
    *,
    longest: int | None = None,
) -> ChainState:
    """End point of the trajectory of every chain.

    Args:
        start:      positions, energies, gradients and tangent momenta.
        beta:       (D, C) float64.
        step_size:  (D, C), eps.
        n_leapfrog: number of steps, one for all or one a chain; chains that are done stand still.
        longest:    largest of n_leapfrog; if not given, a device is asked for it, and waited for.
        fresh:      (D, C, n0) end positions of the chains at beta = 0, where a draw of one's own is exact and fastest.
    Returns:
        positions, energies, gradients and momenta at the end.
    """
    assert start.grad is not None
    assert start.momentum is not None
    n_steps = longest or (n_leapfrog if isinstance(n_leapfrog, int) else int(n_leapfrog.max()))
    fused = system.fused_leapfrog(
        start.x, start.momentum, start.grad, fresh, beta, step_size, n_leapfrog, n_steps, REPROJECT_EVERY
    )
    if fused is not None:
        return ChainState(fused.x, fused.energy, fused.grad, fused.momentum, fused.kinetic_change)
    manifold = system.manifold
    x, grad, energy = start.x, start.grad, start.energy
    # memory used again from step to step: fresh pages cost more than what is computed in them
    here, there, gradient = (torch.empty_like(x) for _ in range(3))
    kicks, drifts = leapfrog_schedule(step_size, beta, n_leapfrog, n_steps)
    p = torch.addcmul(start.momentum, kicks[0], manifold.project_tangent(x, grad, there))
    for i in range(n_steps):
        x, p = manifold.geodesic_flow(x, p, drifts[i], here)
        here, there = there, here
        if i == n_steps - 1 or i % REPROJECT_EVERY == REPROJECT_EVERY - 1:
            (x, p), here = manifold.reproject(x, p, here), p
        if fresh is not None and i == n_steps - 1:
            x = torch.where((beta == 0).unsqueeze(-1), fresh, x)
        if i == n_steps - 1:
            energy, grad = system.energy_and_grad(x)
        else:
            grad = system.grad(x, gradient)
        p.addcmul_(kicks[i + 1], manifold.project_tangent(x, grad, here))
    return ChainState(x, energy, grad, p)


def energy_error(start: ChainState, end: ChainState, beta: Tensor) -> Tensor:
    """Change of beta H + |p|^2/2 along a trajectory: (D, C) float64.

    At beta = 0 the end point was drawn afresh and is always accepted, though a non-finite energy still shows.
    """
    assert start.momentum is not None
    assert end.momentum is not None
    kinetic = end.kinetic_change
    if kinetic is None:
        kinetic = kinetic_energy(end.momentum) - kinetic_energy(start.momentum)
    if native.serves_numbers(beta):
        return torch.ops.mlp_gibbs.energy_error(beta, start.energy, end.energy, kinetic)
    error = beta * (end.energy - start.energy) + kinetic
    return torch.where(beta == 0, beta * end.energy, error)
