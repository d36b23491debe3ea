"""The CUDA path of trajectories, run on the CPU: the same code, stages in plain torch and compiled."""

from dataclasses import replace

import pytest
import torch

from mcmc import native
from mcmc.kernels.leapfrog import REPROJECT_EVERY
from mcmc.names import ACTIVATION_NAMES
from mcmc.run import build, simulation
from mcmc.run.precision import ForceChoice
from mcmc.systems.mlp import batched
from mcmc.systems.mlp.batched import BatchedNetworks
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.fused import FusedNetworks
from tests.cpp_ext.fused import UNIT, Case, case
from tests.support.chains import assert_exact, simulate

WIDTHS = [(7, 5), (31, 64, 19), (24, 17, 33, 12)]  # depth 1 to 3
BFLOAT16_UNIT = 2.0**-8


@pytest.fixture(autouse=True)
def as_on_cuda(monkeypatch):
    """The operators on rows are of the CPU alone: without them the stages are what a CUDA device is given."""
    monkeypatch.setattr(native, "serves_rows", lambda t: False)


def trajectory(c: Case, dtype: torch.dtype, forces: str = "float32", *, backend: str | None = None, steps=None):
    networks = BatchedNetworks.of(c.networks.to(dtype), forces, backend=backend)
    x, p = c.x.to(dtype), c.p.to(dtype)
    fresh = None if c.fresh is None else c.fresh.to(dtype)
    steps = c.n_leapfrog if steps is None else steps
    longest = steps if isinstance(steps, int) else int(steps.max())
    grad = networks.energy_and_grad(x)[1]
    return networks.leapfrog(x, p, grad, fresh, c.beta, c.step_size.to(dtype), steps, longest, REPROJECT_EVERY)


def assert_same_end(end, exact, tolerance: float) -> None:
    for name, a, b in zip(end._fields, end, exact, strict=True):
        assert (a.double() - b).abs().max() <= tolerance * b.abs().max().clamp(min=1), name


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_is_the_definition(name, widths):
    """In float64 to the last digits: unequal steps, temperatures and step sizes, redraws at beta = 0, with bias."""
    c = case(name, widths, 9)
    assert_same_end(trajectory(c, torch.float64), c.exact(), 1e-10)


@pytest.mark.parametrize(
    ("name", "widths", "dtype", "tolerance"),
    [("tanh", (31, 64, 19), torch.float64, 1e-10), ("relu", (24, 17, 33, 12), torch.float32, 3000 * UNIT)],
)
def test_traced_stages_are_the_definition(name, widths, dtype, tolerance):
    """As torch.compile sees them: each stage one graph, with nothing in it that asks for a number."""
    c = case(name, widths, 9)
    end = trajectory(c, dtype, backend="aot_eager")
    assert_same_end(end, c.exact(), tolerance)
    again = trajectory(c, dtype, backend="aot_eager")
    assert all(torch.equal(a, b) for a, b in zip(end, again, strict=True))


def test_one_number_of_steps_for_all():
    """More steps than between two corrections, so that both kinds of drift are taken; no bias, no redraw."""
    c = case("sin", (31, 64, 19), 9, sigma_b=0.0)
    c.fresh, c.n_leapfrog = None, torch.full_like(c.n_leapfrog, REPROJECT_EVERY + 2)
    assert_same_end(trajectory(c, torch.float64, steps=REPROJECT_EVERY + 2), c.exact(), 1e-10)


@pytest.mark.parametrize("backend", [None, "aot_eager"])
def test_coarse_forces_and_fine_energies(backend):
    """bfloat16 reaches the force and not the energy; an energy of the same products would be seen."""
    c = case("tanh", (31, 64, 19), 9)
    coarse = BatchedNetworks.of(c.networks, "bfloat16", backend=backend)
    energy, grad = coarse.energy_and_grad(c.x)
    exact_energy, exact_grad = c.definition.energy_and_grad(c.x.double())
    scale = exact_grad.norm(dim=-1) * c.x.norm(dim=-1) + exact_energy.abs()
    assert ((energy - exact_energy).abs() / scale).max() < 20 * UNIT
    error = (grad - exact_grad).norm(dim=-1) / exact_grad.norm(dim=-1)
    assert 0.05 * BFLOAT16_UNIT < error.max() < 8 * BFLOAT16_UNIT
    between = coarse.force(c.x.to(torch.bfloat16)).double()
    error = (between - exact_grad).norm(dim=-1) / exact_grad.norm(dim=-1)
    assert 0.05 * BFLOAT16_UNIT < error.max() < 12 * BFLOAT16_UNIT


