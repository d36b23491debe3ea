"""Exact checks on the user's own configuration: its kernel, activation and widths against answers known beforehand.

gradient            the force of this very network against finite differences of its energy
precision           beta times the float32 error of the energy, where float32 is used
circle, sphere      the configured network with N_0 = 2 and 3 inputs: the whole density by quadrature
linear              the configured shape with phi = id: von Mises-Fisher law
uniform             beta = 0: Var q^0 = 1/N_0
identity A          of the configured model, at beta_max
slope               log-ratio of the energy histograms of two temperatures of one network has slope -(dbeta)
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import norm, t

from mcmc.config import RunConfig, parse_config
from mcmc.kernels.base import initial_positions
from mcmc.run.build import build_blocks, build_system
from mcmc.run.replicas import ReplicaDraws, draw_replicas
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.exact import ExactMoments, linear_field, quadrature_moments, von_mises_fisher

N_SIGMA = 4.5  # about 30 checks: one false alarm in 5000 tables
N_REPLICAS = 64
N_BURN_IN, N_DRAWS = 150, 250
STEPS_PER_SWEEP = {"hmc": 1, "mala": 3, "langevin": 5, "random_walk": 10}


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        stderr: of the measured value; for a deterministic check, the largest error that rounding allows.
        passed: within N_SIGMA errors, as the tail of Student's t for the number of independent replicas.
    """

    name: str
    measured: float
    stderr: float
    exact: float
    passed: bool

    @property
    def n_sigma(self) -> float:
        """(measured - exact) / stderr."""
        return (self.measured - self.exact) / self.stderr if self.stderr > 0 else math.inf

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "n_sigma": self.n_sigma}


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
    checks.append(_replica_check("uniform: N_0 <q^2> at beta=0", draws.overlap[:, 0, 0] ** 2 * system.n_sites, 1.0))
    checks.append(_identity(config, beta))
    checks.append(slope_check(config, beta))
    return checks


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
            _replica_check(f"{name}: <e> at beta={beta:.3g}", e, moments.mean_energy),
            _replica_check(f"{name}: Var e at beta={beta:.3g}", (e - moments.mean_energy) ** 2, moments.variance),
            _replica_check(f"{name}: <q> at beta={beta:.3g}", draws.overlap[:, 0, k], moments.overlap),
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
    return _replica_check(f"identity A at beta={beta:.3g}", torch.stack(difference).numpy(), 0.0)


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
    return _check(f"slope of log P ratio at beta={beta:.3g}", value, stderr, gap, n)


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


def _replica_check(name: str, values: np.ndarray, exact: float) -> Check:
    """(n_draws, n_replicas) of independent replicas (or networks) against an exact mean."""
    means = values.mean(0)
    n = len(means)
    return _check(name, float(means.mean()), float(means.std(ddof=1) / math.sqrt(n)), exact, n)


def _check(name: str, measured: float, stderr: float, exact: float, n: int) -> Check:
    bound = float(t.isf(norm.sf(N_SIGMA), n - 1))
    return Check(name, measured, stderr, exact, bool(stderr > 0 and abs(measured - exact) <= bound * stderr))


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
