"""Exact checks on the user's own configuration: its kernel, activation and widths against answers known beforehand.

gradient            the force of this very network against finite differences of its energy
precision           beta times the float32 error of the energy, where float32 is used
circle, sphere      the configured network with N_0 = 2 and 3 inputs: the whole density by quadrature
linear              the configured shape with phi = id: von Mises-Fisher law
uniform             beta = 0: Var q^0 = 1/N_0
identity A          of the configured model, at beta_max
slope               log-ratio of the energy histograms of two temperatures of one network has slope -(dbeta)
layers              the kernel in flat space, on the chain of layers (`mcmc.systems.layers`), against its exact draws
"""

import math
from typing import Any

import numpy as np
import torch

from mcmc.compare.check import Check, replica_check, statistical_check
from mcmc.compare.layers import layer_checks
from mcmc.config import RunConfig, parse_config
from mcmc.kernels.base import initial_positions
from mcmc.kernels.registry import leapfrog_steps, make_kernel
from mcmc.run.build import build_blocks, build_system
from mcmc.run.chains import ChainPlan
from mcmc.run.replicas import ReplicaDraws, draw_replicas
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.exact import ExactMoments, linear_field, quadrature_moments, von_mises_fisher

N_REPLICAS = 64
N_BURN_IN, N_DRAWS = 150, 250
N_EXACT = 50_000  # independent draws of the chain of layers
LAYER_WIDTH, LAYER_DEPTH = 5, 3
STEPS_PER_SWEEP = {"hmc": 1, "mala": 3, "langevin": 5, "random_walk": 10}


def verify_config(config: RunConfig) -> list[Check]:
    """All checks of a configuration; takes about a minute on two cores."""
    beta = config.tempering.beta_max
    checks = [_gradient(config)]
    if config.run.dtype == "float32":
        checks.append(_precision(config))
    for n_inputs, name in ((2, "circle"), (3, "sphere")):
        small = _variant(config, {"n_inputs": n_inputs, "n_networks": 1}, [0.0, 0.5 * beta, beta])
        draws = draw_replicas(small, n_burn_in=N_BURN_IN, n_draws=N_DRAWS)
        system = build_system(_with(small, "run", {"dtype": "float64"}), torch.device("cpu"))
        checks += _moments(name, draws, [quadrature_moments(system, b)[0] for b in draws.simulation.ladder.betas])
    linear = _variant(
        config,
        {"activation": "linear", "activation_params": {}, "sigma_b": 0.0, "n_networks": 1},
        [0.0, 0.5 * beta, beta],
    )
    draws = draw_replicas(linear, n_burn_in=N_BURN_IN, n_draws=N_DRAWS)
    system = build_system(_with(linear, "run", {"dtype": "float64"}), torch.device("cpu"))
    field = float(torch.linalg.vector_norm(linear_field(system.networks)))
    checks += _moments(
        "linear", draws, [von_mises_fisher(field, system.n_sites, b) for b in draws.simulation.ladder.betas]
    )
    checks.append(replica_check("uniform: N_0 <q^2> at beta=0", draws.overlap[:, 0, 0] ** 2 * system.n_sites, 1.0))
    checks.append(_identity(config, beta))
    checks.append(slope_check(config, beta))
    return checks + layers(config)


def _gradient(config: RunConfig) -> Check:
    system, x = _start(_with(config, "run", {"dtype": "float64"}))
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    direction = direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
    eps = 1e-5
    slope = (system.energy(x + eps * direction) - system.energy(x - eps * direction)) / (2 * eps)
    _, grad = system.energy_and_grad(x)
    # median: a kink within eps of a point spoils its difference, not its gradient
    error = float(((grad * direction).sum(-1) - slope).abs().median() / slope.abs().median())
    tolerance = 1e-7
    return Check("gradient: relative error", error, tolerance, 0.0, error < tolerance)


def _precision(config: RunConfig) -> Check:
    fast, x = _start(config)
    exact = build_system(_with(config, "run", {"dtype": "float64"}), torch.device("cpu"))
    error = float((fast.energy(x) - exact.energy(x.double())).abs().max()) * config.tempering.beta_max
    tolerance = 0.01  # moves an acceptance probability by at most 1 %, and averages out
    return Check("precision: max beta |dH| in float32", error, tolerance, 0.0, error < tolerance)


def _moments(name: str, draws: ReplicaDraws, exact: list[ExactMoments]) -> list[Check]:
    checks = []
    for k, moments in enumerate(exact):
        beta = draws.simulation.ladder.betas[k]
        e = draws.energy[:, 0, k]
        checks += [
            replica_check(f"{name}: <e> at beta={beta:.3g}", e, moments.mean_energy),
            replica_check(f"{name}: Var e at beta={beta:.3g}", (e - moments.mean_energy) ** 2, moments.variance),
            replica_check(f"{name}: <q> at beta={beta:.3g}", draws.overlap[:, 0, k], moments.overlap),
        ]
    return checks


def _identity(config: RunConfig, beta: float) -> Check:
    """Identity A over networks, two replicas each, at beta_max."""
    betas = (
        np.linspace(0.0, beta, config.tempering.n_temperatures).tolist()
        if config.tempering.n_temperatures > 1
        else [beta]
    )
    many = _variant(config, {"n_networks": max(24, config.model.n_networks)}, betas, n_replicas=2)
    simulation = draw_replicas(many, n_burn_in=N_BURN_IN, n_draws=1).simulation
    difference = []
    for _ in range(N_DRAWS):
        simulation.advance()
        m = simulation.measure()
        assert m.overlaps is not None
        gap = m.overlaps.within[:, -1, :, -1].mean(-1) - m.overlaps.between[:, -1, :, -1].mean(-1)
        difference.append(m.energy[:, -1].mean(-1) / m.n_sites + beta * gap)
    return replica_check(f"identity A at beta={beta:.3g}", torch.stack(difference).numpy(), 0.0)


