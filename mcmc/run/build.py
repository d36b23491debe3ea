"""From a validated configuration to the objects of a run."""

from dataclasses import dataclass

import torch

from mcmc.config import RunConfig
from mcmc.errors import DeviceError
from mcmc.exchange.ladder import BetaLadder
from mcmc.machine import free_memory_bytes
from mcmc.rng import Streams
from mcmc.run.memory import DTYPES, memory_bytes
from mcmc.run.precision import choose_forces
from mcmc.systems.base import System
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

SHARE_OF_FREE_MEMORY = 0.8  # the rest is for products, graphs and what the allocator cannot put together


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


def why_no_cuda() -> str | None:
    """What keeps torch from using a CUDA device, in words; None if nothing does."""
    if torch.version.cuda is None:
        return "this torch is built without CUDA"
    if torch.cuda.is_available():
        return None
    try:
        torch.cuda.init()  # says what is wrong: a driver that is too old, none at all
    except (RuntimeError, AssertionError) as error:
        return str(error).split("\n", maxsplit=1)[0].rstrip(".")
    return "torch sees no CUDA device"


def resolve_device(name: str) -> torch.device:
    """The device of a configuration; "auto" is CUDA where there is one.

    Raises:
        DeviceError: CUDA was asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        why = why_no_cuda()
        if why is None and (device.index or 0) >= torch.cuda.device_count():
            why = f"torch sees {torch.cuda.device_count()}"
        if why is not None:
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


@dataclass(frozen=True)
class BlockChoice:
    """What a run file records about blocks.

    Attributes:
        asked:  `run.block_networks`.
        used:   networks that are moved together.
        reason: why `used` is neither `asked` nor all; None if it is.
    """

    asked: int | None
    used: int
    reason: str | None = None


def choose_blocks(config: RunConfig, device: torch.device) -> BlockChoice:
    """As configured; else on CUDA the largest equal blocks whose memory is free, and all networks elsewhere."""
    asked, n_networks = config.run.block_networks, config.model.n_networks
    if asked is not None or device.type != "cuda":
        return BlockChoice(asked, min(asked or n_networks, n_networks))
    free = SHARE_OF_FREE_MEMORY * available_memory_bytes(device)
    for n_blocks in range(1, n_networks + 1):
        size = -(-n_networks // n_blocks)
        needed = sum(memory_bytes(with_blocks(config, size), device).values())
        if needed <= free or size == 1:
            break
    reason = None if n_blocks == 1 else f"{free / 2**30:.3g} GiB are free for it, all at once would not fit"
    return BlockChoice(asked, size, reason)


def with_blocks(config: RunConfig, size: int) -> RunConfig:
    """The same run in blocks of that many networks."""
    return config.model_copy(update={"run": config.run.model_copy(update={"block_networks": size})})


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


def available_memory_bytes(device: torch.device) -> int:
    """Free memory of the device, as the operating system or the driver tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory_bytes()
