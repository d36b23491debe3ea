"""The path without compiled kernels against the definition: activations in place, forces, trajectories, memory."""

from dataclasses import replace

import pytest
import torch

from mcmc import native, onednn
from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import REPROJECT_EVERY, leapfrog
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import FusedNetworks
from mcmc.systems.mlp.portable import PortableNetworks
from tests.cpp_ext.fused import UNIT, case
from tests.support.chains import assert_exact, simulate

WIDTHS = [(7, 5), (31, 64, 19), (24, 17, 33, 12)]  # depth 1 to 3


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch):
    monkeypatch.setattr(FusedNetworks, "where_possible", lambda networks, forces: None)


def portable_in_float64(networks):
    """The same code in float64, where an error of the scheme cannot hide behind rounding."""
    system = MlpSystem(networks.to(torch.float64))
    vars(system)["_fused"] = PortableNetworks.of(system.networks)
    return system


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_activation_in_place(name):
    phi = make_activation(name, depth=2)
    h = torch.cat([torch.linspace(-5, 5, 201, dtype=torch.float64), torch.tensor([0.0, -0.0], dtype=torch.float64)])
    a, slope = h.clone(), torch.empty_like(h)
    phi.apply_(a, slope)
    torch.testing.assert_close(a, phi.phi(h), rtol=1e-15, atol=1e-15)
    torch.testing.assert_close(slope, phi.dphi(h, phi.phi(h)), rtol=1e-15, atol=1e-15)
    by_default, its_slope = h.clone(), torch.empty_like(h)
    replace(phi, in_place=None).apply_(by_default, its_slope)
    assert torch.equal(by_default, phi.phi(h))
    assert torch.equal(its_slope, phi.dphi(h, phi.phi(h)))


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_activation_in_place_keeps_a_nan(name):
    """A NaN must reach the energy, where it stops the run."""
    a, slope = torch.tensor([float("nan"), 1.0]), torch.empty(2)
    make_activation(name, depth=1).apply_(a, slope)
    assert a.isnan().tolist() == [True, False]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_trajectories_are_the_definition(name, widths):
    """Unequal steps, temperatures and step sizes, a bias, more steps than between two corrections."""
    c = case(name, widths, 9)
    c.n_leapfrog[0, 0] = REPROJECT_EVERY + 3
    system, exact = portable_in_float64(c.networks), c.exact()
    x, p = c.x.double(), c.p.double()
    energy, grad = system.energy_and_grad(x)
    end = leapfrog(system, ChainState(x, energy, grad, p), c.beta, c.step_size.double(), c.n_leapfrog)
    for found, expected in ((end.x, exact.x), (end.momentum, exact.momentum), (end.grad, exact.grad)):
        assert (found - expected).abs().max() < 1e-11 * expected.abs().max()
    assert (end.energy - exact.energy).abs().max() < 1e-11
    assert torch.equal(x, c.x.double())
    assert torch.equal(p, c.p.double())  # what began the trajectory is not written over


@pytest.mark.parametrize("widths", WIDTHS)
def test_float32_is_float64_to_rounding(widths):
    c = case("tanh", widths, 33)
    system = MlpSystem(c.networks)
    assert isinstance(system._fused, PortableNetworks)
    energy, grad = system.energy_and_grad(c.x)
    exact_energy, exact_grad = c.definition.energy_and_grad(c.x.double())
    scale = exact_grad.norm(dim=-1) * c.x.norm(dim=-1) + exact_energy.abs()
    assert ((energy - exact_energy).abs() / scale).max() < 20 * UNIT
    # of the largest: where neurons saturate, a gradient is a small difference
    assert (grad - exact_grad).norm(dim=-1).max() < 20 * UNIT * exact_grad.norm(dim=-1).max()


def test_the_same_bits_alone_in_parts_and_again():
    """Memory that is used again leaks nothing from one batch, network or call into another."""
    c = case("erf", (24, 17, 33, 12), 20, n_networks=3)
    system = MlpSystem(c.networks)
    energy, grad = system.energy_and_grad(c.x)
    assert torch.equal(system.grad(c.x), grad)
    assert torch.equal(system.grad(c.x, torch.full_like(c.x, torch.nan)), grad)
    assert torch.equal(system.energy(c.x), energy)
    part = system.narrow(1, 3)
    assert part._fused.scratch is system._fused.scratch
    again, its_grad = part.energy_and_grad(c.x[1:])
    assert torch.equal(again, energy[1:])
    assert torch.equal(its_grad, grad[1:])
    assert torch.equal(system.energy_and_grad(c.x)[0], energy)


def test_products_through_onednn(monkeypatch):
    """Both ways are float32 to rounding, alone and in parts; small layers stay with the BLAS whatever the processor."""
    c = case("tanh", (96, 80, 64), 20, n_networks=3)
    assert not PortableNetworks.of(case("tanh", (96, 80, 40), 2).networks).is_onednn
    exact_energy, exact_grad = c.definition.energy_and_grad(c.x.double())
    for is_float32 in {False, onednn.is_float32()}:
        monkeypatch.setattr(onednn, "is_float32", lambda is_float32=is_float32: is_float32)
        networks = PortableNetworks.of(c.networks)
        assert networks.is_onednn is is_float32
        energy, grad = networks.energy_and_grad(c.x)
        scale = exact_grad.norm(dim=-1) * c.x.norm(dim=-1) + exact_energy.abs()
        assert ((energy - exact_energy).abs() / scale).max() < 20 * UNIT
        assert (grad - exact_grad).norm(dim=-1).max() < 20 * UNIT * exact_grad.norm(dim=-1).max()
        part = networks.narrow(1, 3).energy_and_grad(c.x[1:, :7].contiguous())
        assert torch.equal(part[0], energy[1:, :7])
        assert torch.equal(part[1], grad[1:, :7])


def test_rounded_or_entangled_products_are_no_float32_products():
    assert onednn.is_float32_product(lambda a, w: torch.bmm(a.double(), w.double()).float())
    assert not onednn.is_float32_product(lambda a, w: torch.bmm(a.bfloat16().float(), w.bfloat16().float()))
    assert not onednn.is_float32_product(lambda a, w: torch.bmm(a, w) * (1 + 2.0**-23 * (a.shape[1] > 20)))


def test_setting_of_the_user_is_left_as_it_was():
    switch = torch.backends.mkldnn.matmul
    before = switch.fp32_precision
    onednn.product(torch.randn(1, 70, 70), torch.randn(1, 70, 70))
    assert switch.fp32_precision == before
    with pytest.raises(RuntimeError):
        onednn.product(torch.randn(1, 70, 70), torch.randn(1, 69, 70))
    assert switch.fp32_precision == before
    assert torch.get_float32_matmul_precision() == "highest"  # raises where two settings of torch disagree


@pytest.mark.statistical
def test_exact_law(monkeypatch):
    """von Mises-Fisher with exchange and redraws at beta = 0, in float32."""
    monkeypatch.setenv("MLP_GIBBS_SIMD", "portable")
    assert native.fused_engine() is None
    draws = simulate(dtype="float32")
    assert isinstance(draws.simulation.system._fused, PortableNetworks)
    assert_exact(draws)
