"""What a kernel, an exchange and an observer may know of the thing that they sample."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from mcmc.rng import Streams
from mcmc.systems.manifolds import Manifold


class WeightIdentity(NamedTuple):
    """Averages over replicas; by parts over the weights of a layer, E[excess + beta response] = 0 over networks.

    Attributes:
        excess, response: (D, K, L) float64, of every hidden layer.
    """

    excess: Tensor
    response: Tensor


class Overlaps(NamedTuple):
    """Overlaps of real replicas in one network at one temperature.

    Attributes:
        between: (D, K, P, L+1) float64, q^l of every pair of replicas, in the order of `mcmc.types.replica_pairs`.
        within:  (D, K, R, L+1) float64, self-overlap r^l of every replica.
        weight_identity: None with a single replica, and for systems whose disorder is not an MLP's.

    A system has as many overlaps as it likes on the last axis; L+1 is those of an MLP, its input and L layers.
    """

    between: Tensor
    within: Tensor
    weight_identity: WeightIdentity | None = None


def joined(parts: Sequence[Overlaps]) -> Overlaps:
    """The overlaps of consecutive blocks of networks as those of all."""
    identities = [part.weight_identity for part in parts if part.weight_identity is not None]
    return Overlaps(
        torch.cat([part.between for part in parts]),
        torch.cat([part.within for part in parts]),
        WeightIdentity(*(torch.cat(arrays) for arrays in zip(*identities, strict=True))) if identities else None,
    )


class TrajectoryEnd(NamedTuple):
    """Where the trajectories of all chains end.

    Attributes:
        x, momentum, grad: (D, C, n0).
        energy:            (D, C) float64, H(x).
        kinetic_change:    (D, C) float64, |p|^2/2 minus that at the start.
    """

    x: Tensor
    momentum: Tensor
    grad: Tensor
    energy: Tensor
    kinetic_change: Tensor


class HmcEnd(NamedTuple):
    """What an HMC transition of all chains leaves behind.

    Attributes:
        x, grad:      (D, C, n0), the proposal where it was accepted, else the present state; energy: (D, C) float64.
        statistics, is_accepted, is_nonfinite: of `mcmc.kernels.base.StepInfo`.
    """

    x: Tensor
    energy: Tensor
    grad: Tensor
    statistics: Tensor
    is_accepted: Tensor
    is_nonfinite: Tensor


class SweepPlan(NamedTuple):
    """Consecutive sweeps of HMC with replica exchange.

    Attributes:
        first, n_sweeps: numbers first to first + n_sweeps - 1, which number the noise and give the parity of exchange.
        steps_per_sweep: HMC transitions between exchanges.
        is_exchanging:   replica exchange after each sweep.
        jitter, reproject_every: of `mcmc.kernels.hmc`.
        until_draw, draw_every:  the sweeps after which the state is drawn: the first after until_draw sweeps, then
            every draw_every; 0 for none.
        with_overlaps:   overlaps are drawn beside energies.
    """

    first: int
    n_sweeps: int
    steps_per_sweep: int
    is_exchanging: bool
    jitter: float
    reproject_every: int
    until_draw: int
    draw_every: int
    with_overlaps: bool


class SweepArrays(NamedTuple):
    """What sweeps read and write, in place, on the device of the system.

    Attributes:
        x, energy, grad: of `mcmc.kernels.base.ChainState`; written.
        beta, step_size, n_leapfrog: (K,) by temperature: float64, float32, int64.
        exchange:        slot_of_temp, temp_of_slot, accept_sum, swap_count, direction and round_trips of
            `mcmc.exchange.state.ExchangeState`; written.
        sums:            (4, D, K, R) float64 by temperature, gains the statistics of the steps.
        nonfinite_step, nonfinite_beta: of `mcmc.run.nonfinite.NonFiniteRecord`; written.
    """

    x: Tensor
    energy: Tensor
    grad: Tensor
    beta: Tensor
    step_size: Tensor
    n_leapfrog: Tensor
    exchange: Sequence[Tensor]
    sums: Tensor
    nonfinite_step: Tensor
    nonfinite_beta: Tensor


class SweepsEnd(NamedTuple):
    """What sweeps leave behind beside the arrays that they write.

    Attributes:
        statistics: (4, D, K, R) float64 by temperature, of the steps of the last sweep.
        energies:   (n, D, K, R) float64 by temperature, of the n draws.
        overlaps:   of the draws, on a first axis; None where they are not drawn.
    """

    statistics: Tensor
    energies: Tensor
    overlaps: Overlaps | None


class System(Protocol):
    """D quenched systems of the same shape: an energy H(x) for each, and how two of their states are compared."""

    @property
    def network_ids(self) -> Tensor:
        """(D,) int64, the number of each quenched draw: its disorder is a function of (seed, number) alone."""
        ...

    @property
    def manifold(self) -> Manifold:
        """Where x lives."""
        ...

    @property
    def n_sites(self) -> int:
        """Length of the last axis of x; energy densities are per site."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of positions and forces; energies are float64."""
        ...

    @property
    def device(self) -> torch.device:
        """Of everything."""
        ...

    def energy(self, x: Tensor) -> Tensor:
        """Extensive energies H(x): (D, C, n0) -> (D, C) float64."""
        ...

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H(x) and its gradient in the ambient space: (D, C, n0) -> (D, C) float64, (D, C, n0)."""
        ...

    def grad(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """The gradient alone, the same bits: most steps of a trajectory need no energy.

        Args:
            out: memory of the shape of x that the result may be written to.
        """
        ...

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
        """The trajectory of `mcmc.kernels.leapfrog.leapfrog` in one call.

        None where there is no such call.
        """
        ...

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
        """The transition of `mcmc.kernels.hmc.Hmc` in one call, noise and Metropolis test included.

        None where there is no such call.
        """
        ...

    def fused_sweeps(
        self, streams: Streams, swap_streams: Streams, arrays: SweepArrays, plan: SweepPlan
    ) -> SweepsEnd | None:
        """Several sweeps of `mcmc.run.simulation.Simulation` in one call, with the same bits.

        None where there is no such call.
        """
        ...

    def overlaps(self, x: Tensor) -> Overlaps:
        """Overlaps of the replicas of x, (D, K, R, n0) in temperature order."""
        ...

    def overlap_ranges(self) -> list[tuple[float, float]]:
        """(lower, upper) of the histogram of each of the L+1 overlaps."""
        ...

    def in_float64(self) -> Self:
        """The same systems in float64 and plain torch: what energies are checked against."""
        ...

    def with_finest_forces(self) -> Self | None:
        """The same systems with forces as accurate as their positions; None if they are so already."""
        ...

    def narrow(self, start: int, stop: int) -> Self:
        """The systems number start to stop - 1, sharing their memory."""
        ...


class Uncompiled:
    """The part of `System` for which a system without compiled trajectories inherits its answers."""

    def fused_leapfrog(self, *arguments: object, **options: object) -> TrajectoryEnd | None:
        """None: no such call."""
        return None

    def fused_hmc(self, *arguments: object, **options: object) -> HmcEnd | None:
        """None: no such call."""
        return None

    def fused_sweeps(self, *arguments: object, **options: object) -> SweepsEnd | None:
        """None: no such call."""
        return None
