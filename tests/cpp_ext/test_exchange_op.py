"""The exchange operator against its twin, bit for bit, and its arguments."""

import pytest
import torch

from mcmc import native
from mcmc.exchange import ops, reference
from mcmc.exchange.state import initial_exchange_state
from tests.exchange.cases import SHAPES, assert_same_state, copy_state, swap_case, uniforms

pytestmark = pytest.mark.skipif(native.BACKEND == "reference", reason=f"no extension: {native.extension_error}")


def both(case):
    """The states after the same move by the extension and by the twin."""
    compiled, plain = copy_state(case.state), copy_state(case.state)
    ops.exchange(case.u, case.energy, case.beta, compiled, case.parity, backend="extension")
    ops.exchange(case.u, case.energy, case.beta, plain, case.parity, backend="reference")
    return compiled, plain


@pytest.mark.parametrize(("d", "k", "r", "parity"), SHAPES)
def test_extension_equals_the_twin(d, k, r, parity):
    assert_same_state(*both(swap_case(d, k, r, parity)))


def test_many_sweeps_in_a_row():
    generator = torch.Generator().manual_seed(3)
    compiled, plain = initial_exchange_state(17, 9, 3), initial_exchange_state(17, 9, 3)
    beta = torch.logspace(-1, 0.5, 9, dtype=torch.float64)
    for sweep in range(100):
        energy = 3 * torch.randn((17, 9, 3), dtype=torch.float64, generator=generator)
        u = uniforms(17, 9, 3, sweep % 2, generator)
        ops.exchange(u, energy, beta, compiled, sweep % 2, backend="extension")
        ops.exchange(u, energy, beta, plain, sweep % 2, backend="reference")
    assert_same_state(compiled, plain)
    assert int(compiled.round_trips.sum()) > 0


def test_non_contiguous_inputs():
    case = swap_case(6, 5, 4, 1)
    expected, _ = both(case)
    case.energy = case.energy.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    case.u = torch.stack((case.u, case.u), dim=-1)[..., 0]
    case.beta = torch.stack((case.beta, case.beta), dim=-1)[:, 0]
    assert not any(t.is_contiguous() for t in (case.energy, case.u, case.beta))
    compiled, plain = both(case)
    assert_same_state(compiled, expected)
    assert_same_state(plain, expected)


@pytest.mark.parametrize(
    "name", ["slot_of_temp", "temp_of_slot", "accept_sum", "swap_count", "direction", "round_trips"]
)
def test_written_tensors_must_be_contiguous(name):
    arguments = swap_case(6, 5, 4, 1).arguments()
    arguments[name] = arguments[name].permute(2, 0, 1).contiguous().permute(1, 2, 0)
    before = arguments[name].clone()
    with pytest.raises(ValueError, match=f"{name} is written in place and must be contiguous, found shape"):
        torch.ops.mlp_gibbs.deo_swap_(**arguments)
    assert torch.equal(arguments[name], before)
    reference.deo_swap_(**arguments)  # the twin takes any


@pytest.mark.parametrize("n_threads", [1, 2])
def test_result_does_not_depend_on_threads(n_threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(n_threads)
        assert_same_state(*both(swap_case(97, 16, 3, 0)))
    finally:
        torch.set_num_threads(before)


FLOAT = torch.zeros((2, 4, 3))
BAD_ARGUMENTS = [
    ({"parity": 2}, "parity must be 0 or 1, found 2"),
    ({"parity": -1}, "parity must be 0 or 1, found -1"),
    ({"energy": FLOAT}, "energy must be .*found"),
    (
        {"energy": torch.zeros((2, 0, 3), dtype=torch.float64)},
        r"(with K >= 1|at least one temperature), found .*\[2, 0, 3\]",
    ),
    ({"energy": torch.zeros((2, 4), dtype=torch.float64)}, r"energy must have shape \(D, K, R\).*found \[2, 4\]"),
    ({"u": torch.zeros((2, 1, 3), dtype=torch.float64)}, r"u must have shape \[2, 2, 3\], found \[2, 1, 3\]"),
    ({"beta": torch.zeros(5, dtype=torch.float64)}, r"beta must have shape \[4\], found \[5\]"),
    ({"slot_of_temp": FLOAT}, "slot_of_temp must be .*found"),
    ({"accept_sum": FLOAT.double()}, r"accept_sum must have shape \[2, 3, 3\], found \[2, 4, 3\]"),
    ({"direction": FLOAT.long()}, "direction must be .*found"),
    ({"round_trips": FLOAT[:, :3].long()}, r"round_trips must have shape \[2, 4, 3\], found \[2, 3, 3\]"),
]


@pytest.mark.parametrize("backend", ["extension", "reference"])
@pytest.mark.parametrize(("change", "message"), BAD_ARGUMENTS)
def test_wrong_arguments_are_named(backend, change, message):
    arguments = {**swap_case(2, 4, 3, 0).arguments(), **change}
    with pytest.raises(ValueError, match=message):
        ops.deo_swap_(**arguments, backend=backend)


def test_second_device_is_refused():
    """In the twin; the extension's own check needs two devices that it has kernels for, see test_cuda_device.py."""
    arguments = swap_case(2, 4, 3, 0).arguments()
    arguments["swap_count"] = arguments["swap_count"].to("meta")
    with pytest.raises(ValueError, match="swap_count must be on the device cpu, found meta"):
        reference.deo_swap_(**arguments)


@pytest.mark.parametrize("slot", [-1, 4, 2**40])
def test_slot_out_of_range_is_refused_and_not_followed(slot):
    arguments = swap_case(2, 4, 3, 0).arguments()
    arguments["slot_of_temp"][1, 2, 1] = slot
    with pytest.raises(ValueError, match=r"permutations of 0\.\.3 along axis 1"):
        torch.ops.mlp_gibbs.deo_swap_(**arguments)
    assert arguments["accept_sum"].isnan().nonzero().tolist() == [[1, 2, 1]]


@pytest.mark.parametrize("shape", [(2, 5, 3, 1), (0, 2, 1, 0)])
def test_operator_is_registered_properly(shape):
    arguments = swap_case(*shape).arguments()
    torch.library.opcheck(torch.ops.mlp_gibbs.deo_swap_.default, tuple(arguments.values()))