def test_coarse_products_in_an_energy_are_seen(monkeypatch):
    """The bound on the energies above is one that bfloat16 factors exceed."""
    c = case("tanh", (31, 64, 19), 9)
    monkeypatch.setattr(batched, "_float32_product", lambda a, w: torch.bmm(a.bfloat16().float(), w.bfloat16().float()))
    energy, _ = BatchedNetworks.of(c.networks, "bfloat16", backend=None).energy_and_grad(c.x)
    exact_energy, exact_grad = c.definition.energy_and_grad(c.x.double())
    scale = exact_grad.norm(dim=-1) * c.x.norm(dim=-1) + exact_energy.abs()
    assert ((energy - exact_energy).abs() / scale).max() > 20 * UNIT


def test_end_of_a_trajectory_is_the_force_there():
    """Bit for bit: the check of a run computes both again and compares."""
    c = case("tanh", (31, 64, 19), 9)
    networks = BatchedNetworks.of(c.networks, "bfloat16", backend="aot_eager")
    end = trajectory(c, torch.float32, "bfloat16", backend="aot_eager")
    energy, grad = networks.energy_and_grad(end.x)
    assert torch.equal(energy, end.energy)
    assert torch.equal(grad, end.grad)


def test_parts_are_those_of_the_whole():
    c = case("tanh", (31, 64, 19), 9, n_networks=3)
    whole = BatchedNetworks.of(c.networks, "float32", backend=None)
    assert whole.narrow(1, 3).stages is whole.stages
    torch.testing.assert_close(whole.narrow(1, 3).energy(c.x[1:]), whole.energy(c.x)[1:])


def test_precision_of_products_is_set_for_the_product_alone():
    switch, seen = torch.backends.cuda.matmul, []
    before = switch.fp32_precision
    with batched._float32_products("tf32"):
        seen.append(switch.fp32_precision)
        assert torch.get_float32_matmul_precision() == "high"  # raises where the two settings of torch disagree
        with batched._float32_products("ieee"):
            seen.append(switch.fp32_precision)
    assert seen == ["tf32", "ieee"]
    assert switch.fp32_precision == before
    assert torch.get_float32_matmul_precision() == "highest"


def test_what_keeps_stages_from_being_compiled_is_said(monkeypatch):
    monkeypatch.setenv("MLP_GIBBS_COMPILE", "0")
    assert batched.why_not_compiled() == "MLP_GIBBS_COMPILE=0"
    monkeypatch.delenv("MLP_GIBBS_COMPILE")
    monkeypatch.setattr(torch.utils._triton, "has_triton", lambda: False)
    assert "no Triton" in batched.why_not_compiled()
    monkeypatch.setattr(torch.utils._triton, "has_triton", lambda: True)
    monkeypatch.setattr(batched.shutil, "which", lambda name: None)
    assert "no C compiler" in batched.why_not_compiled()


@pytest.mark.parametrize("broken", ["drift", "backward"])
def test_a_compiler_that_fails_is_told_and_done_without(monkeypatch, broken):
    """Whatever it raises, at whichever stage: the numbers of plain torch, one warning, and the reason is kept."""
    monkeypatch.setattr(batched, "_made", {})

    def compiled(stage, backend):
        def call(*arguments):
            if stage.__name__ == broken:
                raise RuntimeError("ptxas died\nwith a long story")
            return stage(*arguments)

        return call

    monkeypatch.setattr(batched, "_compiled", compiled)
    c = case("tanh", (31, 64, 19), 9)
    assert batched.compile_failure() is None
    with pytest.warns(RuntimeWarning, match="ptxas died; stages are in plain torch") as warned:
        end = trajectory(c, torch.float64, backend="inductor")
    assert len(warned) == 1
    assert batched.compile_failure() == f"torch.compile failed at '{broken}': RuntimeError: ptxas died"
    for a, b in zip(end, trajectory(c, torch.float64), strict=True):
        assert torch.equal(a, b)


