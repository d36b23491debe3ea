"""Energies, gradients and activations of the fused kernels against the definition in float64, for every engine.

Tolerances are counted in roundings of float32 (`UNIT`): a sum of n products of typical size s carries about sqrt(n) of
them.
"""

import math

import mpmath
import pytest
import torch
from torch import Tensor

from mcmc import native
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import FusedNetworks
from mcmc.systems.mlp.networks import Networks
from tests.cpp_ext.fused import (
    ENGINES,
    FLOAT_ENGINES,
    FORCE_UNIT,
    KINKED,
    UNIT,
    WIDTHS,
    case,
    nearest_kink,
    scale_of_energy,
)

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")


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


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
def test_precisions_of_the_forces_differ(engine, forces):
    c = case("tanh", (64, 48), 33)
    exact = c.definition.energy_and_grad(c.x.double())[1]
    error = float((c.fused(engine, forces).energy_and_grad(c.x)[1] - exact).norm() / exact.norm())
    smallest, largest = {"float32": (0, 1e-6), "bfloat16_3x": (1e-6, 3e-5), "bfloat16": (3e-4, 1e-2)}[forces]
    assert smallest < error < largest
