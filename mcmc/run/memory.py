"""The memory of a run before it is started, by use: what is kept, and the largest of what comes and goes.

Measured by phases of a run (tests/run/test_memory.py): arrays of the size of all positions that a kernel keeps and that
it makes on the way, arrays of the size of all activations, and the copies that a file is made of before it is written.
"""

from itertools import pairwise

import torch

from mcmc.config import RunConfig
from mcmc.observers.cross import N_MOMENTS
from mcmc.run.precision import choose_forces
from mcmc.systems.mlp.fused import FusedNetworks

CPU = torch.device("cpu")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
KEPT = {"hmc": 2, "mala": 2, "langevin": 3, "random_walk": 1}  # position, gradient, momentum
MOVED, MOVED_FUSED, MOVED_ON_CUDA = 8, 2, 4  # arrays of positions that a step makes; fused: HMC and MALA, results alone
CHECKPOINT_COPIES = 2.5  # of the chains: blocks joined, then packed in memory that grows by eighths


def position_bytes(config: RunConfig) -> int:
    """Bytes of one array of all positions."""
    chains = config.tempering.n_temperatures * config.tempering.n_replicas
    return config.model.n_networks * chains * config.model.n_inputs * _size(config)


def memory_bytes(config: RunConfig, device: torch.device = CPU) -> dict[str, int]:
    """Peak memory of a run by use.

    weights:             as drawn.
    packed_weights:      copies for the compiled kernels, transposes for plain torch, bfloat16 operands on CUDA.
    positions:           arrays of their size: state of the chains, and what a step makes.
    activations:         of the block that moves or is measured, with their derivatives.
    series_of_a_segment, histograms: what is collected until a file is written.
    files_being_written: copies that a checkpoint or a segment makes, beyond the memory that is free between sweeps.
    """
    model, tempering, kernel = config.model, config.tempering, config.sampler.kernel
    size, widths, n_replicas = _size(config), model.widths, tempering.n_replicas
    n_states = model.n_networks * tempering.n_temperatures * n_replicas
    n_weights = model.n_networks * (sum(a * b for a, b in pairwise(widths)) + widths[-1])
    block = min(config.run.block_networks or model.n_networks, model.n_networks)
    layers = sum(widths[1:]) * block * tempering.n_temperatures * n_replicas * size
    draws = config.segment_sweeps // config.run.measure_every
    series, n_counts = 8.0 * n_states, 0
    if config.output.overlaps:
        series += 4 * len(widths) * n_states * (1 + (n_replicas - 1) / 2)
        n_counts = len(widths) * model.n_networks * tempering.n_temperatures * (config.output.n_bins + 2)
    if config.output.cross_temperature:
        n_counts += model.n_networks * tempering.n_temperatures**2 * N_MOMENTS
    n_activations = _activations(config, device)
    uses = {
        "weights": n_weights * size,
        "packed_weights": _packed_bytes(config, device, n_weights * size),
        "positions": (KEPT[kernel] + _moved(config, device)) * position_bytes(config),
        "activations": n_activations * layers,
        "series_of_a_segment": int(draws * series),
        "histograms": 8 * n_counts,
    }
    if device.type == "cuda":
        return uses
    positions, collected = position_bytes(config), uses["series_of_a_segment"] + uses["histograms"]
    checkpoint = CHECKPOINT_COPIES * KEPT[kernel] * positions + collected
    segment = 2 * uses["series_of_a_segment"] + 3 * uses["histograms"]  # image, copy of it; histograms are transposed
    free = _moved(config, device) * positions + min(n_activations, 2) * layers
    return {**uses, "files_being_written": max(0, int(max(checkpoint, segment)) - free)}


def _size(config: RunConfig) -> int:
    return torch.finfo(DTYPES[config.run.dtype]).bits // 8


def _engine(config: RunConfig, device: torch.device) -> str | None:
    """Of the compiled kernels on a processor."""
    return choose_forces(config, device).engine if device.type == "cpu" else None


def _moved(config: RunConfig, device: torch.device) -> int:
    if device.type == "cuda":
        return MOVED_ON_CUDA
    is_fused = _engine(config, device) is not None and config.sampler.kernel in ("hmc", "mala")
    return MOVED_FUSED if is_fused else MOVED


def _activations(config: RunConfig, device: torch.device) -> int:
    """Arrays of all layers: activations and derivatives; a measurement adds pre-activations and products of them."""
    if device.type == "cuda":
        return 3 if config.output.overlaps else 2
    if _engine(config, device) is not None:
        return 0  # compiled kernels keep those of a tile of chains
    is_portable = config.run.dtype == "float32"  # which keeps its own
    return 2 + 3 * config.output.overlaps + 2 * (is_portable and config.output.overlaps)


def _packed_bytes(config: RunConfig, device: torch.device, weights: int) -> int:
    if device.type == "cuda":
        return weights // 2 if config.sampler.force_dtype == "bfloat16" else 0
    forces = choose_forces(config, device)
    if config.run.dtype == "float64":
        return 0
    if forces.engine is None:
        return weights
    return FusedNetworks.packed_bytes(config.model.widths, config.model.n_networks, forces.used, forces.engine)
