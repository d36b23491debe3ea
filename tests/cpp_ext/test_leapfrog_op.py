"""Trajectories of the fused kernels against the definition in float64, chain by chain, for every engine.

Tolerances are counted in roundings of float32 (`UNIT`): a sum of n products of typical size s carries about sqrt(n) of
them, a trajectory a few each step.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mcmc import native
from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import REPROJECT_EVERY, kinetic_energy, leapfrog
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.base import TrajectoryEnd
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.energy import MlpSystem
from tests.cpp_ext.fused import (
    CHAINS,
    ENGINES,
    FLOAT_ENGINES,
    FORCE_UNIT,
    KINKED,
    UNIT,
    WIDTHS,
    Case,
    case,
    nearest_kink,
    scale_of_energy,
)

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")


def recorded(places: list[Tensor]):
    """`leapfrog` of the definition that notes where it evaluates the force."""

    class Recorder(MlpSystem):
        def energy_and_grad(self, x):
            places.append(x)
            return super().energy_and_grad(x)

        def grad(self, x, out=None):
            places.append(x.clone())  # written over in the step after next
            return super().grad(x, out)

    def integrate(system, *arguments):
        return leapfrog(Recorder(system.networks), *arguments)

    return integrate


def assert_close(c: Case, found: TrajectoryEnd, integrate=leapfrog) -> None:
    """End of trajectories against the definition: a few roundings a step, relative to the size of each array."""
    places = [c.x.double()]
    expected = c.exact(recorded(places) if integrate is leapfrog else integrate)
    is_compared = nearest_kink(c, places) > 1e-4
    if c.networks.activation.name in KINKED:
        assert is_compared.double().mean() > 0.3  # of chains: the others are near a kink and may go another way
    else:
        is_compared[:] = True
    steps = c.n_leapfrog.max().item()
    n_roundings = 8 + 4 * steps + sum(math.sqrt(n) for n in c.networks.widths)
    for name, a, b in zip(found._fields, found, expected, strict=True):
        if name == "energy":
            size = scale_of_energy(c)
        elif name == "kinetic_change":
            size = kinetic_energy(c.p.double()).mean().sqrt() + c.beta * scale_of_energy(c)  # it mirrors beta H
        else:
            size = b.square().mean().sqrt()
        error = (a - b).abs() / size
        worst = error[is_compared].max().item() / UNIT
        assert worst < 3 * n_roundings, f"{name}: {worst:.0f} roundings, expected about {n_roundings:.0f}"


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_trajectory(name, widths, engine):
    c = case(name, widths, 33)
    assert_close(c, c.run(c.fused(engine)))


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
@pytest.mark.parametrize("n_chains", CHAINS)
def test_ragged_numbers_of_chains(n_chains, engine):
    c = case("tanh", (33, 70), n_chains)
    assert_close(c, c.run(c.fused(engine)))


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
def test_no_bias_and_long_trajectory(engine):
    """More steps than between two corrections of the norm; the norm at the end is right to a rounding."""
    c = case("erf", (40, 40, 40), 33, sigma_b=0.0)
    c.n_leapfrog[:] = 3 * REPROJECT_EVERY + 5
    found = c.run(c.fused(engine))
    assert_close(c, found)
    norm = found[0].double().square().sum(-1) / 40
    assert (norm - 1).abs().max() < 20 * UNIT
    along = (found[0].double() * found[1].double()).sum(-1) / 40
    assert along.abs().max() < 60 * UNIT


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
def test_fresh_positions_at_beta_zero(engine, forces):
    c = case("sin", (33, 20), 40)
    c.beta[:, ::3] = 0.0
    c.fresh = c.definition.manifold.random_point(torch.randn_like(c.x.double())).float()
    fused = c.fused(engine, forces)
    found = c.run(fused)
    assert torch.equal(found[0][c.beta == 0], c.fresh[c.beta == 0])
    energy, grad = fused.energy_and_grad(found[0])
    assert torch.equal(found[3], energy)
    assert torch.equal(found[2], grad)
    if forces == "float32":
        assert_close(c, found)


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
def test_force_is_a_function_of_the_position(engine, forces):
    """Energy and gradient at the end are those of the end point, whatever trajectory led there, bit by bit."""
    c = case("tanh", (64, 48, 40), 45)
    fused = c.fused(engine, forces)
    end = c.run(fused)
    energy, grad = fused.energy_and_grad(end.x)
    assert torch.equal(energy, end.energy)
    assert torch.equal(grad, end.grad)
    change = kinetic_energy(end.momentum.double()) - kinetic_energy(c.p.double())
    assert (change - end.kinetic_change).abs().max() < 1e-12 * kinetic_energy(c.p.double()).max()
    still = replace(c, x=end.x, p=end.momentum, n_leapfrog=torch.zeros_like(c.n_leapfrog)).run(fused, end.grad)
    for a, b in zip(still, end._replace(kinetic_change=torch.zeros_like(energy)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
@pytest.mark.parametrize("name", ["tanh", "leaky_relu"])
def test_chain_depends_on_itself_alone(name, engine, forces):
    """Bit by bit: in whatever batch, place, block of networks, and number of threads."""
    c = case(name, (50, 35, 61), 133, n_networks=5)
    c.n_leapfrog = torch.arange(133).expand(5, 133) % 40  # none to more than two corrections of the norm
    whole = c.run(c.fused(engine, forces))

    def assert_same(part: Case, which) -> None:
        for a, b in zip(part.run(part.fused(engine, forces)), whole, strict=True):
            assert torch.equal(a, which(b))

    for chains in (slice(0, 1), slice(5, 36), slice(101, 133), list(range(132, -1, -1)), [7, 40, 41, 120]):
        assert_same(c.chains(chains), lambda t, chains=chains: t[:, chains])
    for network in range(5):
        assert_same(c.network(network, network + 1), lambda t, n=network: t[n : n + 1])
    before = torch.get_num_threads()
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            assert_same(c, lambda t: t)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
def test_many_tiles_in_a_job(engine, forces):
    """Weights larger than the second-level cache are shared by several tiles; the numbers stay."""
    c = case("tanh", (300, 300), 70)
    fused = c.fused(engine, forces)
    whole = c.run(fused)
    for chains in (slice(0, 32), slice(32, 70)):
        for a, b in zip(c.chains(chains).run(fused), whole, strict=True):
            assert torch.equal(a, b[:, chains])


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
@pytest.mark.parametrize("name", ["tanh", "sin", "erf"])
def test_reversible(name, engine, forces):
    """There and, with the momentum turned, back again: also with rough forces, because they are a function of x."""
    c = case(name, (60, 40, 50), 33)
    fused = c.fused(engine, forces)
    end = c.run(fused)
    x, p, *_ = replace(c, x=end.x, p=-end.momentum).run(fused, end.grad)
    # where a rounding on the way out is not that on the way back, the last bfloat16 digit of a unit may turn
    unit = UNIT if forces == "float32" else FORCE_UNIT[forces] / 32
    assert (x - c.x).abs().max() < 200 * unit
    assert (p + c.p).abs().max() < 400 * unit


def test_reversal_catches_a_force_with_a_memory():
    """The same assertion fails if the way back starts with a force that is not the one at its place."""
    c = case("tanh", (60, 40), 33)
    fused = c.fused(FLOAT_ENGINES[0])
    end = c.run(fused)
    x, *_ = replace(c, x=end.x, p=-end.momentum).run(fused, end.grad * (1 + 1e-3))
    assert (x - c.x).abs().max() > 200 * UNIT


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
def test_preserves_volume(engine):
    """On the circle, (angle, momentum) -> (angle, momentum) has Jacobian determinant 1, by finite differences."""
    grid = torch.cartesian_prod(torch.arange(5.0) * 1.1, torch.linspace(-1.5, 1.5, 5)).double()
    delta = 0.01
    shifts = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [2, 0], [-2, 0], [0, 2], [0, -2]]).double() * delta
    angle, momentum = (grid.unsqueeze(1) + shifts).reshape(-1, 2).T
    radius = math.sqrt(2)
    x = radius * torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)
    p = momentum.unsqueeze(-1) * torch.stack([-torch.sin(angle), torch.cos(angle)], dim=-1)
    n = len(angle)
    c = case("tanh", (2, 12), n, n_networks=1)
    c = replace(c, x=x.float().unsqueeze(0), p=p.float().unsqueeze(0), beta=torch.full((1, n), 1.5).double())
    c.step_size[:], c.n_leapfrog[:] = 0.15, 6
    x, p, *_ = (t[0].double() for t in c.run(c.fused(engine)))
    out = torch.stack([torch.atan2(x[:, 1], x[:, 0]), (x[:, 0] * p[:, 1] - x[:, 1] * p[:, 0]) / radius], dim=-1)
    out = out.view(25, 4, 2, 2)
    change = out[:, :, 0] - out[:, :, 1]
    change[..., 0] = torch.remainder(change[..., 0] + math.pi, 2 * math.pi) - math.pi
    once, twice = change[:, :2] / (2 * delta), change[:, 2:] / (4 * delta)
    jacobian = (4 * once - twice) / 3  # error of order delta^4, and 1e-7 / delta from rounding
    assert (torch.linalg.det(jacobian).abs() - 1).abs().max() < 2e-4
    assert (jacobian - torch.eye(2)).abs().max() > 0.5


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
def test_energy_error_is_of_second_order(engine):
    """Halving eps at fixed length divides the error of beta H + |p|^2/2 by 4."""
    c = case("tanh", (40, 40), 64)
    fused = c.fused(engine)
    energy = fused.energy(c.x)
    errors = []
    for n in (8, 16):
        c.n_leapfrog[:], c.step_size[:] = n, 1.2 / n
        end = c.run(fused)
        errors.append((c.beta * (end.energy - energy) + end.kinetic_change).square().mean().sqrt())
    assert 3.5 < errors[0] / errors[1] < 4.5


def full_first_kick(system, start: ChainState, beta, step_size, n_leapfrog, fresh=None) -> ChainState:
    impulse = (-0.5 * step_size * beta).unsqueeze(-1)
    p = start.momentum + impulse * system.manifold.project_tangent(start.x, start.grad)
    return leapfrog(system, replace(start, momentum=p), beta, step_size, n_leapfrog, fresh)


def unprojected(system, *arguments) -> ChainState:
    class Flat(Sphere):
        def project_tangent(self, x, v, out=None):
            return v

    class FlatSystem(MlpSystem):
        @property
        def manifold(self):
            return Flat(self.n_sites)

    return leapfrog(FlatSystem(system.networks), *arguments)


def one_step_too_many(system, start, beta, step_size, n_leapfrog, fresh=None) -> ChainState:
    return leapfrog(system, start, beta, step_size, n_leapfrog + 1, fresh)


@pytest.mark.parametrize("fault", [full_first_kick, unprojected, one_step_too_many])
def test_faults_are_caught(fault):
    """The comparison of `test_trajectory` fails against integrators with one fault each."""
    c = case("tanh", (33, 70), 33)
    with pytest.raises(AssertionError, match="roundings"):
        assert_close(c, c.run(c.fused(FLOAT_ENGINES[0])), fault)


def test_engines_agree():
    """To rounding; bit for bit is not promised between instruction sets."""
    c = case("tanh", (100, 90, 80), 70)
    first, *others = (c.run(c.fused(engine)) for engine in FLOAT_ENGINES)
    for other in others:
        for a, b in zip(first, other, strict=True):
            assert (a - b).abs().max() < 400 * UNIT * b.abs().max()