def slope_check(config: RunConfig, beta: float) -> Check:
    """Maximum-likelihood slope of log P_1(e)/P_2(e) of two neighbouring temperatures, by classification of energies."""
    n_sites = config.model.n_inputs
    gap = min(0.3 * beta, 3.0 / math.sqrt(n_sites))
    pair = _variant(config, {"n_networks": 1}, [beta - gap, beta])
    draws = draw_replicas(pair, n_burn_in=N_BURN_IN, n_draws=N_DRAWS)
    hot, cold = (draws.energy[:, 0, k] * n_sites for k in (0, 1))
    # jackknife over replicas: the two ladders' energies of one replica are swapped between each other
    n = hot.shape[1]
    slopes = np.array([_logistic_slope(np.delete(hot, i, 1).ravel(), np.delete(cold, i, 1).ravel()) for i in range(n)])
    value = _logistic_slope(hot.ravel(), cold.ravel())
    stderr = float(np.sqrt((n - 1) * slopes.var()))
    return statistical_check(f"slope of log P ratio at beta={beta:.3g}", value, stderr, gap, n)


def layers(config: RunConfig) -> list[Check]:
    """The configured kernel and activation on a chain of layers, whose law at beta = 1 is that of random networks."""
    phi = make_activation(config.model.activation, depth=LAYER_DEPTH, **config.model.activation_params)
    first = torch.tensor([[2.0]], dtype=torch.float64)  # not the fixed point: every layer has another variance
    chain = LayerChain(torch.arange(1), phi, LAYER_WIDTH, LAYER_DEPTH, sigma_w=1.1, sigma_b=0.5, first=first)
    sampler = config.sampler
    plan = ChainPlan(
        (0.8, 1.0),
        N_REPLICAS,
        N_BURN_IN,
        N_DRAWS,
        steps_per_sweep=max(sampler.steps_per_sweep, STEPS_PER_SWEEP[sampler.kernel]),
        n_leapfrog=max(leapfrog_steps(sampler, config.tempering.n_temperatures)),
        exchange=config.tempering.exchange,
    )
    found, _ = layer_checks(chain, make_kernel(sampler), plan, seed=config.run.seed, n_exact=N_EXACT)
    return [line.check for line in found if line.check is not None]


def _logistic_slope(hot: np.ndarray, cold: np.ndarray) -> float:
    """s in P(hot | H) = 1 / (1 + exp(-(s H + c))) at maximum likelihood, by Newton; s = beta_cold - beta_hot."""
    h = np.concatenate([hot, cold])
    centre, scale = h.mean(), h.std()
    z = (h - centre) / scale
    label = np.concatenate([np.ones_like(hot), np.zeros_like(cold)])
    w = np.zeros(2)
    design = np.stack([z, np.ones_like(z)])
    for _ in range(25):
        p = 1 / (1 + np.exp(-(w @ design)))
        gradient = design @ (label - p)
        step = np.linalg.solve((design * (p * (1 - p))) @ design.T, gradient)
        w = w + step
        if np.abs(step).max() < 1e-10:
            break
    return float(w[0] / scale)


def _start(config: RunConfig) -> tuple[MlpSystem, torch.Tensor]:
    system = build_system(config, torch.device("cpu"))
    x = torch.cat([initial_positions(block.streams, block.system) for block in build_blocks(config, system)])
    return system, x


def _with(config: RunConfig, section: str, changes: dict[str, Any]) -> RunConfig:
    data = config.model_dump()
    data[section] |= changes
    return parse_config(data)


def _variant(
    config: RunConfig, model: dict[str, Any], betas: list[float], *, n_replicas: int = N_REPLICAS
) -> RunConfig:
    """The configuration with another model part, fixed temperatures and fixed step sizes."""
    data = config.model_dump()
    data["model"] |= model
    if "n_inputs" in model and model["n_inputs"] < 4:  # a hidden layer of one or two units would be a poor test
        data["model"]["width_ratios"] = [max(ratio, 3.0) for ratio in config.model.width_ratios]
    data["tempering"] = {"betas": betas, "n_replicas": n_replicas, "exchange": config.tempering.exchange}
    data["sampler"]["step_size"] = data["sampler"]["step_size"] or _safe_step(config, betas)
    # a slow chain must not look like a wrong one: as much movement a sweep as one short HMC trajectory
    data["sampler"]["steps_per_sweep"] = max(config.sampler.steps_per_sweep, STEPS_PER_SWEEP[config.sampler.kernel])
    if isinstance(data["sampler"]["n_leapfrog"], list):
        data["sampler"]["n_leapfrog"] = max(data["sampler"]["n_leapfrog"])
    data["run"] |= {"n_burn_in": 0, "n_sweeps": N_DRAWS, "measure_every": 1}
    data["output"] = {}
    return parse_config(data)


def _safe_step(config: RunConfig, betas: list[float]) -> float:
    """A step that every kernel accepts often enough at these temperatures; the checks are exact whatever it is."""
    scale = {"hmc": 0.5, "mala": 0.6, "langevin": 0.4, "random_walk": 0.8}[config.sampler.kernel]
    return scale / (1 + math.sqrt(max(betas))) / max(1.0, config.model.n_inputs**0.25 / 2)
