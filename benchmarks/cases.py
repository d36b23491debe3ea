"""The simulations that benchmarks time, from a few numbers."""

import argparse
from typing import Any

import torch

from mcmc.config import RunConfig, parse_config
from mcmc.run.simulation import Simulation

CASE = {"depth": 1, "n_inputs": 256, "networks": 4, "temperatures": 16, "replicas": 4, "n_leapfrog": 10}


def case_parser(doc: str | None, **defaults: Any) -> argparse.ArgumentParser:
    """A parser of the sizes of a case, named as `config_of` takes them.

    Args:
        doc: of the script; its first line is the description.
        defaults: other than tanh, L = 1, N = 256, 4 networks, 16 temperatures, 4 replicas, 10 leapfrog steps.
    """
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--activation", default="tanh")
    for name, value in CASE.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.set_defaults(**defaults)
    return parser


def case_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `config_of` among those of a script that began with `case_parser`."""
    return {name: getattr(arguments, name) for name in ("activation", *CASE)}


def config_of(
    *,
    activation: str = "tanh",
    n_inputs: int = 256,
    depth: int = 1,
    networks: int = 4,
    temperatures: int = 16,
    replicas: int = 4,
    n_leapfrog: int = 10,
    step_size: float = 0.1,
    force_dtype: str = "float32",
    beta_max: float = 2.0,
    **sections: dict[str, Any],
) -> RunConfig:
    """A run at fixed step size on a ladder above beta = 0."""
    return parse_config(
        {
            "model": {
                "activation": activation,
                "n_inputs": n_inputs,
                "width_ratios": [1.0] * depth,
                "n_networks": networks,
            },
            "sampler": {"n_leapfrog": n_leapfrog, "step_size": step_size, "force_dtype": force_dtype},
            "tempering": {
                "beta_min": 0.1 if temperatures > 1 else beta_max,
                "beta_max": beta_max,
                "n_temperatures": temperatures,
                "n_replicas": replicas,
            },
            "output": {"overlaps": replicas > 1},
            **sections,
        }
    )


def simulation_of(config: RunConfig, device: torch.device, *, warm_up: int = 4) -> Simulation:
    """Started, and warm: stages compiled, sweeps of both parities recorded and replayed."""
    simulation = Simulation.start(config, device)
    for _ in range(warm_up):
        simulation.advance()
    wait(device)
    return simulation


def advance(simulation: Simulation, n_sweeps: int) -> None:
    """So many sweeps, as many in a call as a run would do."""
    while n_sweeps > 0:
        n_sweeps -= simulation.advance_by(n_sweeps).n_sweeps


def wait(device: torch.device) -> None:
    """Until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
