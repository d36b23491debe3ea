"""Which kernels serve, and how the operators on random MLPs take their arguments."""

import pytest
import torch

from mcmc import native
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import kernel_activation
from mcmc.systems.mlp.portable import PortableNetworks
from tests.cpp_ext.fused import ENGINES, FLOAT_ENGINES, UNIT, case, scale_of_energy

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")


def test_engine_of_the_environment(monkeypatch):
    """MLP_GIBBS_SIMD asks for an engine; without one the plain path serves, with the same numbers to rounding."""
    c = case("tanh", (20, 15), 9)
    monkeypatch.delenv("MLP_GIBBS_SIMD", raising=False)
    assert native.fused_engine() == native.engines()[0]
    energies = {}
    for asked in (*native.ENGINES, "portable", "scalar"):
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
