"""Where chains begin: positions and momenta from numbers of their own."""

import torch

from mcmc.kernels.base import initial_positions
from mcmc.kernels.langevin import Langevin
from mcmc.rng import Purpose, Streams
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks


def test_positions_and_momenta_do_not_share_their_numbers():
    """With the same numbers, the tangent part of the noise that made a position is zero: chains would begin at rest."""
    networks = Networks.draw((7, 9), make_activation("tanh", depth=1), ids=torch.arange(2), seed=2)
    system, streams = MlpSystem(networks), Streams.of(3, range(2), range(50))
    x = initial_positions(streams, system)
    assert torch.equal(x, system.manifold.random_point(streams.normal(Purpose.INITIAL, 0, 7)))
    momentum = Langevin().init(streams, system, x).momentum
    assert 0.8 < float(momentum.square().sum(-1).mean()) / system.manifold.dimension < 1.25
