"""The kernel contract: `init` and `step(streams, system, state, beta, params, step) -> (state, info)`.

State is what the next step needs, info what a diagnostic wants, and tuning is an object of its own (`tuning.py`).
Every kernel leaves exp(-beta H) times the reference measure of the manifold invariant, chain by chain.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from mcmc.rng import Purpose, Streams
from mcmc.systems.base import System


@dataclass(frozen=True)
class ChainState:
    """All chains of all networks; exchange never touches it, since temperatures move and positions stay.

    Attributes:
        x:        (D, C, n0) positions.
        energy:   (D, C) float64, H(x), extensive and untempered: still right after an exchange.
        grad:     (D, C, n0) dH/dx in the ambient space, or None for kernels without forces.
        momentum: (D, C, n0) tangent at x, or None for kernels that refresh it fully.
        kinetic_change: (D, C) float64, of the end of a trajectory: |p|^2/2 there minus that at its start, or None where
            the integrator has not computed it on the way.
    """

    x: Tensor
    energy: Tensor
    grad: Tensor | None = None
    momentum: Tensor | None = None
    kinetic_change: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """The fields that are there, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class StepInfo:
    """What one step did.

    Attributes:
        statistics:   (D, C, 4) float64: Metropolis acceptance probability; energy error dH = -log of the Metropolis
            ratio, the change of the total energy along the proposal; dH^2; exp(-dH).
        is_accepted:  (D, C) bool.
        is_nonfinite: (D, C) bool, the proposal had a NaN or infinite energy. Never a quiet rejection: the run stops.
    """

    statistics: Tensor
    is_accepted: Tensor
    is_nonfinite: Tensor


@dataclass(frozen=True)
class StepParams:
    """What tuning decides, gathered for the temperature that each chain has now.

    Attributes:
        step_size:     (D, C), in the dtype of the positions.
        n_leapfrog:    leapfrog steps of a trajectory, one number or (D, C) int64.
        longest:       largest of n_leapfrog where that is a tensor; asked of the device if not given.
        redraw_at_zero: some chain has beta = 0 exactly; its position is then drawn afresh from the reference measure.
    """

    step_size: Tensor
    n_leapfrog: int | Tensor = 1
    longest: int | None = None
    redraw_at_zero: bool = False


class Kernel(Protocol):
    """One way to move. Frozen; its fields are numbers that no adaptation changes."""

    @property
    def name(self) -> str: ...

    @property
    def target_acceptance(self) -> float: ...

    @property
    def n_gradients_per_step(self) -> int: ...

    def init(self, streams: Streams, system: System, x: Tensor) -> ChainState:
        """State at the positions given."""
        ...

    def step(
        self, streams: Streams, system: System, state: ChainState, beta: Tensor, params: StepParams, step: int | Tensor
    ) -> tuple[ChainState, StepInfo]:
        """One transition of every chain; beta is (D, C) float64, step (a number, or (1,) int64) numbers the noise."""
        ...


def initial_positions(streams: Streams, system: System) -> Tensor:
    """Independent draws from the reference measure, one a chain: (D, C, n0)."""
    x = system.manifold.random_point(streams.normal(Purpose.INITIAL, 0, system.n_sites, system.dtype))
    if x is None:
        raise ValueError("the manifold has no normalisable reference measure: start from positions of your own")
    return x


def fresh_positions(streams: Streams, system: System, params: StepParams, step: int | Tensor) -> Tensor | None:
    """(D, C, n0) iid draws for chains at beta = 0, the exact and fastest kernel there; None if there are none."""
    if not params.redraw_at_zero:
        return None
    return system.manifold.random_point(streams.normal(Purpose.REDRAW, step, system.n_sites, system.dtype))
