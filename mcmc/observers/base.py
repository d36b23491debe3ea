"""The observer contract: observe / merge / reset / result, with everything that it knows in one dictionary of tensors.

Observers see temperatures, never slots: the sweep puts every array in temperature order first. Their tensors live on
the device of the chains, and nothing waits for the host before a segment is written.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from mcmc.systems.base import Overlaps, WeightIdentity


class Measurement(NamedTuple):
    """The state of all chains after one sweep, in temperature order.

    Attributes:
        beta:     (K,) float64.
        energy:   (D, K, R) float64, extensive H.
        n_sites:  N_0.
        overlaps: of the real replicas; None in a run without overlaps.
        cross:    (D, K, K, 4) as `observers.cross.cross_moments`; None unless the run asks for it.
    """

    beta: Tensor
    energy: Tensor
    n_sites: int
    overlaps: Overlaps | None
    cross: Tensor | None = None

    def as_draws(self) -> "Measurement":
        """The same with a first axis of draws, of length 1, on everything that differs between draws."""
        overlaps = self.overlaps
        if overlaps is not None:
            identity = overlaps.weight_identity
            overlaps = Overlaps(
                overlaps.between[None],
                overlaps.within[None],
                None if identity is None else WeightIdentity(identity.excess[None], identity.response[None]),
            )
        cross = None if self.cross is None else self.cross[None]
        return self._replace(energy=self.energy[None], overlaps=overlaps, cross=cross)


class StepStatistics(NamedTuple):
    """What the kernel steps of one sweep did, in temperature order, summed over the steps: (D, K, R) float64.

    Attributes:
        acceptance, energy_error, energy_error_square, exp_minus_energy_error: sums over the steps.
        n_steps: how many.
    """

    acceptance: Tensor
    energy_error: Tensor
    energy_error_square: Tensor
    exp_minus_energy_error: Tensor
    n_steps: int


class Observer(Protocol):
    """Accumulates one thing over a segment."""

    tensors: dict[str, Tensor]

    def observe(self, measurement: Measurement) -> None:
        """Take in one measured sweep."""
        ...

    def observe_all(self, draws: Measurement) -> None:
        """Take in several, on a first axis of energies and overlaps: the same bits as one after another."""
        ...

    def merge(self, other: "Observer") -> None:
        """Take in what another observer of the same kind saw after this one."""
        ...

    def reset(self) -> None:
        """Forget everything: a new segment begins."""
        ...

    def result(self) -> dict[str, np.ndarray]:
        """Datasets of the segment, by their path in `io.schema`."""
        ...


class DrawObserver(ABC):
    """Base of observers that take in several draws at a time: Python then costs little though every sweep is drawn."""

    def observe(self, measurement: Measurement) -> None:
        self.observe_all(measurement.as_draws())

    @abstractmethod
    def observe_all(self, draws: Measurement) -> None:
        """As `Observer.observe_all`."""


def add_in_turn(total: Tensor, draws: Tensor) -> None:
    """Add (n, ...) draws to a sum, in place: in their order, so that the bits do not tell how many came at a time."""
    for one in draws.unbind(0):
        total += one


class SumObserver:
    """Base of observers whose tensors are sums over draws: they merge by addition and reset to zero."""

    tensors: dict[str, Tensor]

    def merge(self, other: Observer) -> None:
        for name, tensor in self.tensors.items():
            tensor += other.tensors[name]

    def reset(self) -> None:
        for tensor in self.tensors.values():
            tensor.zero_()
