"""H(x) of random MLPs and its gradient with respect to the input, for all chains of all networks at once.

The backward pass is written by hand: one batched matrix product a layer forward, one backward,

    delta^L = readout * phi'(h^L),   delta^{l} = (W^{l+1 T} delta^{l+1}) * phi'(h^l),   dH/dx = W^{1 T} delta^1.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from mcmc.rng import Streams
from mcmc.systems.base import HmcEnd, Overlaps, SweepArrays, SweepPlan, SweepsEnd, TrajectoryEnd
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.batched import BatchedNetworks
from mcmc.systems.mlp.fused import FusedNetworks
from mcmc.systems.mlp.networks import Networks
from mcmc.systems.mlp.portable import PortableNetworks
from mcmc.systems.mlp.weight_identity import weight_identity
from mcmc.types import replica_pairs


@dataclass(frozen=True)
class MlpSystem:
    """The energy H(x) of D frozen networks over their input on the sphere |x|^2 = N_0 (a `System`).

    Attributes:
        networks:    never written to: copies of the weights are kept (mcmc/systems/mlp/fused.py, batched.py).
        forces:      products of the forces, not of the energies: float32, bfloat16_3x or bfloat16 on the tile unit of
            a processor, float32, tf32 or bfloat16 on CUDA. They remain a function of x, so the sampler remains exact.
    """

    networks: Networks
    forces: str = "float32"

    @property
    def network_ids(self) -> Tensor:
        return self.networks.ids

    @property
    def manifold(self) -> Sphere:
        return Sphere(self.n_sites)

    @property
    def n_sites(self) -> int:
        return self.networks.widths[0]

    @property
    def dtype(self) -> torch.dtype:
        return self.networks.readout.dtype

    @property
    def device(self) -> torch.device:
        return self.networks.readout.device

    def energy(self, x: Tensor) -> Tensor:
        """H(x): (D, C, n0) -> (D, C) float64."""
        if self._fused is not None:
            return self._fused.energy(x)
        a = x
        for layer in range(len(self.networks.weights)):
            a = self.networks.activation.phi(self._preactivation(layer, a))
        return self._read_out(a)

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H(x) and dH/dx: (D, C, n0) -> (D, C) float64, (D, C, n0).

        Costs 4 sum_l N_l N_{l-1} floating-point operations a chain.
        """
        if self._fused is not None:
            return self._fused.energy_and_grad(x)
        a, grad = self._forward_and_back(x)
        return self._read_out(a), grad

    def grad(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        if isinstance(self._fused, PortableNetworks):
            return self._fused.grad(x, out)
        return self._forward_and_back(x)[1] if self._fused is None else self._fused.energy_and_grad(x)[1]

    def fused_leapfrog(
        self,
        x: Tensor,
        p: Tensor,
        grad: Tensor,
        fresh: Tensor | None,
        beta: Tensor,
        step_size: Tensor,
        n_leapfrog: int | Tensor,
        longest: int,
        reproject_every: int,
    ) -> TrajectoryEnd | None:
        if self._fused is None or isinstance(self._fused, PortableNetworks):
            return None
        if isinstance(self._fused, BatchedNetworks):
            return self._fused.leapfrog(x, p, grad, fresh, beta, step_size, n_leapfrog, longest, reproject_every)
        return self._fused.leapfrog(x, p, grad, fresh, beta, step_size, n_leapfrog, reproject_every)

    def fused_hmc(
        self,
        streams: Streams,
        step: int | Tensor,
        x: Tensor,
        energy: Tensor,
        grad: Tensor,
        fresh: Tensor | None,
        beta: Tensor,
        step_size: Tensor,
        n_leapfrog: int | Tensor,
        *,
        jitter: float,
        reproject_every: int,
    ) -> HmcEnd | None:
        if not isinstance(self._fused, FusedNetworks) or isinstance(step, Tensor):
            return None
        arrays = (x, energy, grad, fresh, beta, step_size, n_leapfrog)
        return self._fused.hmc(streams, step, *arrays, jitter=jitter, reproject_every=reproject_every)

    def fused_sweeps(
        self, streams: Streams, swap_streams: Streams, arrays: SweepArrays, plan: SweepPlan
    ) -> SweepsEnd | None:
        # a thread takes whole networks; where these are few, single sweeps in tiles of chains keep more threads busy
        n_threads = torch.get_num_threads()
        has_idle_threads = n_threads > 1 and len(self.network_ids) < 2 * n_threads
        if not isinstance(self._fused, FusedNetworks) or has_idle_threads:
            return None
        return self._fused.sweeps(streams, swap_streams, arrays, plan)

    def _forward_and_back(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """a^L and dH/dx."""
        net, phi, dphi = self.networks, self.networks.activation.phi, self.networks.activation.dphi
        a, derivatives = x, []
        for layer in range(len(net.weights)):
            h = self._preactivation(layer, a)
            a = phi(h)
            derivatives.append(dphi(h, a))
        delta = derivatives.pop().mul_(net.readout.unsqueeze(1))
        for layer in reversed(range(1, len(net.weights))):
            delta = torch.bmm(delta, net.weights[layer]).mul_(derivatives.pop())
        return a, torch.bmm(delta, net.weights[0])

    def layers(self, x: Tensor) -> list[Tensor]:
        """[a^0 = x, a^1, ..., a^L], each (D, C, N_l)."""
        return self._layers(x)[1]

    def _layers(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """[h^1, ..., h^L] and [a^0, ..., a^L]."""
        preactivations, outputs = [], [x]
        for layer in range(len(self.networks.weights)):
            preactivations.append(self._preactivation(layer, outputs[-1]))
            outputs.append(self.networks.activation.phi(preactivations[-1]))
        return preactivations, outputs

    def overlaps(self, x: Tensor) -> Overlaps:
        """q^l = a^l . a'^l / N_l of every pair of replicas and r^l = |a^l|^2 / N_l; x is (D, K, R, n0).

        With two replicas or more also what the identities of the weights need (`weight_identity`).
        """
        if isinstance(self._fused, FusedNetworks):
            return self._fused.overlaps(x)
        shape = x.shape[:3]
        preactivations, outputs = self._layers(x.flatten(1, 2))
        overlaps = _overlaps_of([a.view(*shape, -1) for a in outputs])
        if shape[2] == 1:
            return overlaps
        h = [h.view(*shape, -1) for h in preactivations]
        return overlaps._replace(weight_identity=weight_identity(self.networks, h, overlaps))

    def overlap_ranges(self) -> list[tuple[float, float]]:
        """[-1, 1] for the input; for a layer, what a bounded phi can reach, else 4 times the typical norm."""
        bound = self.networks.activation.bound**2
        tops = [bound if math.isfinite(bound) else 4 * norm for norm in self.networks.typical_norms()[1:]]
        return [(-1.0, 1.0), *((-top, top) for top in tops)]

    def in_float64(self) -> Self:
        return replace(self, networks=self.networks.to(torch.float64), forces="float64")

    def with_finest_forces(self) -> Self | None:
        return replace(self, forces="float32") if self.forces in ("bfloat16_3x", "tf32", "bfloat16") else None

    def narrow(self, start: int, stop: int) -> Self:
        part = replace(self, networks=self.networks.narrow(start, stop))
        if "_fused" in vars(self) and self._fused is not None:  # what is packed already need not be packed again
            vars(part)["_fused"] = self._fused.narrow(start, stop)
        return part

    @cached_property
    def _fused(self) -> FusedNetworks | BatchedNetworks | PortableNetworks | None:
        if self.device.type == "cuda":
            return BatchedNetworks.where_possible(self.networks, self.forces)
        fused = FusedNetworks.where_possible(self.networks, self.forces)
        return PortableNetworks.where_possible(self.networks) if fused is None else fused

    def _preactivation(self, layer: int, a: Tensor) -> Tensor:
        w, b = self.networks.weights[layer], self.networks.biases[layer]
        return torch.bmm(a, w.mT) if b is None else torch.baddbmm(b, a, w.mT)

    def _read_out(self, a: Tensor) -> Tensor:
        # float64: energies are compared (accept, swap) and averaged
        return torch.sum(a * self.networks.readout.unsqueeze(1), dim=-1, dtype=torch.float64)


def _overlaps_of(layers: list[Tensor]) -> Overlaps:
    """q^l and r^l of a^0 ... a^L, each (D, K, R, N_l)."""
    n_replicas = layers[0].shape[2]
    pairs = replica_pairs(n_replicas)
    between, within = [], []
    for a in layers:
        n_units = a.shape[-1]

        def overlap(r: int, s: int, a: Tensor = a, n_units: int = n_units) -> Tensor:
            # float64: thousands of these are averaged, and identity A compares their small differences
            return torch.sum(a[:, :, r] * a[:, :, s], dim=-1, dtype=torch.float64) / n_units

        within.append(torch.stack([overlap(r, r) for r in range(n_replicas)], dim=2))
        if pairs:
            between.append(torch.stack([overlap(r, s) for r, s in pairs], dim=2))
        else:
            between.append(within[-1].new_empty((*a.shape[:2], 0)))
    return Overlaps(torch.stack(between, dim=-1), torch.stack(within, dim=-1))
