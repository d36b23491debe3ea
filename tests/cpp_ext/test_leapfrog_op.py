"""The fused kernels against the definition in float64, chain by chain, for every engine that this processor runs.

Tolerances are counted in roundings of float32 (`UNIT`): a sum of n products of typical size s carries about sqrt(n) of
them, a trajectory a few each step.
"""

import math
from dataclasses import replace

import mpmath
import pytest
import torch
from torch import Tensor

from mcmc import native
from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import REPROJECT_EVERY, kinetic_energy, leapfrog
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.base import TrajectoryEnd
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import FusedNetworks, kernel_activation
from mcmc.systems.mlp.networks import Networks
from mcmc.systems.mlp.portable import PortableNetworks
from tests.cpp_ext.fused import CHAINS, ENGINES, FLOAT_ENGINES, FORCE_UNIT, UNIT, WIDTHS, Case, case

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")
SMOOTH = [name for name in ACTIVATION_NAMES if "relu" not in name]
KINKED = [name for name in ACTIVATION_NAMES if "relu" in name]


def single_neurons(name: str, h: Tensor) -> Networks:
    """One network for each h, with H(1, 0) = phi(h) exactly: one input counts, one neuron, readout 1."""
    n, activation = len(h), make_activation(name, depth=1)
    weights = torch.stack([h.float(), torch.zeros(n)], dim=1).unsqueeze(1)
    return Networks(torch.arange(n), activation, (weights,), (None,), torch.ones(n, 1), (1.0,), (0.0,))


def function_and_derivative(name: str, h: Tensor, engine: str) -> tuple[Tensor, Tensor]:
    """phi(h), and the gradient phi'(h) h along the first input, as the kernels compute them."""
    fused = FusedNetworks.pack(single_neurons(name, h), "float32", engine)
    energy, grad = fused.energy_and_grad(torch.tensor([1.0, 0.0]).expand(len(h), 1, 2))
    return energy[:, 0], grad[:, 0, 0].double()


EXACT = {
    "tanh": (mpmath.tanh, lambda h: mpmath.sech(h) ** 2),
    "sin": (mpmath.sin, mpmath.cos),
    "erf": (mpmath.erf, lambda h: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-h * h)),
}


def spread(largest: float, n: int = 1500) -> Tensor:
    """Arguments of every size and both signs."""
    generator = torch.Generator().manual_seed(3)
    sizes = torch.exp(torch.empty(n).uniform_(math.log(1e-6), math.log(largest), generator=generator))
    uniform = torch.empty(n).uniform_(-min(largest, 10), min(largest, 10), generator=generator)
    return torch.cat([sizes, -sizes, uniform, torch.tensor([0.0, 1.0, -1.0, 8.7, -8.7, 30.0, -30.0])])


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
@pytest.mark.parametrize(("name", "largest"), [("tanh", 50.0), ("erf", 50.0), ("sin", 20.0), ("sin", 1e5)])
def test_functions_are_accurate(name, largest, engine):
    """phi within 3 units in the last place; phi' (1 - phi^2 for tanh) within 5 units of 1."""
    h = spread(largest)
    phi, slope = function_and_derivative(name, h, engine)
    exact_phi, exact_slope = EXACT[name]
    with mpmath.workdps(30):
        points = [mpmath.mpf(v) for v in h.double().tolist()]
        true_phi = torch.tensor([float(exact_phi(v)) for v in points], dtype=torch.float64)
        true_slope = torch.tensor([float(exact_slope(v) * v) for v in points], dtype=torch.float64)
    relative = (phi - true_phi).abs() / true_phi.abs().clamp(min=2.0**-126)
    assert relative.max() < 6 * UNIT
    absolute = (slope - true_slope).abs() / h.abs().clamp(min=1e-30).double()
    assert absolute[h != 0].max() < 10 * UNIT
    assert phi[h == 0] == 0
    assert phi.abs().max() <= 1 + 2 * UNIT


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
@pytest.mark.parametrize("name", KINKED)
def test_piecewise_functions_are_exact(name, engine):
    h = spread(100.0)
    networks = single_neurons(name, h)
    phi, slope = function_and_derivative(name, h, engine)
    below, above = (torch.tensor(s, dtype=torch.float32) for s in networks.activation.slopes)
    expected = torch.where(h > 0, above, below)  # at the kink, the derivative from the left
    assert torch.equal(phi.float(), expected * h)
    if engine == "amx":  # a product of the tile unit is a sum of six
        assert ((slope - expected * h).abs() <= 3 * UNIT * (expected * h).abs()).all()
    else:
        assert torch.equal(slope.float(), expected * h)


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_nan_stays_nan(name, engine):
    """A NaN weight, and an overflow in a hidden layer, are never a quiet finite energy."""
    energy, grad = function_and_derivative(name, torch.tensor([math.nan, 1.0]), engine)
    assert energy[0].isnan()
    assert grad[0].isnan()
    assert energy[1].isfinite()


