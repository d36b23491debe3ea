"""The compiled path of the energy, its gradient and whole trajectories: float32 on the CPU, with the extension built.

`MlpSystem` in plain torch is the definition; here the weights are packed once for the kernels of this processor
(cpp_ext/README.md), and the numbers agree to the rounding of float32. A chain's numbers do not depend on the batch.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from mcmc import native
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import HmcEnd, Overlaps, SweepArrays, SweepPlan, SweepsEnd, TrajectoryEnd, WeightIdentity
from mcmc.systems.mlp.activations import Activation
from mcmc.systems.mlp.networks import Networks
from mcmc.types import Widths

# a float32 is the sum of three bfloat16 numbers; a unit that multiplies bfloat16 takes those that are kept
FORCE_PARTS = {"float32": 3, "bfloat16_3x": 2, "bfloat16": 1}
ENERGY_PARTS = 3


@dataclass(frozen=True, eq=False)
class FusedNetworks:
    """Networks packed for one engine.

    Attributes:
        arguments: what every operator takes after its own arguments: widths, packed weights and transposes for the
            forces, packed weights for the energies, biases, readout, activation and its parameters, precision of the
            forces, engine.
        networks: that were packed.
    """

    arguments: tuple[object, ...]
    networks: Networks

    @classmethod
    def pack(cls, networks: Networks, forces: str, engine: str) -> Self:
        """Packed copies of the weights and of their transposes."""
        pack, parts = torch.ops.mlp_gibbs.pack_mlp, FORCE_PARTS[forces]
        name, parameters = kernel_activation(networks.activation)
        forward = [pack(w, False, parts, engine) for w in networks.weights]
        is_split = parts in native.coarse_parts(engine)
        return cls(
            (
                list(networks.widths),
                forward,
                [pack(w, True, parts, engine) for w in networks.weights],
                [pack(w, False, ENERGY_PARTS, engine) for w in networks.weights] if is_split else forward,
                list(networks.biases),
                networks.readout,
                name,
                parameters,
                forces,
                engine,
            ),
            networks,
        )

    @classmethod
    def where_possible(cls, networks: Networks, forces: str) -> Self | None:
        """None for other dtypes and devices, and where there are no kernels: the plain path serves."""
        engine = native.fused_engine()
        if engine is None or networks.readout.dtype != torch.float32 or networks.readout.device.type != "cpu":
            return None
        return cls.pack(networks, forces, engine)

    @staticmethod
    def packed_bytes(widths: Widths, n_networks: int, forces: str, engine: str) -> int:
        """What `pack` will keep beside the weights."""
        pack, parts = torch.ops.mlp_gibbs.pack_mlp, FORCE_PARTS[forces]
        shapes = [torch.empty((n_networks, n_out, n_in), device="meta") for n_in, n_out in pairwise(widths)]
        kept = [(False, parts), (True, parts)]
        if parts in native.coarse_parts(engine):
            kept.append((False, ENERGY_PARTS))
        return sum(pack(w, transposed, n, engine).numel() for w in shapes for transposed, n in kept)

    def narrow(self, start: int, stop: int) -> Self:
        """Networks start to stop - 1, sharing their memory."""

        def cut(value: object) -> object:
            if isinstance(value, list):
                return [cut(entry) for entry in value]
            return value[start:stop] if isinstance(value, Tensor) else value

        arguments = tuple(cut(value) for value in self.arguments)
        return replace(self, arguments=arguments, networks=self.networks.narrow(start, stop))

    def energy(self, x: Tensor) -> Tensor:
        """H(x): (D, C, n0) -> (D, C) float64."""
        return torch.ops.mlp_gibbs.energy_and_grad_mlp(x, False, *self.arguments)[0]

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H(x) and dH/dx: (D, C, n0) -> (D, C) float64, (D, C, n0)."""
        return torch.ops.mlp_gibbs.energy_and_grad_mlp(x, True, *self.arguments)

    def overlaps(self, x: Tensor) -> Overlaps:
        """q^l, r^l and identities of the replicas of x (D, K, R, n0), in float32; see `MlpSystem.overlaps`."""
        between, within, *sides = torch.ops.mlp_gibbs.overlaps_mlp(x, self._variances, *self._in_float32.arguments)
        return Overlaps(between, within, WeightIdentity(*sides) if x.shape[2] > 1 else None)

    def leapfrog(
        self,
        x: Tensor,
        p: Tensor,
        grad: Tensor,
        fresh: Tensor | None,
        beta: Tensor,
        step_size: Tensor,
        n_leapfrog: int | Tensor,
        reproject_every: int,
    ) -> TrajectoryEnd:
        """End of the trajectory of every chain; see `mcmc.kernels.leapfrog.leapfrog`."""
        steps = _of_each_chain(n_leapfrog, beta)
        return TrajectoryEnd(
            *torch.ops.mlp_gibbs.leapfrog_mlp(
                x, p, grad, fresh, beta, step_size, steps, reproject_every, *self.arguments
            )
        )

    def hmc(
        self,
        streams: Streams,
        step: int,
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
    ) -> HmcEnd:
        """One transition of every chain; see `mcmc.kernels.hmc.Hmc`, with the same bits as its single operations."""
        return HmcEnd(
            *torch.ops.mlp_gibbs.hmc_mlp(
                x,
                energy,
                grad,
                fresh,
                beta,
                step_size,
                _of_each_chain(n_leapfrog, beta),
                reproject_every,
                jitter,
                streams.seed,
                [Purpose.ACCEPT, Purpose.MOMENTUM],
                streams.network,
                streams.chain,
                step,
                *self.arguments,
            )
        )

    def sweeps(self, streams: Streams, swap_streams: Streams, arrays: SweepArrays, plan: SweepPlan) -> SweepsEnd:
        """Whole sweeps; see `System.fused_sweeps`."""
        statistics, energies, between, within, *sides = torch.ops.mlp_gibbs.sweeps_mlp_(
            *arrays[:6],
            plan.reproject_every,
            plan.jitter,
            streams.seed,
            [Purpose.ACCEPT, Purpose.MOMENTUM, Purpose.SWAP, Purpose.REDRAW],
            streams.network,
            streams.chain,
            swap_streams.chain,
            plan.first,
            plan.n_sweeps,
            plan.steps_per_sweep,
            plan.is_exchanging,
            *arrays.exchange,
            *arrays[7:],
            plan.until_draw,
            plan.draw_every,
            plan.with_overlaps,
            self._variances,
            self._in_float32.arguments[2] if plan.with_overlaps else [],
            *self.arguments,
        )
        identity = WeightIdentity(*sides) if within.shape[-2] > 1 else None
        return SweepsEnd(statistics, energies, Overlaps(between, within, identity) if plan.with_overlaps else None)

    @property
    def _variances(self) -> list[float]:
        """sigma_w^2 of every layer."""
        return [sigma**2 for sigma in self.networks.sigma_w]

    @cached_property
    def _in_float32(self) -> "FusedNetworks":
        """The same networks with forces in float32: overlaps and identities are results, whatever moves the chains."""
        forces, engine = self.arguments[-2:]
        return self if forces == "float32" else self.pack(self.networks, "float32", str(engine))


def _of_each_chain(n_leapfrog: int | Tensor, like: Tensor) -> Tensor:
    return n_leapfrog if isinstance(n_leapfrog, Tensor) else torch.tensor(n_leapfrog).expand(like.shape)


def kernel_activation(activation: Activation) -> tuple[str, list[float]]:
    """The kernels' name of an activation, with its parameters: slopes of the piecewise linear, s of s tanh(h/s)."""
    if activation.slopes is not None:
        return "piecewise", list(activation.slopes)
    if activation.name in ("tanh", "shaped_tanh"):
        return "tanh", [activation.bound]
    return activation.name, []
