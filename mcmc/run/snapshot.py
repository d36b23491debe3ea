"""The state of a run as arrays and back, for a checkpoint: bit for bit."""

from typing import Any

import numpy as np
import torch

from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import from_state_dict, state_dict
from mcmc.kernels.base import ChainState
from mcmc.run.simulation import Simulation


def to_arrays(simulation: Simulation) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, facts) from which `load_arrays` restores this state bit for bit."""
    arrays = {}
    names = simulation.chains[0].tensors()
    for name in names:
        arrays[f"chains/{name}"] = torch.cat([c.tensors()[name] for c in simulation.chains]).cpu().numpy()
    arrays |= {f"exchange/{name}": value for name, value in state_dict(simulation.exchange).items()}
    arrays |= {f"diagnostics/{name}": t.cpu().numpy() for name, t in simulation.diagnostics.tensors.items()}
    arrays |= {f"tuner/{name}": value for name, value in simulation.tuner.to_arrays().items()}
    arrays["betas"] = np.asarray(simulation.ladder.betas)
    arrays |= {f"checks/{name}": value for name, value in simulation.checks.arrays.items()}
    return arrays, {
        "sweep": simulation.sweep,
        "ladder_history": simulation.ladder_history,
        "fallback": simulation.fallback,
    }


def load_arrays(simulation: Simulation, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Take over a state that `to_arrays` gave."""
    device = simulation.system.device
    fields = {
        name.removeprefix("chains/"): torch.tensor(value, device=device)  # a copy: sweeps write over it
        for name, value in arrays.items()
        if name.startswith("chains/")
    }
    simulation.chains = [ChainState(**{n: t[b.start : b.stop] for n, t in fields.items()}) for b in simulation.blocks]
    simulation.exchange = from_state_dict(_strip(arrays, "exchange/"), device=device)
    for name, tensor in simulation.diagnostics.tensors.items():
        tensor.copy_(torch.from_numpy(arrays[f"diagnostics/{name}"]))
    simulation.tuner.load_arrays(_strip(arrays, "tuner/"))
    simulation.ladder = BetaLadder(tuple(arrays["betas"].tolist()))
    simulation.sweep, simulation.ladder_history = facts["sweep"], facts["ladder_history"]
    simulation.checks.load(_strip(arrays, "checks/"))
    simulation.fallback = facts["fallback"]
    if simulation.fallback is not None:
        simulation.use_finest_forces()


def _strip(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