def scale_of_energy(c: Case) -> Tensor:
    """(D, 1) sum_i |v_i a_i| at its typical size: what the rounding of an energy is relative to."""
    a = c.definition.layers(c.x.double())[-1]
    return (a.abs() * c.networks.readout.double().abs().unsqueeze(1)).sum(-1).mean(1, keepdim=True)


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_energy_and_gradient(name, widths, engine, forces):
    """The energy is float32 whatever the forces are; a bfloat16 force has 8 bits."""
    c = case(name, widths, 33)
    fused = c.fused(engine, forces)
    energy, grad = fused.energy_and_grad(c.x)
    exact_energy, exact_grad = c.definition.energy_and_grad(c.x.double())
    roundings = sum(math.sqrt(n) + 4 for n in widths)
    error = (energy - exact_energy).abs() / scale_of_energy(c)
    assert error.max() < roundings * UNIT
    assert torch.equal(fused.energy(c.x), energy)
    assert torch.equal(energy, c.fused(engine).energy(c.x))
    difference = torch.linalg.vector_norm(grad - exact_grad, dim=-1)
    size = torch.linalg.vector_norm(exact_grad, dim=-1).square().mean().sqrt()
    unit = FORCE_UNIT[forces]
    if forces == "bfloat16" and name in KINKED:
        assert difference.square().mean().sqrt() < 0.25 * size  # where |h| is a few units, phi' may be the other one
        return
    is_compared = nearest_kink(c, [c.x.double()]) > 30 * unit if name in KINKED else c.beta > 0
    assert difference[is_compared].max() < (4 * roundings * UNIT + 3 * len(widths) * unit) * size


@pytest.mark.skipif("amx" not in FLOAT_ENGINES, reason="no AMX tiles")
@pytest.mark.parametrize("name", ["linear", "tanh", "sin", "erf"])
@pytest.mark.parametrize("widths", [(64, 64), (256, 256, 256), (1024, 1024)], ids=str)
def test_split_products_are_as_accurate_as_float32(widths, name):
    """Six bfloat16 products: rms errors against float64 below those of float32 arithmetic, of torch and of our own."""
    c = case(name, widths, 64, n_networks=1)
    exact = c.definition.energy_and_grad(c.x.double())

    def errors(found: tuple[Tensor, Tensor]) -> Tensor:
        return torch.stack([(a - b).square().mean().sqrt() for a, b in zip(found, exact, strict=True)])

    plain = MlpSystem(c.networks)
    vars(plain)["_fused"] = None
    rivals = [plain.energy_and_grad(c.x), *(c.fused(e).energy_and_grad(c.x) for e in FLOAT_ENGINES if e != "amx")]
    smallest = torch.stack([errors(found) for found in rivals]).amin(0)
    assert (errors(c.fused("amx").energy_and_grad(c.x)) < smallest).all()
    assert errors(c.fused("amx", "bfloat16_3x").energy_and_grad(c.x))[1] > smallest[1]  # 16 bits are told from 24


