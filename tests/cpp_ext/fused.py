"""Networks, chains and the float64 definition that the fused kernels are compared with."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mcmc import native
from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import REPROJECT_EVERY, kinetic_energy, leapfrog
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.base import TrajectoryEnd
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import FORCE_PARTS, FusedNetworks
from mcmc.systems.mlp.networks import Networks

UNIT = 2.0**-24  # half a unit in the last place of float32: the relative error of one rounding

# engine, precision of the forces
ENGINES = [(engine, "float32") for engine in native.engines()]
ENGINES += [
    (engine, forces)
    for engine in native.engines()
    for forces, parts in FORCE_PARTS.items()
    if parts in native.coarse_parts(engine)
]
FLOAT_ENGINES = list(native.engines())
FORCE_UNIT = {"float32": UNIT, "bfloat16_3x": 2.0**-16, "bfloat16": 2.0**-8}  # relative error of one product
# (N_0, ..., N_L): depth 1 to 3, even and odd, below, at and above the blocks of every engine
WIDTHS = [(2, 1), (7, 5), (32, 32), (33, 70), (31, 64, 19), (48, 17, 33), (100, 37, 64, 129)]
CHAINS = (1, 31, 32, 33, 70)
KINKED = [name for name in ACTIVATION_NAMES if "relu" in name]


def draw(name: str, widths: tuple[int, ...], n_networks: int = 2, sigma_b: float = 0.5) -> Networks:
    """Float32 networks."""
    activation = make_activation(name, depth=len(widths) - 1)
    ids = torch.arange(n_networks)
    return Networks.draw(widths, activation, ids=ids, seed=5, sigma_w=1.2, sigma_b=sigma_b, dtype=torch.float32)


@dataclass
class Case:
    """Float32 networks and the arguments of a trajectory of C chains each."""

    networks: Networks
    x: Tensor
    p: Tensor
    beta: Tensor
    step_size: Tensor
    n_leapfrog: Tensor
    fresh: Tensor | None = None

    @property
    def definition(self) -> MlpSystem:
        """The same networks in float64: plain torch, no compiled path."""
        return MlpSystem(self.networks.to(torch.float64))

    def fused(self, engine: str, forces: str = "float32") -> FusedNetworks:
        return FusedNetworks.pack(self.networks, forces, engine)

    def chains(self, which: slice | list[int]) -> "Case":
        """Some of the chains."""
        tensors = {n: t[:, which] for n, t in vars(self).items() if isinstance(t, Tensor)}
        return replace(self, **tensors)

    def network(self, start: int, stop: int) -> "Case":
        """Some of the networks."""
        tensors = {n: t[start:stop] for n, t in vars(self).items() if isinstance(t, Tensor)}
        return replace(self, networks=self.networks.narrow(start, stop), **tensors)

    def run(self, fused: FusedNetworks, grad: Tensor | None = None) -> TrajectoryEnd:
        """The end of the trajectories, by the operator."""
        if grad is None:
            grad = fused.energy_and_grad(self.x)[1]
        return fused.leapfrog(
            self.x, self.p, grad, self.fresh, self.beta, self.step_size, self.n_leapfrog, REPROJECT_EVERY
        )

    def exact(self, integrate=leapfrog) -> TrajectoryEnd:
        """x, p, grad, energy and change of the kinetic energy at the end, by the definition in float64."""
        system = self.definition
        energy, grad = system.energy_and_grad(self.x.double())
        start = ChainState(self.x.double(), energy, grad, self.p.double())
        fresh = None if self.fresh is None else self.fresh.double()
        end = integrate(system, start, self.beta, self.step_size.double(), self.n_leapfrog, fresh)
        assert end.grad is not None
        assert end.momentum is not None
        change = kinetic_energy(end.momentum) - kinetic_energy(self.p.double())
        return TrajectoryEnd(end.x, end.momentum, end.grad, end.energy, change)


def case(name: str, widths: tuple[int, ...], n_chains: int, *, n_networks: int = 2, sigma_b: float = 0.5) -> Case:
    """Positions on the sphere, tangent momenta, unequal temperatures, step sizes and numbers of steps."""
    networks = draw(name, widths, n_networks, sigma_b)
    manifold = MlpSystem(networks).manifold
    generator = torch.Generator().manual_seed(sum(widths) + 1000 * n_chains)

    def normal() -> Tensor:
        return torch.randn(n_networks, n_chains, widths[0], generator=generator, dtype=torch.float64)

    x = manifold.random_point(normal())
    shape = (n_networks, n_chains)
    return Case(
        networks,
        x.float(),
        manifold.project_tangent(x, normal()).float(),
        torch.linspace(0.1, 2.0, n_networks * n_chains, dtype=torch.float64).view(shape),
        (0.05 + 0.1 * torch.rand(shape, generator=generator)).float(),
        torch.randint(1, 7, shape, generator=generator),
    )


def scale_of_energy(c: Case) -> Tensor:
    """(D, 1) sum_i |v_i a_i| at its typical size: what the rounding of an energy is relative to."""
    a = c.definition.layers(c.x.double())[-1]
    return (a.abs() * c.networks.readout.double().abs().unsqueeze(1)).sum(-1).mean(1, keepdim=True)


def nearest_kink(c: Case, places: list[Tensor]) -> Tensor:
    """(D, C) smallest |h| of any unit at the places: nearer to a kink than the rounding, phi' is a matter of luck."""
    smallest = torch.full(c.beta.shape, math.inf, dtype=torch.float64)
    net = c.networks.to(torch.float64)
    for x in places:
        a = x
        for w, b in zip(net.weights, net.biases, strict=True):
            h = a @ w.mT + (0 if b is None else b)
            smallest = torch.minimum(smallest, h.abs().amin(-1))
            a = net.activation.phi(h)
    return smallest
