"""Gradients per second of the whole sampler against HMC of BlackJAX, NumPyro and TFP: same networks, same trajectories.

One JSON line a case. The peers run in their own virtual environment (`make bench-peers` sets it up) and take turns with
us in one interleaved run; medians. Everything is pinned to `--cores` cores (0: not pinned). What their seconds leave
out: compilation and the making of random keys.

    python benchmarks/peers.py --peer-python .venv-peers/bin/python --activation tanh --depth 2 --n-inputs 256
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from cases import case_of, case_parser, config_of, simulation_of
from timing import report

from mcmc.run.simulation import Simulation
from mcmc.systems.mlp.networks import Networks

PEERS = ("blackjax", "numpyro", "tfp_hmc", "tfp_replica_exchange")


class PeerProcess:
    """The peers' samplers in a process of their own, on the networks of a simulation; use as a context manager."""

    def __init__(self, python: str, simulation: Simulation, activation: str, *, betas: list[float], **problem: bool):
        self.folder = tempfile.TemporaryDirectory()
        path = str(Path(self.folder.name) / "problem.npz")
        save_networks(path, simulation.system.networks, betas)
        script = str(Path(__file__).with_name("peer_samplers.py"))
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
        self.process = subprocess.Popen(
            [python, "-W", "ignore", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=quiet,
        )
        self.ask(do="problem", path=path, activation=activation, **problem)

    def ask(self, **command) -> dict:
        """One command and its answer."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(command), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"the peers' process died on {command}; run benchmarks/peer_samplers.py by hand to see why"
            )
        return json.loads(line)

    def record(self, **command) -> tuple[float, dict[str, np.ndarray]]:
        """The seconds of a command and the draws that it saved."""
        path = str(Path(self.folder.name) / "record.npz")
        seconds = self.ask(**command, save=path)["seconds"]
        with np.load(path) as file:
            return seconds, dict(file)

    def __enter__(self) -> "PeerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def save_networks(path: str, networks: Networks, betas: list[float]) -> None:
    """The weights as the peers read them: every factor of the model is in them already."""
    weights = {f"weights_{i + 1}": w.float().numpy() for i, w in enumerate(networks.weights)}
    np.savez(path, **weights, readout=networks.readout.float().numpy(), betas=np.asarray(betas, dtype=np.float32))


def pin_to(n_cores: int) -> None:
    """Keep this process and its children on the first cores; 0: wherever the system likes."""
    if n_cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_cores])
        torch.set_num_threads(n_cores)


def start_ours(arguments: argparse.Namespace, force_dtype: str) -> Simulation:
    """The production sampler of this project at the sizes asked for."""
    config = config_of(
        **case_of(arguments), step_size=arguments.step_size, beta_max=arguments.beta, force_dtype=force_dtype
    )
    return simulation_of(config, torch.device("cpu"))


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--peer-python", required=True, help="the interpreter of the peers' virtual environment")
    parser.add_argument("--step-size", type=float, default=0.1)
    parser.add_argument("--beta", type=float, default=2.0)
    parser.add_argument("--trajectories", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    pin_to(arguments.cores)
    ours = {precision: start_ours(arguments, precision) for precision in ("float32", "bfloat16")}
    simulation = ours["float32"]
    n_chains = arguments.networks * arguments.temperatures * arguments.replicas
    gradients = n_chains * arguments.n_leapfrog * arguments.trajectories
    seconds: dict[str, list[float]] = {name: [] for name in (*ours, *PEERS)}
    with PeerProcess(
        arguments.peer_python, simulation, arguments.activation, betas=list(simulation.ladder.betas)
    ) as peers:
        for name in PEERS:
            peers.ask(
                do="build",
                label=name,
                sampler=name,
                step_size=arguments.step_size,
                n_leapfrog=arguments.n_leapfrog,
                n_chains=arguments.replicas,
                n_draws=arguments.trajectories,
            )
        for repetition in range(arguments.repetitions + 1):
            taken = {name: advance_seconds(own, arguments.trajectories) for name, own in ours.items()}
            taken |= {name: peers.ask(do="call", label=name)["seconds"] for name in PEERS}
            if repetition:  # the first is warm-up
                for name, value in taken.items():
                    seconds[name].append(value)
    rates = {name: gradients / statistics.median(values) for name, values in seconds.items()}
    fastest = max(PEERS, key=lambda name: rates[name])
    report(
        {
            "benchmark": "peers",
            **{name: value for name, value in vars(arguments).items() if name != "peer_python"},
            "chain_gradients_per_s": rates,
            "fastest_peer": fastest,
            "speedup": {name: rates[name] / rates[fastest] for name in ours},
        }
    )


def advance_seconds(simulation: Simulation, n_sweeps: int) -> float:
    """Seconds of some sweeps: trajectories, Metropolis tests, exchange."""
    start = time.perf_counter()
    for _ in range(n_sweeps):
        simulation.advance()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