def test_precisions_of_the_forces_differ():
    c = case("tanh", (64, 48), 33)
    grads = [c.fused(engine, forces).energy_and_grad(c.x)[1] for engine, forces in ENGINES if engine == "amx"]
    exact = c.definition.energy_and_grad(c.x.double())[1]
    errors = [float((grad - exact).norm() / exact.norm()) for grad in grads]
    for error, (smallest, largest) in zip(errors, [(0, 1e-6), (1e-6, 3e-5), (3e-4, 1e-2)], strict=True):
        assert smallest < error < largest


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


def test_engine_of_the_environment(monkeypatch):
    """MLP_GIBBS_SIMD asks for an engine; without one the plain path serves, with the same numbers to rounding."""
    c = case("tanh", (20, 15), 9)
    monkeypatch.delenv("MLP_GIBBS_SIMD", raising=False)
    assert native.fused_engine() == native.engines()[0]
    energies = {}
    for asked in ("amx", "avx512", "avx2", "portable", "scalar"):
        monkeypatch.setenv("MLP_GIBBS_SIMD", asked)
        system = MlpSystem(c.networks)
        if asked in native.engines():
            assert native.fused_engine() == asked
        if asked in ("portable", "scalar"):
            assert isinstance(system._fused, PortableNetworks)
            assert system.fused_leapfrog(*([c.x] * 3), None, c.beta, c.step_size, 1, 1, 16) is None
        energies[asked] = system.energy(c.x)
    for energy in energies.values():
        assert (energy - energies["scalar"]).abs().max() < 100 * UNIT * scale_of_energy(c).max()


def test_other_dtypes_take_the_plain_path():
    c = case("tanh", (20, 15), 9)
    assert c.definition._fused is None
    assert MlpSystem(c.networks)._fused is not None
    assert MlpSystem(c.networks).narrow(0, 1)._fused is not None


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_kernels_know_every_activation(name):
    kernel_name, parameters = kernel_activation(make_activation(name, depth=2))
    assert (kernel_name, len(parameters)) in {("piecewise", 2), ("tanh", 1), ("sin", 0), ("erf", 0)}


# operators ------------------------------------------------------------------------------------------------------------


def arguments(engine: str | None = None) -> dict:
    c = case("tanh", (7, 5, 6), 3)
    engine = engine or FLOAT_ENGINES[0]
    names = ["widths", "forward", "backward", "for_energy", "biases", "readout"]
    names += ["activation", "parameters", "forces", "engine"]
    return {
        "x": c.x,
        "p": c.p,
        "grad": c.p.clone(),
        "fresh": c.x.clone(),
        "beta": c.beta,
        "step_size": c.step_size,
        "n_leapfrog": c.n_leapfrog,
        "reproject_every": 16,
        **dict(zip(names, c.fused(engine).arguments, strict=True)),
    }


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
def test_operators_are_registered_properly(engine):
    call = arguments(engine)
    torch.library.opcheck(torch.ops.mlp_gibbs.leapfrog_mlp.default, tuple(call.values()))
    networks = tuple(call.values())[8:]
    for with_grad in (True, False):
        torch.library.opcheck(torch.ops.mlp_gibbs.energy_and_grad_mlp.default, (call["x"], with_grad, *networks))
    weight = case("tanh", (7, 5), 1).networks.weights[0]
    for transposed in (True, False):
        torch.library.opcheck(torch.ops.mlp_gibbs.pack_mlp.default, (weight, transposed, 2, engine))


