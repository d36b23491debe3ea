"""The compiled operators `torch.ops.mlp_gibbs.*`, or the news that they are not there.

Importing this module loads `mcmc._C`, which registers the operators, and gives each a fake (shape-only) kernel, so that
`torch.library.opcheck` and `torch.compile` know them. Without the extension everything still runs on the plain-torch
twins, which take the same decisions from the same numbers, only slower; that is said once, and the run file records it.
"""

import warnings
from importlib import import_module
from typing import Final, Literal

import torch
from torch import Tensor

Backend = Literal["extension", "reference"]

extension_error: str | None = None
_has_cuda = False
try:
    _C = import_module("mcmc._C")
    _has_cuda = bool(_C.has_cuda)
except ImportError as error:
    extension_error = str(error)
    warnings.warn(
        f"the compiled extension mcmc._C is not usable ({error}); the plain-torch reference is used instead: the same "
        "numbers, slower. Run `make setup` (or `pip install --no-build-isolation -e .`) to build it.",
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


def description() -> dict[str, str | bool | None]:
    """What a run file records about the compiled part: backend, CUDA kernels, instruction set, why it is missing."""
    simd = _C.simd() if BACKEND == "extension" else None
    return {"backend": BACKEND, "cuda_kernels": _has_cuda, "simd": simd, "extension_error": extension_error}


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

    @torch.library.register_fake("mlp_gibbs::deo_swap_")
    def _(*_: Tensor | int) -> None:
        return None

    @torch.library.register_fake("mlp_gibbs::overlap_accumulate_")
    def _(*_: Tensor | float) -> None:
        return None


if BACKEND == "extension":
    _register_fakes()
