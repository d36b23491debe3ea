"""Small runs of the real thing (`Simulation`, the loop that production uses) on targets with exact answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mcmc.config import RunConfig, parse_config
from mcmc.run.replicas import draw_replicas
from mcmc.run.simulation import Simulation
from mcmc.systems.mlp.exact import ExactMoments, linear_field, quadrature_moments, von_mises_fisher
from tests.support.stats import assert_within_sigma

BETAS = (0.0, 0.4, 0.9, 1.6, 2.5)
STEP_SIZES = {"hmc": 0.25, "mala": 0.45, "langevin": 0.35, "random_walk": 0.5}
STEPS_PER_SWEEP = {"hmc": 1, "mala": 3, "langevin": 3, "random_walk": 5}


@dataclass
class Draws:
    """Energy densities (n, D, K, R), overlaps of disjoint pairs (n, D, K, R/2), and <exp(-dH)> (D, K, R)."""

    energy: np.ndarray
    overlap: np.ndarray
    exp_minus_error: np.ndarray
    simulation: Simulation


def small_config(
    *,
    activation: str = "linear",
    n_inputs: int = 8,
    width_ratios: tuple[float, ...] = (1.5,),
    kernel: str = "hmc",
    exchange: bool = True,
    betas: tuple[float, ...] = BETAS,
    n_networks: int = 2,
    n_replicas: int = 128,
    seed: int = 20,
    sigma_b: float = 0.0,
    n_leapfrog: int | list[int] = 4,
    jitter: float = 0.3,
    step_size: float | None = None,
    dtype: str = "float64",
    force_dtype: str = "auto",
) -> RunConfig:
    """Many independent replicas at fixed temperatures and step sizes."""
    return parse_config(
        {
            "model": {
                "activation": activation,
                "n_inputs": n_inputs,
                "width_ratios": list(width_ratios),
                "n_networks": n_networks,
                "sigma_w": 1.2,
                "sigma_b": sigma_b,
            },
            "sampler": {
                "kernel": kernel,
                "n_leapfrog": n_leapfrog,
                "step_size": step_size or STEP_SIZES[kernel],
                "steps_per_sweep": STEPS_PER_SWEEP[kernel],
                "jitter": jitter,
                "force_dtype": force_dtype,
            },
            "tempering": {"betas": list(betas), "n_replicas": n_replicas, "exchange": exchange},
            "run": {"seed": seed, "dtype": dtype, "n_burn_in": 0, "n_sweeps": 1000},
        }
    )


def simulate(*, n_burn_in: int = 50, n_draws: int = 150, **sizes: Any) -> Draws:
    """Short chains of `small_config(**sizes)`."""
    draws = draw_replicas(small_config(**sizes), n_burn_in=n_burn_in, n_draws=n_draws)
    diagnostics = draws.simulation.diagnostics.tensors
    mean_exp = diagnostics["exp_minus_energy_error"] / diagnostics["n_steps"]
    return Draws(draws.energy, draws.overlap, mean_exp.numpy(), draws.simulation)


def exact_moments(draws: Draws) -> list[list[ExactMoments]]:
    """[network][temperature], from the von Mises-Fisher law or, for N_0 = 2 and 3, from quadrature."""
    system, betas = draws.simulation.system, draws.simulation.ladder.betas
    networks = system.networks
    if networks.activation.name == "linear":
        norms = torch.linalg.vector_norm(linear_field(networks), dim=-1)
        return [[von_mises_fisher(float(norm), system.n_sites, beta) for beta in betas] for norm in norms]
    by_beta = [quadrature_moments(system, beta) for beta in betas]
    return [list(of_network) for of_network in zip(*by_beta, strict=True)]


def assert_exact(draws: Draws) -> None:
    """<e>, Var e, third central moment, <q> and <exp(-dH)> = 1 at every temperature of every network."""
    exact = exact_moments(draws)
    for d, of_network in enumerate(exact):
        for k, moments in enumerate(of_network):
            where = f"network {d}, beta {draws.simulation.ladder.betas[k]}"
            e = draws.energy[:, d, k]
            centred = e - moments.mean_energy
            assert_within_sigma(e, moments.mean_energy, what=f"<e>, {where}")
            assert_within_sigma(centred**2, moments.variance, what=f"Var e, {where}")
            assert_within_sigma(centred**3, moments.third, what=f"third moment of e, {where}")
            assert_within_sigma(draws.overlap[:, d, k], moments.overlap, what=f"<q>, {where}")
