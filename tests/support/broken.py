"""Samplers with one fault each: faults that were published, or that we feared. The exact tests must catch every one."""

from collections.abc import Callable
from dataclasses import replace

import torch

import mcmc.kernels.hmc as hmc
import mcmc.kernels.langevin as langevin
import mcmc.kernels.leapfrog as leapfrog
import mcmc.kernels.random_walk as random_walk
from mcmc.exchange import ops
from mcmc.kernels.accept import metropolis
from mcmc.run.simulation import Simulation
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.energy import MlpSystem

true_energy_error = leapfrog.energy_error
true_exchange = ops.swap_pairs
true_project = Sphere.project_tangent


def in_parts(monkeypatch) -> None:
    """Steps and exchange operation by operation, so that one of them can be replaced."""
    monkeypatch.setattr(MlpSystem, "fused_hmc", lambda self, *_, **__: None)
    monkeypatch.setattr(MlpSystem, "fused_sweeps", lambda self, *_: None)
    monkeypatch.setattr(ops, "_is_counted_in_one_call", lambda energy: False)


def no_hastings_term(monkeypatch) -> None:
    """Accept on beta dH alone: the kinetic energies, the Hastings term of the proposal, are forgotten."""

    def error(start, end, beta):
        return torch.where(beta == 0, 0.0, beta * (end.energy - start.energy))

    for module in (hmc, langevin):
        monkeypatch.setattr(module, "energy_error", error)


def correction_times_beta(monkeypatch) -> None:
    """The whole Hastings correction multiplied by beta (netket issue 2250)."""

    def error(start, end, beta):
        kinetic = leapfrog.kinetic_energy(end.momentum) - leapfrog.kinetic_energy(start.momentum)
        return torch.where(beta == 0, 0.0, beta * (end.energy - start.energy + kinetic))

    for module in (hmc, langevin):
        monkeypatch.setattr(module, "energy_error", error)


def full_first_kick(monkeypatch) -> None:
    """The first half kick of a trajectory is a full one, and the error counted from there (geoopt)."""

    def kicked(system, start, beta, step_size, n_leapfrog, fresh=None, **longest):
        impulse = (-0.5 * step_size * beta).unsqueeze(-1)
        p = start.momentum + impulse * system.manifold.project_tangent(start.x, start.grad)
        return leapfrog.leapfrog(system, replace(start, momentum=p), beta, step_size, n_leapfrog, fresh, **longest)

    def error(start, end, beta):
        return 0.0 * true_energy_error(start, end, beta) - 0.02  # nearly always accepted, as it was there

    for module in (hmc, langevin):
        monkeypatch.setattr(module, "leapfrog", kicked)
        monkeypatch.setattr(module, "energy_error", error)


def forgotten_projection(monkeypatch) -> None:
    """The momentum is refreshed in the ambient space and never made tangent."""
    monkeypatch.setattr(Sphere, "project_tangent", lambda self, x, v, out=None: v)


def swap_sign(monkeypatch) -> None:
    """Exchange decides with the sign of the log ratio reversed."""

    def exchange(u, energy, beta, state, parity, **kwargs):
        true_exchange(u, -energy, beta, state, parity, **kwargs)

    monkeypatch.setattr(ops, "swap_pairs", exchange)


def stale_energy_after_swap(monkeypatch) -> None:
    """The next step compares with the energy of before the last step (flowMC issue 90)."""
    true_explore = Simulation.explore

    def explore(self, number):
        before = [chains.energy for chains in self.chains]
        statistics = true_explore(self, number)
        self.chains = [replace(c, energy=e) for c, e in zip(self.chains, before, strict=True)]
        return statistics

    monkeypatch.setattr(Simulation, "explore", explore)
    monkeypatch.setattr(MlpSystem, "fused_sweeps", lambda self, *_: None)


def shared_stream(monkeypatch) -> None:
    """All replicas of a network use the noise of the first."""
    true_init = Simulation.__post_init__

    def init(self):
        true_init(self)
        self.blocks = [
            replace(b, streams=replace(b.streams, chain=b.streams.chain // self.shape[2] * self.shape[2]))
            for b in self.blocks
        ]
        n_replicas = self.shape[2]

        def merged(t):
            wide = t.view(self.shape[0], self.shape[1], n_replicas, *t.shape[2:])
            return wide[:, :, :1].expand_as(wide).reshape(t.shape).clone()

        self.chains = [type(c)(**{name: merged(t) for name, t in c.tensors().items()}) for c in self.chains]
        self._swap_streams = replace(self._swap_streams, chain=self._swap_streams.chain * 0)

    monkeypatch.setattr(Simulation, "__post_init__", init)


def accept_everything(monkeypatch) -> None:
    """No Metropolis test: the discretisation error of the integrator stays in the samples."""

    def accept(u, energy_error):
        return metropolis(u, torch.zeros_like(energy_error))

    for module in (hmc, langevin, random_walk):
        monkeypatch.setattr(module, "metropolis", accept)


def no_flip_on_rejection(monkeypatch) -> None:
    """Underdamped Langevin goes on in the same direction after a rejection."""
    true_select = langevin.select

    def select(is_accepted, proposal, present):
        return true_select(is_accepted, proposal, replace(present, momentum=-present.momentum))

    monkeypatch.setattr(langevin, "select", select)


def _of_parts(fault: Callable) -> Callable:
    def plant(monkeypatch) -> None:
        in_parts(monkeypatch)
        fault(monkeypatch)

    return plant


FAULTS: dict[str, Callable] = {
    fault.__name__: _of_parts(fault)
    for fault in (
        no_hastings_term,
        correction_times_beta,
        full_first_kick,
        forgotten_projection,
        swap_sign,
        stale_energy_after_swap,
        shared_stream,
        accept_everything,
    )
}
