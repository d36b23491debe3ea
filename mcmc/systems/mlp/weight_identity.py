"""Integration by parts over the weights of each layer, as averages that sum to zero (equations.md, section 2)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mcmc.systems.base import Overlaps, WeightIdentity
from mcmc.systems.mlp.networks import Networks
from mcmc.types import replica_pairs


def weight_identity(networks: Networks, preactivations: Sequence[Tensor], overlaps: Overlaps) -> WeightIdentity:
    """Both sides for every hidden layer, averaged over replicas and pairs of them.

        E[ |z^l|^2/N_l - sigma_w^2 r^{l-1} ] = -beta (sigma_w^2/N_l) E[ <r^{l-1} z^l.d^l> - <q^{l-1}_12 z^l_1.d^l_2> ]

    with z^l = h^l - sigma_b b^l and d^l = dH/dh^l. Costs one product a layer but the first.

    Args:
        preactivations: L tensors (D, K, R, N_l), h^1 ... h^L.
        overlaps: of the same states, two replicas or more.
    """
    between, within = overlaps.between, overlaps.within
    n_replicas = within.shape[2]
    excess, response = [], []
    for layer, (h, derivative) in enumerate(
        zip(preactivations, energy_derivatives(networks, preactivations), strict=True)
    ):
        bias = networks.biases[layer]
        z = h if bias is None else h - bias.unsqueeze(1)
        norm = torch.stack([_product(z, z, r, r) for r in range(n_replicas)], dim=-1)
        alone = torch.stack([_product(z, derivative, r, r) for r in range(n_replicas)], dim=-1)
        crossed = torch.stack(
            [_product(z, derivative, r, s) + _product(z, derivative, s, r) for r, s in replica_pairs(n_replicas)],
            dim=-1,
        )
        variance = networks.sigma_w[layer] ** 2
        excess.append((norm - variance * within[..., layer]).mean(-1))
        response.append(
            variance * ((within[..., layer] * alone).mean(-1) - 0.5 * (between[..., layer] * crossed).mean(-1))
        )
    return WeightIdentity(torch.stack(excess, dim=-1), torch.stack(response, dim=-1))


def _product(first: Tensor, second: Tensor, r: int, s: int) -> Tensor:
    """Mean over units of replica r of the first times replica s of the second, (D, K) float64."""
    # accumulated in float64: the two sides of the identity nearly cancel, and thousands of them are averaged
    return torch.sum(first[:, :, r] * second[:, :, s], dim=-1, dtype=torch.float64) / first.shape[-1]


def energy_derivatives(networks: Networks, preactivations: Sequence[Tensor]) -> list[Tensor]:
    """[dH/dh^1, ..., dH/dh^L], in the shapes of the pre-activations (D, K, R, N_l)."""
    phi, dphi = networks.activation.phi, networks.activation.dphi
    above = networks.readout[:, None, None, :]
    derivatives: list[Tensor] = []
    for layer in reversed(range(len(preactivations))):
        h = preactivations[layer]
        derivatives.insert(0, above * dphi(h, phi(h)))
        if layer:
            flat = derivatives[0].flatten(1, 2)
            above = torch.bmm(flat, networks.weights[layer]).view(*h.shape[:3], -1)
    return derivatives
