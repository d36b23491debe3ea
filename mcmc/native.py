"""The compiled operators `torch.ops.mlp_gibbs.*`, or the news that they are not there.

Importing this module loads `mcmc._C`, which registers the operators, and gives each a fake (shape-only) kernel, so that
`torch.library.opcheck` and `torch.compile` know them. Without the extension everything still runs on the plain-torch
twins, which take the same decisions from the same numbers, only slower; that is said once, and the run file records it.
"""

import os
import warnings
from importlib import import_module
from typing import Any, Final, Literal

import torch
from torch import Tensor

from mcmc import onednn

Backend = Literal["extension", "reference"]

ENGINES: Final = ("amx", "avx512_bf16", "avx512", "avx2")  # best first
INTERFACE: Final = 8  # of the operators; INTERFACE in cpp_ext/src/library.cpp is the same number

extension_error: str | None = None
_has_cuda = False
try:
    _C = import_module("mcmc._C")
    found = getattr(_C, "interface", 1)
    if found != INTERFACE:
        raise ImportError(f"it was built from other sources: its interface is number {found}, expected {INTERFACE}")
    _has_cuda = bool(_C.has_cuda)
except ImportError as error:
    extension_error = str(error)
    warnings.warn(
        f"the compiled extension mcmc._C is not usable ({error}); the plain-torch reference is used instead: the same "
        "numbers, slower. Run `make setup` (or `pip install --no-build-isolation -e .`) to build it anew.",
        RuntimeWarning,
        stacklevel=2,
    )

BACKEND: Final[Backend] = "reference" if extension_error else "extension"
_announced_devices: set[str] = set()


def backend_for(device: torch.device) -> Backend:
    """Which implementation serves tensors on `device`: the extension where it has kernels for it."""
    if BACKEND == "reference" or device.type in ("cpu", "meta"):
        return BACKEND
    if device.type == "cuda" and _has_cuda:
        return "extension"
    if device.type not in _announced_devices:
        _announced_devices.add(device.type)
        warnings.warn(
            f"mcmc._C was built without kernels for {device.type!r}; the plain-torch reference is used there: the same "
            "numbers, slower. Rebuild where nvcc is present, with MLP_GIBBS_CUDA=1 `make setup`.",
            RuntimeWarning,
            stacklevel=2,
        )
    return "reference"


def engines() -> tuple[str, ...]:
    """The kernels for float32 on the CPU that this processor runs, best first: of ENGINES."""
    return () if BACKEND == "reference" else tuple(_C.engines())


def fused_engine() -> str | None:
    """The kernels that serve float32 trajectories on the CPU: one of ENGINES; None for the plain-torch path.

    The best that this processor runs, or none better than MLP_GIBBS_SIMD in the environment asks for.
    """
    asked = os.environ.get("MLP_GIBBS_SIMD", ENGINES[0])
    wanted = ENGINES[ENGINES.index(asked) :] if asked in ENGINES else ()
    return next((engine for engine in engines() if engine in wanted), None)


def coarse_parts(engine: str) -> tuple[int, ...]:
    """Bfloat16 parts of a number with which an engine computes forces coarser, and faster, than in float32."""
    return {"amx": (1, 2), "avx512_bf16": (1,)}.get(engine, ())


def serves_numbers(t: Tensor) -> bool:
    """Whether the operators of the Metropolis test take numbers like t: on the CPU."""
    return BACKEND == "extension" and t.device.type == "cpu"


def serves_rows(t: Tensor) -> bool:
    """Whether the operators on rows (kinetic energy, projection, selection) take t: float32 on the CPU."""
    return BACKEND == "extension" and t.dtype == torch.float32 and t.device.type == "cpu"


def description() -> dict[str, str | bool | None]:
    """What a run file records about the compiled part: backend, CUDA kernels, instruction set, why it is missing.

    `products` says who may multiply float32 matrices on the CPU without an engine: "onednn", or torch's "blas" alone.
    """
    simd = _C.simd() if BACKEND == "extension" else None
    return {
        "backend": BACKEND,
        "cuda_kernels": _has_cuda,
        "simd": simd,
        "engine": fused_engine(),
        "products": None if fused_engine() else "onednn" if onednn.is_float32() else "blas",
        "extension_error": extension_error,
    }


