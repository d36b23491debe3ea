"""Draws of many real replicas from a configuration, kept in memory: for checks against exact answers."""

from dataclasses import dataclass

import numpy as np
import torch

from mcmc.config import RunConfig
from mcmc.exchange.state import to_temperature_order
from mcmc.run.simulation import Simulation


@dataclass(frozen=True)
class ReplicaDraws:
    """What the replicas did after burn-in.

    Attributes:
        energy:     (n, D, K, R) energy densities.
        overlap:    (n, D, K, R // 2) overlaps q^0 of the disjoint pairs (0,1), (2,3), ...: independent of each other.
        simulation: at its end; its diagnostics are of the draws alone.
    """

    energy: np.ndarray
    overlap: np.ndarray
    simulation: Simulation


def draw_replicas(config: RunConfig, *, n_burn_in: int, n_draws: int) -> ReplicaDraws:
    """Run the loop that production runs, at the ladder and step sizes of the configuration, nothing adapted."""
    simulation = Simulation.start(config, torch.device("cpu"))
    for _ in range(n_burn_in):
        simulation.advance()
    simulation.diagnostics.reset()
    energies, overlaps = [], []
    n_inputs, paired = simulation.system.n_sites, simulation.shape[2] // 2 * 2
    for _ in range(n_draws):
        simulation.advance()
        energies.append(to_temperature_order(simulation.energy_by_slot(), simulation.exchange) / n_inputs)
        x = torch.cat([chains.x for chains in simulation.chains]).view(*simulation.shape, n_inputs)
        x = to_temperature_order(x, simulation.exchange)[:, :, :paired].to(torch.float64)
        overlaps.append((x[:, :, 0::2] * x[:, :, 1::2]).sum(-1) / n_inputs)
    return ReplicaDraws(torch.stack(energies).numpy(), torch.stack(overlaps).numpy(), simulation)
