"""Precision of the forces: which one a run gets on this machine, and why.

Forces of any precision leave the law exact as long as they are a function of the position; energies never follow them.
"""

from dataclasses import dataclass

import torch

from mcmc import native
from mcmc.config import RunConfig
from mcmc.systems.mlp.batched import why_not_compiled
from mcmc.systems.mlp.fused import FORCE_PARTS

TENSOR_CORES = (8, 0)  # the first compute capability that multiplies tf32 and bfloat16


@dataclass(frozen=True)
class ForceChoice:
    """What a run file records about its forces.

    Attributes:
        asked:  `sampler.force_dtype`.
        used:   float64, float32, bfloat16_3x (products of the two leading bfloat16 parts of each number) or bfloat16.
        engine: of `native.ENGINES`, the compiled kernels that compute them; inductor for the stages that torch.compile
            makes on CUDA; None for plain torch.
        reason: why `used` is not `asked`; None if it is.
    """

    asked: str
    used: str
    engine: str | None
    reason: str | None = None


def choose_forces(config: RunConfig, device: torch.device) -> ForceChoice:
    """The precision for this device: what was asked for, or float32 with the reason.

    `auto` is float32 until coarser forces have been shown to give more effective samples a second in a run like this.
    """
    asked, dtype = config.sampler.force_dtype, config.run.dtype
    if device.type == "cuda" and dtype == "float32":
        return _on_cuda(asked, device)
    engine = native.fused_engine() if device.type == "cpu" and dtype == "float32" else None
    if asked in ("auto", "float32"):
        return ForceChoice(asked, dtype, engine)
    used = {"tf32": "bfloat16_3x"}.get(asked, asked)
    if engine is None or FORCE_PARTS[used] not in native.coarse_parts(engine):
        units = "AMX tiles or AVX512_BF16" if asked == "bfloat16" else "AMX tiles"
        have = f"{device} with {engine or 'plain torch'}"
        return ForceChoice(asked, dtype, engine, f"{asked} products need a processor with {units}, found {have}")
    return ForceChoice(asked, used, engine)


def _on_cuda(asked: str, device: torch.device) -> ForceChoice:
    why = why_not_compiled()
    engine = "inductor" if why is None else None
    capability = torch.cuda.get_device_capability(device)
    if asked in ("tf32", "bfloat16") and capability < TENSOR_CORES:
        have = f"{torch.cuda.get_device_name(device)} with {capability[0]}.{capability[1]}"
        return ForceChoice(asked, "float32", engine, f"{asked} products need compute capability 8.0, found {have}")
    reason = None if why is None else f"stages are in plain torch: {why}"
    return ForceChoice(asked, "float32" if asked == "auto" else asked, engine, reason)
