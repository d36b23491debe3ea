"""Exact finite-width answers, independent of every sampler (equations.md, section 2).

linear activation, any N_0      von Mises-Fisher law of the energy, log Z and <q> by one-dimensional quadrature
any activation, N_0 = 2, 3      the whole density by quadrature on the circle and on the sphere
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import gammaln, roots_legendre

from mcmc.systems.base import System
from mcmc.systems.mlp.networks import Networks


@dataclass(frozen=True)
class ExactMoments:
    """Moments of exp(-beta H) in one system; energies are densities e = H/N_0.

    Attributes:
        mean_energy, variance, third: <e>, <(e-<e>)^2>, <(e-<e>)^3>.
        overlap:      <q^0> of two independent replicas.
        log_z:        log of the integral of exp(-beta H) over the normalised measure.
    """

    mean_energy: float
    variance: float
    third: float
    overlap: float
    log_z: float


def linear_field(networks: Networks) -> torch.Tensor:
    """g with H(x) = g.x for linear networks without biases: (D, N_0).

    Raises:
        ValueError: the activation is not linear, or there are biases.
    """
    if networks.activation.name != "linear" or any(b is not None for b in networks.biases):
        raise ValueError(f"H(x) = g.x needs linear layers without biases, found {networks.activation.name}")
    g = networks.readout.unsqueeze(1)
    for w in reversed(networks.weights):
        g = torch.bmm(g, w)
    return g[:, 0]


def von_mises_fisher(field_norm: float, n_sites: int, beta: float, *, n_nodes: int = 4000) -> ExactMoments:
    """Moments of p(x) ~ exp(-beta g.x) on |x|^2 = N_0, from the law of t = x.g / (|g| sqrt(N_0)).

        p(t) ~ exp(-kappa t) (1 - t^2)^{(N_0-3)/2},   kappa = beta sqrt(N_0) |g|,   <q> = <t>^2

    Args:
        field_norm: |g|.
    """
    nodes, weights = roots_legendre(n_nodes)
    angle = 0.5 * math.pi * (nodes + 1)  # t = cos(angle) turns the end-point singularity of N_0 = 2 into nothing
    t = np.cos(angle)
    log_area = gammaln(n_sites / 2) - gammaln((n_sites - 1) / 2) - 0.5 * math.log(math.pi)
    kappa = beta * math.sqrt(n_sites) * field_norm
    log_density = -kappa * t + (n_sites - 2) * np.log(np.sin(angle)) + log_area
    shift = log_density.max()
    mass = np.exp(log_density - shift) * weights * 0.5 * math.pi
    z = mass.sum()
    energy = field_norm * t / math.sqrt(n_sites)
    mean = float((mass * energy).sum() / z)
    centred = energy - mean
    return ExactMoments(
        mean,
        float((mass * centred**2).sum() / z),
        float((mass * centred**3).sum() / z),
        float((mass * t).sum() / z) ** 2,
        float(math.log(z) + shift),
    )


def sphere_rule(n_sites: int, *, n_nodes: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (M, N_0) on |x|^2 = N_0 and weights (M,) that integrate against the normalised measure; N_0 = 2, 3.

    The circle takes the trapezoid rule; the sphere a product of Gauss-Legendre in height and the trapezoid rule,
    which converges for kinked activations too (a Lebedev rule is checked against it for smooth ones in the tests).
    """
    turn = 2 * math.pi * (np.arange(4 * n_nodes) + 0.5) / (4 * n_nodes)
    if n_sites == 2:
        x = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        weight = np.full(len(turn), 1 / len(turn))
    elif n_sites == 3:
        height, height_weight = roots_legendre(n_nodes)
        radius = np.sqrt(1 - height**2)
        x = np.stack(
            [
                np.outer(radius, np.cos(turn)),
                np.outer(radius, np.sin(turn)),
                np.outer(height, np.ones_like(turn)),
            ],
            axis=-1,
        ).reshape(-1, 3)
        weight = np.outer(height_weight / 2, np.full(len(turn), 1 / len(turn))).reshape(-1)
    else:
        raise ValueError(f"quadrature on the whole sphere exists here for N_0 = 2 and 3, found {n_sites}")
    return torch.from_numpy(math.sqrt(n_sites) * x), torch.from_numpy(weight)


def quadrature_moments(system: System, beta: float, *, n_nodes: int = 400) -> list[ExactMoments]:
    """Exact moments of every network of a system with N_0 = 2 or 3 sites, in float64."""
    points, weights = sphere_rule(system.n_sites, n_nodes=n_nodes)
    moments = []
    for place in range(len(system.network_ids)):
        one = system.narrow(place, place + 1)
        chunks = points.to(system.dtype).split(100_000)
        energy = torch.cat([one.energy(chunk.unsqueeze(0))[0] for chunk in chunks])
        log_weight = -beta * energy + torch.log(weights)
        log_z = torch.logsumexp(log_weight, 0)
        p = torch.exp(log_weight - log_z)
        e = energy / system.n_sites
        mean = (p * e).sum()
        mean_position = (p.unsqueeze(-1) * points).sum(0)
        moments.append(
            ExactMoments(
                float(mean),
                float((p * (e - mean) ** 2).sum()),
                float((p * (e - mean) ** 3).sum()),
                float((mean_position**2).sum() / system.n_sites),
                float(log_z),
            )
        )
    return moments
