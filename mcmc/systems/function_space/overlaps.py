"""Overlaps of explicit networks and their perturbed copies, layer by layer."""

import torch
from torch import Tensor

from mcmc.errors import UsageError
from mcmc.rng import Purpose, Streams
from mcmc.systems.function_space.ensemble import PairEnsemble, draw_inputs

BLOCK_WEIGHTS = 2**22  # of a layer at a time: 16 MiB of float32


def measure_overlaps(
    ensemble: PairEnsemble,
    *,
    n_networks: int,
    n_inputs: int,
    seed: int = 0,
    first_network: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """q^l of every layer for random inputs of random networks, each network with inputs of its own.

    Spins: (1/N) s^.s. ReLU: s^.s/(|s^||s|), which does not depend on the scale of the weights.

    Returns:
        (D, M, L) float64; element (d, m, l) depends on (seed, first_network + d, m, l) alone.
    Raises:
        UsageError: no network or no input.
    """
    if n_networks < 1 or n_inputs < 1:
        raise UsageError(f"expected at least one network and one input, found {n_networks} and {n_inputs}.")
    layout = ensemble.layout
    block = max(1, BLOCK_WEIGHTS // (layout.width * layout.fan_in))
    ids = torch.arange(first_network, first_network + n_networks, device=device)
    return torch.cat([_measure_block(ensemble, part, n_inputs, seed) for part in ids.split(block)])


def _measure_block(ensemble: PairEnsemble, networks: Tensor, n_inputs: int, seed: int) -> Tensor:
    n_units = ensemble.layout.n_units
    reference = perturbed = draw_inputs(seed, networks, n_inputs, n_units)
    # chain = 2 input + network of the pair: both have thermal noise of their own
    noise = Streams(seed, networks, torch.arange(2 * n_inputs, device=networks.device))
    found = []
    for layer in range(1, len(ensemble.perturbation) + 1):
        weights = ensemble.draw_layer(seed, networks, layer)
        uniform: tuple[Tensor | None, Tensor | None] = (None, None)
        if ensemble.unit == "thermal":
            both = noise.uniform(Purpose.THERMAL, layer, n_units)
            uniform = (both[:, 0::2], both[:, 1::2])
        reference = ensemble.activate(ensemble.layout.fields(weights[0], reference), uniform[0])
        perturbed = ensemble.activate(ensemble.layout.fields(weights[1], perturbed), uniform[1])
        found.append(_overlap(reference.double(), perturbed.double(), is_spin=ensemble.unit != "relu"))
    return torch.stack(found, dim=-1)


def _overlap(a: Tensor, b: Tensor, *, is_spin: bool) -> Tensor:
    product = torch.linalg.vecdot(a, b)
    if is_spin:
        return product / a.shape[-1]
    return product / (torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1))
