"""Exact draws of the chain of layers: layer after layer, as a random network makes them. No Markov chain, no burn-in.

    z^l = chol(Sigma_l) g,   g ~ N(0, 1) i.i.d.,   Sigma_{l+1} from z^l

At beta = 1 that is the law of the chain; every kernel must reproduce it. At another beta, layers drawn with
Sigma_l/beta have the law wanted up to the weight  prod_l det Sigma_l^{N(1-beta)/2}: an independent answer as long as
few draws do not carry all of the weight.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mcmc.rng import Purpose, Streams
from mcmc.systems.layers.chain import LayerChain

NUMBERS_AT_ONCE = 1 << 17  # of one layer: 1 MiB of float64 stays in the cache


class LayerSamples(NamedTuple):
    """Covariances of independent networks.

    Attributes:
        sigma: (D, L, n, n) float64, Sigma_l.
        gram:  (D, L, n, n) float64, z_a^l . z_b^l / N.
    """

    sigma: Tensor
    gram: Tensor


def layer_by_layer(chain: LayerChain, streams: Streams, beta: float = 1.0) -> Iterator[tuple[Tensor, Tensor]]:
    """(Sigma_l (D, C, n, n), Z_l (D, C, n, N)) for l = 1 ... L, of one independent network a chain of the streams."""
    n_networks, n_chains = len(streams.network), len(streams.chain)
    n, width = chain.n_inputs, chain.width
    sigma = chain.first.expand(n_networks, n_chains, n, n)
    for layer in range(1, chain.depth + 1):
        noise = streams.normal(Purpose.ANCESTRAL, layer, n * width).view(n_networks, n_chains, n, width)
        z = torch.linalg.cholesky(sigma / beta) @ noise
        yield sigma, z
        if layer < chain.depth:
            sigma = chain.next_covariance(chain.activation.phi(z))


def ancestral_positions(chain: LayerChain, streams: Streams, beta: float = 1.0) -> tuple[Tensor, Tensor]:
    """Independent positions and the logarithm of their importance weight (0 at beta = 1).

    Returns:
        (D, C, n_sites) in the dtype of the chain, (D, C) float64.
    """
    log_weight = torch.zeros(len(streams.network), len(streams.chain), dtype=torch.float64, device=streams.device)
    layers = []
    for sigma, z in layer_by_layer(chain, streams, beta):
        layers.append(z.flatten(-2))
        log_weight = log_weight + 0.5 * chain.width * (1 - beta) * torch.logdet(sigma)
    return torch.cat(layers, dim=-1).to(chain.dtype), log_weight


def ancestral_samples(chain: LayerChain, seed: int) -> LayerSamples:
    """Sigma_l and z^l.z^l/N of one network for each id of the chain, without keeping the layers."""
    one = torch.zeros(1, dtype=torch.int64, device=chain.device)
    block = max(1, NUMBERS_AT_ONCE // (chain.n_inputs * chain.width))
    parts = []
    for ids in chain.ids.split(block):
        drawn = [(sigma, z @ z.mT / chain.width) for sigma, z in layer_by_layer(chain, Streams(seed, ids, one))]
        parts.append([torch.stack(list(which), dim=2)[:, 0] for which in zip(*drawn, strict=True)])
    return LayerSamples(*(torch.cat(list(which)) for which in zip(*parts, strict=True)))