def test_an_error_that_is_not_the_compilers_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(batched, "_made", {})
    c = case("tanh", (31, 64, 19), 9)
    networks = BatchedNetworks.of(c.networks, "float32", backend="aot_eager")
    with pytest.warns(RuntimeWarning), pytest.raises(RuntimeError, match="size"):
        networks.stages.backward(torch.zeros(2, 3), torch.zeros(2, 4))


def test_other_dtypes_and_devices_take_other_paths():
    c = case("tanh", (31, 64, 19), 9)
    assert BatchedNetworks.where_possible(c.networks, "float32") is None
    assert MlpSystem(c.networks.to(torch.float64))._fused is None


@pytest.mark.statistical
@pytest.mark.parametrize(("backend", "forces"), [("inductor", "float32"), (None, "bfloat16")])
def test_exact_law(monkeypatch, backend, forces):
    """von Mises-Fisher with exchange and redraws at beta = 0: generated kernels, and coarse forces."""

    def where_possible(networks, forces):
        return BatchedNetworks.of(networks, forces, backend=backend)

    for module in (build, simulation):
        monkeypatch.setattr(module, "choose_forces", lambda config, device: ForceChoice(forces, forces, None))
    monkeypatch.setattr(FusedNetworks, "where_possible", where_possible)
    draws = simulate(dtype="float32")
    assert draws.simulation.forces == forces
    assert draws.simulation.system._fused.stages.backend == backend
    assert_exact(draws)


@pytest.mark.cuda
@pytest.mark.parametrize("forces", batched.FORCES)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_on_a_device(name, forces):
    """Energies to roundings of float32 whatever the forces are, forces to their own; trajectories in float32."""
    unit = {"float32": UNIT, "tf32": 2.0**-11, "bfloat16": BFLOAT16_UNIT}[forces]
    c = case(name, (31, 64, 19), 70)
    on_device = {n: t.cuda() for n, t in vars(c).items() if isinstance(t, torch.Tensor)}
    net = c.networks
    on_device["networks"] = replace(
        net,
        ids=net.ids.cuda(),
        weights=tuple(w.cuda() for w in net.weights),
        biases=tuple(b if b is None else b.cuda() for b in net.biases),
        readout=net.readout.cuda(),
    )
    networks = BatchedNetworks.where_possible(on_device["networks"], forces)
    energy, grad = (t.cpu() for t in networks.energy_and_grad(on_device["x"]))
    exact_energy, exact_grad = c.definition.energy_and_grad(c.x.double())
    scale = exact_grad.norm(dim=-1) * c.x.norm(dim=-1) + exact_energy.abs()
    assert ((energy - exact_energy).abs() / scale).max() < 20 * UNIT
    if "relu" not in name:  # a kink near an input turns a rounding into a slope
        assert ((grad - exact_grad).norm(dim=-1) / exact_grad.norm(dim=-1)).max() < 20 * unit
    if forces == "float32" and "relu" not in name:
        end = networks.leapfrog(
            *(on_device["x"], on_device["p"], networks.energy_and_grad(on_device["x"])[1], None, on_device["beta"]),
            *(on_device["step_size"], on_device["n_leapfrog"], int(c.n_leapfrog.max()), REPROJECT_EVERY),
        )
        assert_same_end(type(end)(*(t.cpu() for t in end)), c.exact(), 3000 * UNIT)


@pytest.mark.cuda
def test_results_hardly_depend_on_the_cut():
    """On a device a product's algorithm may follow its shape: to rounding, not to the bit."""
    c = case("tanh", (31, 64, 19), 70, n_networks=4)
    ids = torch.arange(4, device="cuda")
    args = {"sigma_w": 1.2, "sigma_b": 0.5, "dtype": torch.float32}
    drawn = type(c.networks).draw((31, 64, 19), c.networks.activation, ids=ids, seed=5, **args)
    whole = BatchedNetworks.where_possible(drawn, "float32")
    x = c.x.cuda()
    torch.testing.assert_close(whole.narrow(2, 4).force(x[2:]), whole.force(x)[2:], rtol=1e-4, atol=1e-5)
