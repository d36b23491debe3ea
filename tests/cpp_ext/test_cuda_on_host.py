"""The CUDA kernels and their launchers, compiled as plain C++ and run thread by thread: bit for bit the definition.

`host_cuda/cuda_runtime.h` stands in for the CUDA runtime. This shows everything about the kernels except what only a
GPU can: that its instructions round as the standard says.
"""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from mcmc import philox
from mcmc.exchange import reference
from tests.cpp_ext.test_overlap_op import empty_sums, overlaps
from tests.exchange.cases import SHAPES, assert_same_bits, assert_same_state, copy_state, swap_case

HERE = Path(__file__).parent
COMPILER = shutil.which("g++") or shutil.which("c++")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")


def compiled(library: Path, *arithmetic: str) -> ctypes.CDLL:
    flags = ["-O2", "-std=c++17", *arithmetic, "-Wall", "-Werror", "-shared", "-fPIC"]
    source = HERE / "host_cuda" / "driver.cpp"
    done = subprocess.run(
        [COMPILER, *flags, f"-I{HERE / 'host_cuda'}", str(source), "-o", str(library)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("host_cuda") / "kernels.so", "-ffp-contract=off")


def call(fn, *arguments) -> None:
    """Calls a C function with tensors as pointers, ints as int64, floats as double."""
    converted = []
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            assert argument.is_contiguous()
            converted.append(ctypes.c_void_p(argument.data_ptr()))
        elif isinstance(argument, float):
            converted.append(ctypes.c_double(argument))
        elif isinstance(argument, int):
            converted.append(ctypes.c_int64(argument))
        else:
            converted.append(argument)
    assert fn(*converted) == 0


def test_words(host):
    generator = torch.Generator().manual_seed(1)
    counter = torch.randint(0, 1 << 32, (2000, 4), generator=generator)
    key = torch.randint(0, 1 << 32, (2000, 2), generator=generator)
    out = torch.empty_like(counter)
    call(host.host_words, counter, key, counter.shape[0], out)
    assert torch.equal(out, philox.philox4x32(counter, key))


@pytest.mark.parametrize(
    ("d", "c", "n"), [(0, 2, 3), (2, 3, 0), (1, 1, 1), (3, 5, 2), (3, 5, 3), (4, 6, 37), (3, 7, 256)]
)
def test_streams(host, d, c, n):
    network, chain = torch.arange(7, 7 + d), torch.arange(c) * 3
    seed, purpose, step = 0xABCDEF0123456, 201, 0x80000001
    head = (ctypes.c_uint64(seed), ctypes.c_uint32(purpose), network, d, chain, c, ctypes.c_uint32(step), n)
    address = (seed, purpose, network, chain, step, n)
    uniform, normal = (torch.empty((d, c, n), dtype=torch.float64) for _ in range(2))
    single = torch.empty((d, c, n), dtype=torch.float32)
    call(host.host_uniforms, *head, uniform)
    call(host.host_normals, *head, normal)
    call(host.host_normals_float, *head, single)
    counted = torch.empty_like(normal)
    call(host.host_normals_at, *head[:6], torch.tensor([step]), n, counted)
    assert_same_bits(counted, normal, "normal of a step in memory")
    assert_same_bits(uniform, philox.philox_uniform(*address), "uniform")
    assert_same_bits(normal, philox.philox_normal(*address, torch.float64), "normal")
    assert_same_bits(single, philox.philox_normal(*address, torch.float32), "normal in float32")


@pytest.mark.parametrize(("d", "k", "r", "parity"), SHAPES)
def test_exchange(host, d, k, r, parity):
    case = swap_case(d, k, r, parity)
    plain = copy_state(case.state)
    arguments = case.arguments()
    names = ["u", "energy", "beta", "parity", "slot_of_temp", "temp_of_slot", "accept_sum", "swap_count", "direction"]
    call(host.host_deo_swap, *(arguments[name] for name in [*names, "round_trips"]), d, k, r)
    case.state, through_launcher = plain, case.state
    reference.deo_swap_(**case.arguments())
    assert_same_state(through_launcher, plain)


@pytest.mark.parametrize(("d", "k", "p", "n_bins"), [(0, 2, 1, 3), (2, 3, 0, 3), (2, 3, 1, 1), (40, 32, 6, 64)])
def test_overlaps(host, d, k, p, n_bins):
    q = overlaps(d, k, p)
    kernel, plain = empty_sums(d, k, n_bins), empty_sums(d, k, n_bins)
    call(host.host_overlaps, q, d * k, p, -1.0, 1.0, n_bins, *kernel)
    reference.overlap_accumulate_(q, -1.0, 1.0, *plain)
    assert torch.equal(kernel[0], plain[0])
    assert_same_bits(kernel[1], plain[1], "moment_sum")


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="no x86 FMA here")
def test_fused_arithmetic_is_caught(tmp_path):
    """The same kernels with fused multiply-add, as a forgotten -fmad=false would give: the comparison must fail."""
    fused = compiled(tmp_path / "fused.so", "-ffp-contract=fast", "-mfma")
    n = 10000
    network, chain = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    out = torch.empty((1, 1, n), dtype=torch.float64)
    call(fused.host_normals, ctypes.c_uint64(1), ctypes.c_uint32(2), network, 1, chain, 1, ctypes.c_uint32(3), n, out)
    expected = philox.philox_normal(1, 2, network, chain, 3, n, torch.float64)
    torch.testing.assert_close(out, expected, rtol=1e-14, atol=1e-14)
    with pytest.raises(AssertionError, match=r"normal: .* differ"):
        assert_same_bits(out, expected, "normal")
