"""Precision of the forces: which one a run gets on this machine, and why.

Forces of any precision leave the law exact as long as they are a function of the position; energies never follow them.
"""

from dataclasses import dataclass

import torch

from mcmc import native
from mcmc.config import RunConfig


@dataclass(frozen=True)
class ForceChoice:
    """What a run file records about its forces.

    Attributes:
        asked:  `sampler.force_dtype`.
        used:   float64, float32, bfloat16_3x (products of the two leading bfloat16 parts of each number) or bfloat16.
        engine: amx, avx512 or avx2, the compiled kernels that compute them; None for plain torch.
        reason: why `used` is not `asked`; None if it is.
    """

    asked: str
    used: str
    engine: str | None
    reason: str | None = None


def choose_forces(config: RunConfig, device: torch.device) -> ForceChoice:
    """The precision for this processor: what was asked for, or float32 with the reason.

    `auto` is float32 until coarser forces have been shown to give more effective samples a second in a run like this.
    """
    asked, dtype = config.sampler.force_dtype, config.run.dtype
    engine = native.fused_engine() if device.type == "cpu" and dtype == "float32" else None
    if asked in ("auto", "float32"):
        return ForceChoice(asked, dtype, engine)
    if engine != "amx":
        have = f"{device} with {engine or 'plain torch'}"
        return ForceChoice(asked, dtype, engine, f"{asked} products need a processor with AMX tiles, found {have}")
    return ForceChoice(asked, {"tf32": "bfloat16_3x"}.get(asked, asked), engine)
