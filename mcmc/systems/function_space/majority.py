"""Explicit sparse networks of majority gates: a reference with weights +1, and its copy with flipped ones."""

import torch
from torch import Tensor

from mcmc.errors import UsageError
from mcmc.rng import Purpose, Streams


def magnetized_input(width: int, magnetization: float, device: torch.device | str = "cpu") -> Tensor:
    """(N,) int8 spins whose mean is the nearest to the one asked for; wiring is random, so order does not matter.

    Not drawn at random: an error of 1/sqrt(N) in the mean would grow by (3/2)(1-2p) from layer to layer.
    """
    spins = torch.full((width,), -1, dtype=torch.int8, device=device)
    spins[: round((1 + magnetization) / 2 * width)] = 1
    return spins


def measure_majority(
    k: int,
    flip: float,
    *,
    start: float,
    width: int,
    n_layers: int,
    n_networks: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Mean spin of the reference, mean spin of the copy and their overlap in every layer of random networks.

    Every unit takes the sign of k units of the layer below, drawn with replacement; both networks share the wiring.

    Args:
        k:     inputs of a unit, odd.
        flip:  p.
        start: mean spin of the input.
    Returns:
        (D, n_layers + 1, 3) float64, the input first.
    Raises:
        UsageError: no unit or no network.
    """
    if width < 1 or n_networks < 1:
        raise UsageError(f"expected at least one unit and one network, found {width} and {n_networks}.")
    found = []
    for network in range(n_networks):
        streams = Streams.of(seed, [network], [0], device=device)
        reference = perturbed = magnetized_input(width, start, device)
        states = [_state(reference, perturbed)]
        for layer in range(1, n_layers + 1):
            reference, perturbed = next_spins(streams, layer, k, flip, reference, perturbed)
            states.append(_state(reference, perturbed))
        found.append(torch.stack(states))
    return torch.stack(found)


def next_spins(
    streams: Streams, layer: int, k: int, flip: float, reference: Tensor, perturbed: Tensor
) -> tuple[Tensor, Tensor]:
    """The layer of one network and its copy above spins (N,) int8."""
    width = len(reference)
    # one uniform decides both: the unit it points at, and, by where in that unit's interval it lies, the flip
    pointed = streams.uniform(Purpose.GATES, layer, k * width)[0, 0].mul_(width)
    gates = pointed.long()
    sign = 1 - 2 * (pointed.sub_(gates) < flip).to(torch.int8)
    first = reference[gates].view(width, k)
    second = (perturbed[gates] * sign).view(width, k)
    return _majority(first), _majority(second)


def _majority(seen: Tensor) -> Tensor:
    """Sign of the sum over the inputs of each gate; column by column, as a sum along short rows is slow."""
    return torch.sign(sum(seen.unbind(1), torch.zeros_like(seen[:, 0])))


def _state(reference: Tensor, perturbed: Tensor) -> Tensor:
    return torch.stack([s.double().mean() for s in (reference, perturbed, reference * perturbed)])
