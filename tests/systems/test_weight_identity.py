"""Integration by parts over the weights of each layer: on circles, where every Gibbs average is a sum over angles."""

import math

import numpy as np
import pytest
import torch

from mcmc.analysis.estimate import network_average
from mcmc.systems.base import Overlaps, joined
from mcmc.systems.mlp.weight_identity import energy_derivatives
from tests.systems.test_energy import make, points

N_ANGLES, BETA = 64, 4.0


@pytest.mark.parametrize("name", ["tanh", "leaky_relu", "shaped_tanh"])
def test_derivatives_against_autograd(name):
    system = make(name, (6, 5, 9, 7))
    h, _ = system._layers(points(system, 4))
    for layer in range(3):
        start = h[layer].clone().requires_grad_()
        net = system.networks
        a = net.activation.phi(start)
        for above in range(layer + 1, 3):
            a = net.activation.phi(torch.baddbmm(net.biases[above], a, net.weights[above].mT))
        energy = (a * net.readout.unsqueeze(1)).sum()
        (wanted,) = torch.autograd.grad(energy, start)
        found = energy_derivatives(net, [one.view(3, 2, 2, -1) for one in h])[layer]
        torch.testing.assert_close(found.view(wanted.shape), wanted)


def averages(system):
    """(D, L) exact Gibbs averages of excess and response on the circle, the two replicas drawn independently."""
    n_networks = len(system.network_ids)
    angle = 2 * math.pi * torch.arange(N_ANGLES, dtype=torch.float64) / N_ANGLES
    x = math.sqrt(2) * torch.stack([angle.cos(), angle.sin()], dim=-1).expand(n_networks, -1, -1)
    weight = torch.softmax(-BETA * system.energy(x), dim=1)
    h, a = system._layers(x)
    sides = []
    for layer, derivative in enumerate(energy_derivatives(system.networks, [one.unsqueeze(1) for one in h])):
        z = h[layer] - system.networks.biases[layer]
        overlap = a[layer] @ a[layer].mT / a[layer].shape[-1]
        product = z @ derivative[:, 0].mT / z.shape[-1]
        gain = system.networks.sigma_w[layer] ** 2
        own = overlap.diagonal(dim1=1, dim2=2)
        excess = (z**2).mean(-1) - gain * own
        crossed = torch.einsum("ds,dt,dst->d", weight, weight, overlap * product)
        response = (weight * own * product.diagonal(dim1=1, dim2=2)).sum(1) - crossed
        sides.append(((weight * excess).sum(1), gain * response))
    return tuple(torch.stack(side, dim=-1).numpy() for side in zip(*sides, strict=True))


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_exact_at_every_width(name):
    """Two inputs, three and two units, biases: no chain, no limit. The wrong sign of the response is told."""
    excess, response = averages(make(name, (2, 3, 2), n_networks=4000))
    for layer in range(2):
        assert network_average(excess[:, layer] + BETA * response[:, layer]).agrees(0.0, n_sigma=4)
        assert not network_average(excess[:, layer] - BETA * response[:, layer]).agrees(0.0, n_sigma=5)


def test_of_replicas_against_sums_over_pairs():
    """Three replicas: both orders of each pair count."""
    system = make("sin", (6, 5, 9))
    x = points(system, 6).view(3, 2, 3, 6)
    overlaps = system.overlaps(x)
    h, a = system._layers(x.flatten(1, 2))
    h, a = ([one.view(3, 2, 3, -1) for one in side] for side in (h, a))
    derivatives = energy_derivatives(system.networks, h)
    for layer in range(2):
        z, gain = h[layer] - system.networks.biases[layer].unsqueeze(1), system.networks.sigma_w[layer] ** 2
        n_below, n_units = a[layer].shape[-1], z.shape[-1]
        own, crossed = [], []
        for r in range(3):
            for s in range(3):
                term = (a[layer][:, :, r] * a[layer][:, :, s]).sum(-1) / n_below
                term = gain * term * (z[:, :, r] * derivatives[layer][:, :, s]).sum(-1) / n_units
                (own if r == s else crossed).append(term.numpy())
        response = np.mean(own, axis=0) - np.mean(crossed, axis=0)
        excess = ((z**2).sum(-1) / n_units - gain * (a[layer] ** 2).sum(-1) / n_below).mean(-1)
        np.testing.assert_allclose(overlaps.weight_identity.response[..., layer], response, rtol=1e-12)
        np.testing.assert_allclose(overlaps.weight_identity.excess[..., layer], excess, rtol=1e-12)


def test_a_single_replica_has_none():
    system = make("tanh", (6, 5))
    assert system.overlaps(points(system, 2).view(3, 2, 1, 6)).weight_identity is None


def test_blocks_of_networks_joined():
    system = make("tanh", (6, 5), n_networks=4)
    x = points(system, 4).view(4, 2, 2, 6)
    whole = system.overlaps(x)
    parts = joined([system.narrow(i, i + 2).overlaps(x[i : i + 2]) for i in (0, 2)])
    torch.testing.assert_close(parts.weight_identity.response, whole.weight_identity.response)
    assert joined([Overlaps(whole.between, whole.within)]).weight_identity is None
