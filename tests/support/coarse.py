"""Coarse forces in plain torch, so that every machine can test what only some compute fast; and their broken twins."""

import torch

from mcmc.run import build, simulation
from mcmc.run.precision import ForceChoice
from mcmc.systems.mlp.energy import MlpSystem

true_energy, true_energy_and_grad = MlpSystem.energy, MlpSystem.energy_and_grad


def emulate(monkeypatch, *, energies: torch.dtype | None = None, noise: float = 0.0) -> None:
    """Runs get forces rounded to bfloat16 where `MlpSystem.forces` says so, on the plain path.

    Args:
        energies: the fault of energies computed from positions rounded to this dtype, whatever the forces are.
        noise:    the fault of forces with relative errors of this size that differ from call to call.
    """
    generator = torch.Generator().manual_seed(1)

    def choose(config, device):
        asked = config.sampler.force_dtype
        return ForceChoice(asked, "bfloat16" if asked == "bfloat16" else config.run.dtype, None)

    def energy(self, x):
        is_coarse = energies is not None and x.dtype == torch.float32
        return true_energy(self, x.to(energies).to(x.dtype) if is_coarse else x)

    def energy_and_grad(self, x):
        _, grad = true_energy_and_grad(self, x)
        if self.forces == "bfloat16":
            grad = grad.to(torch.bfloat16).to(x.dtype)
            if noise:
                grad = grad * (1 + noise * torch.randn(grad.shape, generator=generator, dtype=grad.dtype))
        return energy(self, x), grad

    for module in (build, simulation):
        monkeypatch.setattr(module, "choose_forces", choose)
    monkeypatch.setattr(MlpSystem, "_fused", None)
    monkeypatch.setattr(MlpSystem, "energy", energy)
    monkeypatch.setattr(MlpSystem, "energy_and_grad", energy_and_grad)
    monkeypatch.setattr(MlpSystem, "grad", lambda self, x, out=None: energy_and_grad(self, x)[1])
