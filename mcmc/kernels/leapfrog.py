"""Leapfrog trajectories with exact geodesic drift: the one function in which all the time is spent.

    p <- p - (eps/2) beta P_x grad H(x);   (x, p) <- geodesic flow for a time eps;   p <- p - (eps/2) beta P_x grad H(x)

P_x projects on the tangent space. Each map preserves volume and the composition is reversible under p -> -p, whatever
the force field is, so the Metropolis test on the energies makes it exact [Byrne and Girolami 2013, geodesic HMC].
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mcmc.kernels.base import ChainState
from mcmc.systems.base import System


def kinetic_energy(p: Tensor) -> Tensor:
    """|p|^2 / 2 for each chain: (D, C, n0) -> (D, C) float64 (float64: it enters the Metropolis test)."""
    return 0.5 * torch.sum(p * p, dim=-1, dtype=torch.float64)


def leapfrog(
    system: System,
    start: ChainState,
    beta: Tensor,
    step_size: Tensor,
    n_leapfrog: int | Tensor,
    before_last_force: Callable[[Tensor], Tensor] | None = None,
) -> ChainState:
    """End point of the trajectory of every chain.

    Args:
        start:      positions, energies, gradients and tangent momenta.
        beta:       (D, C) float64.
        step_size:  (D, C), eps.
        n_leapfrog: number of steps, one for all or one a chain; chains that are done stand still.
        before_last_force: changes the end positions before their energy and gradient are computed.
    Returns:
        positions, energies, gradients and momenta at the end.
    """
    assert start.grad is not None
    assert start.momentum is not None
    manifold = system.manifold
    n_steps = n_leapfrog if isinstance(n_leapfrog, int) else int(n_leapfrog.max())
    x, p, grad, energy = start.x, start.momentum, start.grad, start.energy

    def eps_of_step(i: int) -> Tensor | int:
        if isinstance(n_leapfrog, int):
            return step_size if i < n_steps else 0
        return torch.where(i < n_leapfrog, step_size, 0)

    def kick(duration: Tensor) -> Tensor:
        impulse = (-duration * beta).to(p.dtype).unsqueeze(-1)
        return p + impulse * manifold.project_tangent(x, grad)

    p = kick(0.5 * eps_of_step(0))
    for i in range(n_steps):
        x, p = manifold.reproject(*manifold.geodesic_flow(x, p, eps_of_step(i)))
        if before_last_force is not None and i == n_steps - 1:
            x = before_last_force(x)
        energy, grad = system.energy_and_grad(x)
        # the closing half kick of this step and the opening one of the next happen at the same place
        p = kick(0.5 * (eps_of_step(i) + eps_of_step(i + 1)))
    return ChainState(x, energy, grad, p)


def energy_error(start: ChainState, end: ChainState, beta: Tensor) -> Tensor:
    """Change of beta H + |p|^2/2 along a trajectory: (D, C) float64.

    At beta = 0 the end point was drawn afresh and is always accepted, though a non-finite energy still shows.
    """
    assert start.momentum is not None
    assert end.momentum is not None
    error = beta * (end.energy - start.energy) + kinetic_energy(end.momentum) - kinetic_energy(start.momentum)
    return torch.where(beta == 0, beta * end.energy, error)
