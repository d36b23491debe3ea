"""On a GPU: every operator bit for bit the definition, which runs on the CPU."""

import pytest
import torch

from mcmc import native, philox
from mcmc.exchange import ops, reference
from mcmc.exchange.state import from_state_dict, state_dict
from mcmc.rng import Purpose, Streams
from tests.cpp_ext.test_overlap_op import empty_sums, overlaps
from tests.exchange.cases import SHAPES, assert_same_bits, assert_same_state, swap_case

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available() or not native.description()["cuda_kernels"],
        reason="no CUDA device, or an extension without CUDA kernels",
    ),
]


@pytest.mark.parametrize(("d", "c", "n"), [(0, 2, 3), (2, 3, 0), (1, 1, 1), (3, 5, 3), (4, 6, 37), (64, 64, 256)])
def test_streams(d, c, n):
    cpu = Streams.of(0xABCDEF0123456, range(7, 7 + d), range(c))
    gpu = cpu.to("cuda")
    for dtype in (torch.float64, torch.float32):
        expected = philox.philox_normal(cpu.seed, Purpose.TEST, cpu.network, cpu.chain, 3, n, dtype)
        assert_same_bits(gpu.normal(Purpose.TEST, 3, n, dtype).cpu(), expected, f"normal {dtype}")
    expected = philox.philox_uniform(cpu.seed, Purpose.TEST, cpu.network, cpu.chain, 3, n)
    assert_same_bits(gpu.uniform(Purpose.TEST, 3, n).cpu(), expected, "uniform")
    counter = torch.tensor([3], device="cuda")
    assert_same_bits(gpu.uniform(Purpose.TEST, counter, n).cpu(), expected, "uniform of a step on the device")


@pytest.mark.parametrize("backend", ["extension", "reference"])
@pytest.mark.parametrize(("d", "k", "r", "parity"), SHAPES)
def test_exchange(d, k, r, parity, backend):
    case = swap_case(d, k, r, parity)
    gpu = from_state_dict(state_dict(case.state), "cuda")
    inputs = [t.to("cuda") for t in (case.u, case.energy, case.beta)]
    ops.exchange(*inputs, gpu, parity, backend=backend)
    ops.exchange(case.u, case.energy, case.beta, case.state, parity, backend="reference")
    assert_same_state(from_state_dict(state_dict(gpu)), case.state)


def test_overlaps():
    q = overlaps(300, 32, 6)
    gpu, cpu = [t.to("cuda") for t in empty_sums(300, 32, 64)], empty_sums(300, 32, 64)
    ops.overlap_accumulate_(q.to("cuda"), -1.0, 1.0, *gpu, backend="extension")
    reference.overlap_accumulate_(q, -1.0, 1.0, *cpu)
    assert torch.equal(gpu[0].cpu(), cpu[0])
    assert_same_bits(gpu[1].cpu(), cpu[1], "moment_sum")


def test_other_stream_is_respected():
    """The launch goes to torch's current stream: the result is there after waiting for that stream alone."""
    s = Streams.of(3, range(64), range(64)).to("cuda")
    expected = s.normal(Purpose.TEST, 0, 256).cpu()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        drawn = s.normal(Purpose.TEST, 0, 256)
        copied = drawn.cpu()
    assert torch.equal(copied, expected)


def test_second_device_is_refused():
    arguments = swap_case(2, 4, 3, 0).arguments()
    arguments = {name: v.to("cuda") if isinstance(v, torch.Tensor) else v for name, v in arguments.items()}
    arguments["beta"] = arguments["beta"].cpu()
    with pytest.raises(ValueError, match="beta must be on the device of energy"):
        torch.ops.mlp_gibbs.deo_swap_(**arguments)
