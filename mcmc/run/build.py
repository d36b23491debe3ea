"""From a validated configuration to the objects of a run."""

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

from mcmc.config import RunConfig
from mcmc.errors import DeviceError
from mcmc.exchange.ladder import BetaLadder
from mcmc.rng import Streams
from mcmc.run.precision import choose_forces
from mcmc.systems.base import System
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Block:
    """Networks that are moved together, with the streams of their chains.

    Attributes:
        start, stop: their places on the network axis of the run.
    """

    system: System
    streams: Streams
    start: int
    stop: int


def resolve_device(name: str) -> torch.device:
    """The device of a configuration; "auto" is CUDA where there is one.

    Raises:
        DeviceError: CUDA was asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= n_devices:
            why = "this torch is built without CUDA" if torch.version.cuda is None else f"torch sees {n_devices}"
            raise DeviceError(f"device '{name}' was asked for and {why}. Use --device cpu, or auto.")
    return device


def build_system(config: RunConfig, device: torch.device) -> MlpSystem:
    """The frozen networks of a run as an energy function."""
    model = config.model
    activation = make_activation(model.activation, depth=model.depth, **model.activation_params)
    ids = torch.arange(model.first_network, model.first_network + model.n_networks, device=device)
    networks = Networks.draw(
        model.widths,
        activation,
        ids=ids,
        seed=config.run.seed,
        sigma_w=model.sigma_w,
        sigma_b=model.sigma_b,
        dtype=DTYPES[config.run.dtype],
    )
    return MlpSystem(networks, choose_forces(config, device).used)


def build_blocks(config: RunConfig, system: System) -> list[Block]:
    """The system cut into blocks of `run.block_networks`; chains do not depend on the cut."""
    n_networks = len(system.network_ids)
    size = config.run.block_networks or n_networks
    chains = torch.arange(config.tempering.n_temperatures * config.tempering.n_replicas, device=system.device)
    blocks = []
    for start in range(0, n_networks, size):
        stop = min(start + size, n_networks)
        part = system.narrow(start, stop)
        blocks.append(Block(part, Streams(config.run.seed, part.network_ids, chains), start, stop))
    return blocks


def initial_ladder(config: RunConfig) -> BetaLadder:
    """The ladder before adaptation: the given betas, or equal steps from beta_min to beta_max."""
    tempering = config.tempering
    if tempering.betas is not None:
        return BetaLadder(tuple(tempering.betas))
    return BetaLadder.linear(tempering.beta_min, tempering.beta_max, tempering.n_temperatures)


def position_bytes(config: RunConfig) -> int:
    """Bytes of one array of all positions."""
    chains = config.tempering.n_temperatures * config.tempering.n_replicas
    size = torch.finfo(DTYPES[config.run.dtype]).bits // 8
    return config.model.n_networks * chains * config.model.n_inputs * size


def memory_bytes(config: RunConfig) -> dict[str, int]:
    """Memory of a run by use: weights, positions, activations of one block, the buffers of a segment, histograms.

    A trajectory holds six position-sized arrays (position, momentum and gradient, now and proposed) and, for the
    block that moves, each layer's activation and derivative.
    """
    model, tempering = config.model, config.tempering
    size = torch.finfo(DTYPES[config.run.dtype]).bits // 8
    widths, n_replicas = model.widths, tempering.n_replicas
    n_states = model.n_networks * tempering.n_temperatures * n_replicas
    weights = sum(a * b for a, b in pairwise(widths)) + widths[-1]
    block = min(config.run.block_networks or model.n_networks, model.n_networks)
    draws = config.segment_sweeps // config.run.measure_every
    series = 8.0 * n_states
    n_counts = 0
    if config.output.overlaps:
        series += 4 * len(widths) * n_states * (1 + (n_replicas - 1) / 2)
        n_counts = len(widths) * model.n_networks * tempering.n_temperatures * (config.output.n_bins + 2)
    return {
        "weights": model.n_networks * weights * size,
        "positions": 6 * position_bytes(config),
        "activations": 2 * sum(widths[1:]) * block * tempering.n_temperatures * n_replicas * size,
        "series_of_a_segment": int(draws * series),
        "histograms": 8 * n_counts,
    }


def available_memory_bytes(device: torch.device) -> int:
    """Free memory of the device, as the operating system or the driver tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:  # what can be had without swapping; the free pages alone would leave out the cache of files
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
