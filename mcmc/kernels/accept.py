"""The Metropolis test, the only one in the package."""

import torch
from torch import Tensor

from mcmc import native
from mcmc.kernels.base import ChainState, StepInfo


def metropolis(u: Tensor, energy_error: Tensor) -> StepInfo:
    """Decide proposals from uniforms that were drawn before.

        accepted  iff  u < min(1, exp(-energy_error))        [Metropolis et al. 1953; Hastings 1970]

    Args:
        u:            (D, C) float64 in (0, 1).
        energy_error: (D, C) float64, beta H plus kinetic energy, proposal minus present; float64 because in float32
                      the difference of two extensive energies loses its digits at large N_0.
    """
    is_nonfinite = ~torch.isfinite(energy_error)
    acceptance = torch.exp(-energy_error.clamp(min=0))
    return StepInfo(acceptance, u < acceptance, energy_error, is_nonfinite)


def select(is_accepted: Tensor, proposal: ChainState, present: ChainState) -> ChainState:
    """The proposal where accepted, the present state elsewhere, for every field that both have.

    The arrays of the proposal are used up: the result may be written over them.
    """
    new, chosen = proposal.tensors(), {}
    for name, old in present.tensors().items():
        if name not in new:
            continue
        if old.dim() == 3 and native.serves_rows(old):
            chosen[name] = new[name].contiguous()
            torch.ops.mlp_gibbs.keep_rows_(chosen[name], old, is_accepted)
        else:
            chosen[name] = torch.where(is_accepted if old.dim() == 2 else is_accepted.unsqueeze(-1), new[name], old)
    return ChainState(**chosen)
