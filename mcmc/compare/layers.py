"""Kernels against the exact law of the chain of layers: a target of any dimension whose independent draws are known.

At beta = 1 the exact answer is ancestral sampling; at other temperatures, weighted ancestral sampling while its weights
are spread over enough draws. The observables see every layer, both signs of z and the coupling of layers.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcmc.compare.check import Check, statistical_check
from mcmc.kernels.base import Kernel
from mcmc.rng import Streams
from mcmc.run.chains import ChainDraws, ChainPlan, draw_chains
from mcmc.systems.layers.ancestral import ancestral_positions
from mcmc.systems.layers.chain import LayerChain

N_EXACT = 200_000  # ancestral draws: their error is a small part of that of the chains
MIN_WEIGHT_ESS = 2_000.0  # below it a ratio of weighted means is biased by more than its error says
START_SCALE = 0.3  # chains start from compressed draws, far from equilibrium: burn-in must bring them there
FIRST_EXACT_CHAIN = 1 << 24  # exact draws have chain ids of their own


@dataclass(frozen=True)
class LayerCheck:
    """Sampled and exact means of one observable at one temperature.

    Attributes:
        check:        None where no exact answer is known.
        value, stderr: of the chains, from the scatter of their replicas.
    """

    beta: float
    observable: str
    value: float
    stderr: float
    check: Check | None

    def to_json(self) -> dict[str, Any]:
        """Plain values; exact, z and passed are None where no exact answer is known."""
        known = self.check
        return {
            "beta": self.beta,
            "observable": self.observable,
            "measured": self.value,
            "stderr": self.stderr,
            "exact": known.exact if known else None,
            "z": known.n_sigma if known else None,
            "passed": known.passed if known else None,
        }


def observable_names(chain: LayerChain) -> list[str]:
    """Names of the last axis of `observe`."""
    sites = range(1, chain.depth + 1)
    names = [f"ln det Sigma_{site}" for site in sites[1:]]
    if chain.depth > 2:
        names.append(f"ln det Sigma_2 * ln det Sigma_{chain.depth}")
    return [*names, *(f"phi(z^{site})" for site in sites), *(f"z^{site}" for site in sites), "H / sites"]


def observe(chain: LayerChain, x: Tensor) -> Tensor:
    """Observables of positions (..., n_sites): (..., M) float64."""
    log_det = torch.logdet(chain.covariances(x))[..., 1:]
    columns = [log_det]
    if chain.depth > 2:
        columns.append(log_det[..., :1] * log_det[..., -1:])
    z = x.to(torch.float64).unflatten(-1, (chain.depth, -1))
    columns += [chain.activation.phi(z).mean(-1), z.mean(-1)]
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    columns.append((chain.energy(flat) / chain.n_sites).view(*x.shape[:-1], 1))
    return torch.cat(columns, dim=-1)


def exact_means(chain: LayerChain, beta: float, *, seed: int, n_draws: int = N_EXACT) -> tuple[np.ndarray, np.ndarray]:
    """Means of the observables and errors by weighted ancestral draws, (M,) each; NaN if few carry all weight."""
    one = chain.narrow(0, 1)
    block = max(1, min(n_draws, 20_000_000 // chain.n_sites))
    values, log_weights = [], []
    for start in range(0, n_draws, block):
        chains = torch.arange(start, min(start + block, n_draws), device=chain.device) + FIRST_EXACT_CHAIN
        x, log_weight = ancestral_positions(one, Streams(seed, one.ids, chains), beta)
        values.append(observe(one, x)[0])
        log_weights.append(log_weight[0])
    value, log_weight = torch.cat(values), torch.cat(log_weights)
    weight = torch.softmax(log_weight, 0).unsqueeze(-1)
    mean = (weight * value).sum(0)
    stderr = ((weight * (value - mean)) ** 2).sum(0).sqrt()
    if 1 / float((weight**2).sum()) < MIN_WEIGHT_ESS:
        mean = stderr = torch.full_like(mean, math.nan)
    return mean.cpu().numpy(), stderr.cpu().numpy()


def sample_layers(chain: LayerChain, kernel: Kernel, plan: ChainPlan, *, seed: int) -> ChainDraws:
    """Draws of the observables of the chain by a kernel, from a start that is not its law."""
    chain_ids = torch.arange(len(plan.betas) * plan.n_replicas, device=chain.device)
    start, _ = ancestral_positions(chain, Streams(seed, chain.ids, chain_ids))
    return draw_chains(chain, kernel, START_SCALE * start, plan, lambda x: observe(chain, x), seed=seed)


def layer_checks(
    chain: LayerChain, kernel: Kernel, plan: ChainPlan, *, seed: int, n_exact: int = N_EXACT
) -> tuple[list[LayerCheck], ChainDraws]:
    """Every observable at every temperature of the plan; independent units of error are the replicas of all D copies.

    <exp(-dH)> = 1 is not among them: on a flat space its variance may be infinite.
    """
    draws = sample_layers(chain, kernel, plan, seed=seed)
    names, checks = observable_names(chain), []
    for k, beta in enumerate(plan.betas):
        means = draws.observed[:, :, k].mean(0).reshape(-1, len(names))  # (D R, M)
        exact, error = exact_means(chain, beta, seed=seed, n_draws=n_exact)
        columns = zip(names, means.T, exact, error, strict=True)
        checks += [_compare(beta, name, column, value, stderr) for name, column, value, stderr in columns]
    return checks, draws


def _compare(beta: float, name: str, means: np.ndarray, exact: float, exact_error: float) -> LayerCheck:
    """Independent means of replicas against an exact mean that has an error too."""
    n, value = len(means), float(means.mean())
    stderr = float(means.std(ddof=1) / math.sqrt(n))
    check = None
    if math.isfinite(exact):
        label = f"layers: <{name}> at beta={beta:.3g}"
        check = statistical_check(label, value, math.hypot(stderr, exact_error), float(exact), n)
    return LayerCheck(beta, name, value, stderr, check)