@pytest.mark.parametrize("engine", FLOAT_ENGINES)
def test_strides_do_not_matter(engine):
    call = arguments(engine)
    expected = torch.ops.mlp_gibbs.leapfrog_mlp(**call)
    for name in ("x", "p", "grad", "fresh", "beta", "step_size", "n_leapfrog"):
        t = call[name]
        call[name] = t.transpose(0, 1).contiguous().transpose(0, 1)
        assert not call[name].is_contiguous()
    for a, b in zip(torch.ops.mlp_gibbs.leapfrog_mlp(**call), expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_nothing_to_do(shape):
    c = case("tanh", (7, 5), 3).network(0, shape[0]).chains(slice(0, shape[1]))
    found = c.run(c.fused(FLOAT_ENGINES[0]))
    assert [t.shape for t in found] == [(*shape, 7)] * 3 + [shape] * 2


BAD_ARGUMENTS = [
    ({"x": torch.zeros(2, 3, 8)}, r"x must have shape \(2, C, 7\), found \[2, 3, 8\]"),
    ({"x": torch.zeros(2, 3, 7).double()}, "x must be Float, found Double"),
    ({"p": torch.zeros(2, 3, 6)}, r"p must have shape \[2, 3, 7\], found \[2, 3, 6\]"),
    ({"grad": torch.zeros(2, 4, 7)}, r"grad must have shape \[2, 3, 7\], found \[2, 4, 7\]"),
    ({"fresh": torch.zeros(1, 3, 7)}, r"fresh must have shape \[2, 3, 7\], found \[1, 3, 7\]"),
    ({"beta": torch.zeros(2, 3)}, "beta must be Double, found Float"),
    ({"step_size": torch.zeros(2, 2)}, r"step_size must have shape \[2, 3\], found \[2, 2\]"),
    ({"n_leapfrog": torch.full((2, 3), -1)}, r"n_leapfrog must be in \[0, 2\^31\), found -1 at position 0"),
    ({"reproject_every": 0}, "reproject_every must be at least 1, found 0"),
    ({"widths": [7, 5]}, "widths must have 3 numbers, found 2"),
    ({"widths": [7, 0, 6]}, r"widths must be in \[1, 2\^24\), found \[7, 0, 6\]"),
    ({"forward": []}, "forward must have 1 to 64 layers, found 0"),
    ({"backward": []}, "backward must have 2 layers, found 0"),
    ({"for_energy": []}, "for_energy must have 2 layers, found 0"),
    ({"biases": [None]}, "biases must have 2 entries, found 1"),
    ({"biases": [None, torch.zeros(2, 1, 4)]}, r"biases must have shape \[2, 1, 6\], found \[2, 1, 4\]"),
    ({"readout": torch.zeros(2, 5)}, r"readout must have shape \(D, 6\), found \[2, 5\]"),
    ({"activation": "swish"}, "activation must be piecewise, tanh, sin or erf, found 'swish'"),
    ({"parameters": []}, "activation 'tanh' takes 1 parameters, found 0"),
    ({"forces": "tf32"}, "forces must be float32, bfloat16_3x or bfloat16, found 'tf32'"),
    ({"engine": "abacus"}, "engine must be one that this processor runs .*, found 'abacus'"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ARGUMENTS)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        torch.ops.mlp_gibbs.leapfrog_mlp(**{**arguments(), **change})


def test_weights_packed_for_another_engine_are_named():
    call = arguments()
    packed = [torch.zeros(2, 3, dtype=torch.uint8), *call["forward"][1:]]
    with pytest.raises(ValueError, match=rf"forward\[0\] must be packed for '{call['engine']}' .*found \[2, 3\]"):
        torch.ops.mlp_gibbs.leapfrog_mlp(**{**call, "forward": packed})


@pytest.mark.parametrize(
    ("weight", "message"),
    [(torch.zeros(2, 3, 4).double(), "weight must be Float"), (torch.zeros(2, 0, 4), r"found \[2, 0, 4\]")],
)
def test_weights_that_cannot_be_packed(weight, message):
    with pytest.raises(ValueError, match=message):
        torch.ops.mlp_gibbs.pack_mlp(weight, False, 3, FLOAT_ENGINES[0])