def _register_fakes() -> None:
    @torch.library.register_fake("mlp_gibbs::philox4x32")
    def _(counter: Tensor, key: Tensor) -> Tensor:
        return torch.empty_like(counter, memory_format=torch.contiguous_format)

    @torch.library.register_fake("mlp_gibbs::philox_uniform")
    def _(seed: int, purpose: int, network: Tensor, chain: Tensor, step: int, n: int) -> Tensor:
        return network.new_empty((network.shape[0], chain.shape[0], n), dtype=torch.float64)

    @torch.library.register_fake("mlp_gibbs::philox_normal")
    def _(seed: int, purpose: int, network: Tensor, chain: Tensor, step: int, n: int, dtype: torch.dtype) -> Tensor:
        return network.new_empty((network.shape[0], chain.shape[0], n), dtype=dtype)

    @torch.library.register_fake("mlp_gibbs::philox_uniform_at")
    def _(seed: int, purpose: int, network: Tensor, chain: Tensor, step: Tensor, n: int) -> Tensor:
        return network.new_empty((network.shape[0], chain.shape[0], n), dtype=torch.float64)

    @torch.library.register_fake("mlp_gibbs::philox_normal_at")
    def _(seed: int, purpose: int, network: Tensor, chain: Tensor, step: Tensor, n: int, dtype: torch.dtype) -> Tensor:
        return network.new_empty((network.shape[0], chain.shape[0], n), dtype=dtype)

    @torch.library.register_fake("mlp_gibbs::deo_swap_")
    def _(*_: Tensor | int) -> None:
        return None

    @torch.library.register_fake("mlp_gibbs::count_and_swap_")
    def _(statistics: Tensor, energy: Tensor, *_: object) -> Tensor:
        return energy.new_empty((4, *energy.shape))

    @torch.library.register_fake("mlp_gibbs::overlap_accumulate_")
    def _(*_: Tensor | float) -> None:
        return None

    @torch.library.register_fake("mlp_gibbs::energy_error")
    def _(beta: Tensor, *_: Tensor) -> Tensor:
        return torch.empty_like(beta, memory_format=torch.contiguous_format)

    @torch.library.register_fake("mlp_gibbs::metropolis")
    def _(u: Tensor, energy_error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        is_accepted, is_nonfinite = (u.new_empty(u.shape, dtype=torch.bool) for _ in range(2))
        return u.new_empty((*u.shape, 4)), is_accepted, is_nonfinite

    @torch.library.register_fake("mlp_gibbs::kinetic_energy")
    def _(p: Tensor) -> Tensor:
        return p.new_empty(p.shape[:2], dtype=torch.float64)

    @torch.library.register_fake("mlp_gibbs::project_tangent")
    def _(x: Tensor, v: Tensor) -> Tensor:
        return torch.empty_like(v, memory_format=torch.contiguous_format)

    @torch.library.register_fake("mlp_gibbs::keep_rows_")
    def _(*_: Tensor) -> None:
        return None

    @torch.library.register_fake("mlp_gibbs::pack_mlp")
    def _(weight: Tensor, transposed: bool, parts: int, engine: str) -> Tensor:
        n_networks, rows, cols = weight.shape
        pad = 32 if engine == "amx" else 2
        size = 2 * parts if engine == "amx" or parts in coarse_parts(engine) else 4  # bytes a weight
        n_bytes = size * (-(-rows // pad) * pad) * (-(-cols // pad) * pad)
        return weight.new_empty((n_networks, n_bytes), dtype=torch.uint8)

    @torch.library.register_fake("mlp_gibbs::energy_and_grad_mlp")
    def _(x: Tensor, with_grad: bool, *_: object) -> tuple[Tensor, Tensor]:
        n_networks, n_chains, n_sites = x.shape
        energy = x.new_empty((n_networks, n_chains), dtype=torch.float64)
        return energy, x.new_empty((n_networks if with_grad else 0, n_chains, n_sites))

    @torch.library.register_fake("mlp_gibbs::overlaps_mlp")
    def _(x: Tensor, variances: list[float], *_: object) -> tuple[Tensor, ...]:
        (d, k, r, _n_sites), depth = x.shape, len(variances)
        of_pairs = d if r > 1 else 0
        shapes = ((d, k, r * (r - 1) // 2, depth + 1), (d, k, r, depth + 1), (of_pairs, k, depth), (of_pairs, k, depth))
        return tuple(x.new_empty(shape, dtype=torch.float64) for shape in shapes)

    @torch.library.register_fake("mlp_gibbs::leapfrog_mlp")
    def _(x: Tensor, *_: object) -> tuple[Tensor, ...]:
        arrays = (torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(3))
        numbers = (x.new_empty(x.shape[:2], dtype=torch.float64) for _ in range(2))
        return (*arrays, *numbers)

    @torch.library.register_fake("mlp_gibbs::hmc_mlp")
    def _(x: Tensor, energy: Tensor, *_: object) -> tuple[Tensor, ...]:
        x_out, grad_out = (torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(2))
        statistics, energy_out = energy.new_empty((*energy.shape, 4)), energy.new_empty(energy.shape)
        flags = (energy.new_empty(energy.shape, dtype=torch.bool) for _ in range(2))
        return (x_out, energy_out, grad_out, statistics, *flags)

    @torch.library.register_fake("mlp_gibbs::sweeps_mlp_")
    def _(*arguments: Any) -> tuple[Tensor, ...]:
        n_sweeps, slot_of_temp = arguments[14], arguments[17]
        until, every, with_overlaps, variances = arguments[26:30]
        (d, k, r), depth = slot_of_temp.shape, len(variances)
        n = len(range(until, n_sweeps + 1, every)) if until > 0 else 0
        seen = n if with_overlaps else 0
        of_pairs = (seen if r > 1 else 0, d, k, depth)
        shapes = ((4, d, k, r), (n, d, k, r), (seen, d, k, r * (r - 1) // 2, depth + 1), (seen, d, k, r, depth + 1))
        return tuple(slot_of_temp.new_empty(s, dtype=torch.float64) for s in (*shapes, of_pairs, of_pairs))


if BACKEND == "extension":
    _register_fakes()
