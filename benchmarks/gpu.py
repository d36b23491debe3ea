"""The numbers of a CUDA device: what matrix products reach, what the production sampler reaches, where launches wait.

    python benchmarks/gpu.py ceiling|gradient|gaps|accuracy [--device cuda] [--widths 128 256 512 1024]

`ceiling`   floating-point operations per second of the batched products of the shapes, in float32, tf32 and bfloat16.
`gradient`  gradients x chains per second of whole sweeps, as a fraction of those products in interleaved runs, for each
            precision of the forces, with sweeps captured as graphs and without.
`gaps`      share of the time of a sweep in which no kernel runs, by torch.profiler, with graphs and without.
`accuracy`  fields of the check that a run makes of its trajectories: energies in roundings, reversal.

JSON lines, one a case. With --device cpu every line is made at tiny sizes, to find what is mistyped.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from cases import config_of, simulation_of, wait
from timing import interleaved, rate, report
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mcmc.run.simulation import Simulation
from mcmc.systems.mlp.batched import BatchedNetworks

DTYPES = ("float32", "tf32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--temperatures", type=int, default=16)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=15)
    arguments = parser.parse_args()
    for line in PARTS[arguments.part](arguments):
        report({"benchmark": f"gpu {arguments.part}", **vars(arguments), **line})


def ceiling(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Forward and backward products of every layer, bare."""
    for n_inputs in arguments.widths:
        simulation = _simulation(arguments, n_inputs, "float32", "off")
        work = {dtype: _products(simulation, dtype) for dtype in DTYPES}
        seconds = interleaved(work, repetitions=arguments.repetitions)
        flops = _flops(simulation)
        yield {"n_inputs": n_inputs, "flops_per_s": {dtype: rate(flops, s) for dtype, s in seconds.items()}}


def gradient(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Production sweeps, against the products."""
    for n_inputs in arguments.widths:
        for dtype in DTYPES:
            for graphs in ("auto", "off"):
                simulation = _simulation(arguments, n_inputs, dtype, graphs)
                seconds = interleaved(
                    {"sweep": _sweep(simulation), "products": _products(simulation, dtype)},
                    repetitions=arguments.repetitions,
                )
                steps, flops = simulation.n_leapfrog[0], _flops(simulation)
                fractions = [p * steps / s for s, p in zip(seconds["sweep"], seconds["products"], strict=True)]
                n_chains = arguments.networks * arguments.temperatures * arguments.replicas
                recorder = simulation.recorder
                yield {
                    "n_inputs": n_inputs,
                    "chains": n_chains,
                    "force_dtype": dtype,
                    "forces_used": simulation.forces,
                    "cuda_graphs": recorder is not None and recorder.failure is None,
                    "capture_failure": None if recorder is None else recorder.failure,
                    "chain_gradients_per_s": rate(n_chains * steps, seconds["sweep"]),
                    "flops_per_s": flops * steps / statistics.median(seconds["sweep"]),
                    "fraction_of_products": statistics.median(fractions),
                    "fraction_quartiles": statistics.quantiles(fractions, n=4)[::2],
                }


def gaps(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time between the kernels of a few sweeps, from the first to the last."""
    for n_inputs in arguments.widths:
        for graphs in ("auto", "off"):
            simulation = _simulation(arguments, n_inputs, "tf32", graphs)
            kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (simulation.system.device.type == "cuda")
            with profile(activities=kinds) as trace:
                for _ in range(6):
                    simulation.advance()
                wait(simulation.system.device)
            spans = sorted(
                (event.time_range.start, event.time_range.end)
                for event in trace.events()
                if not event.is_user_annotation  # those span what they name, gaps and all
                and (simulation.system.device.type == "cpu" or event.device_type == torch.autograd.DeviceType.CUDA)
            )
            yield {"n_inputs": n_inputs, "asked": graphs, "n_kernels": len(spans), "idle_share": _idle_share(spans)}


def accuracy(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What a run checks of its own trajectories, for each precision."""
    for n_inputs in arguments.widths:
        for dtype in DTYPES:
            simulation = _simulation(arguments, n_inputs, dtype, "off")
            simulation.check()
            record = simulation.checks.arrays
            sums = simulation.diagnostics.tensors
            n = float(sums["n_steps"])
            yield {
                "n_inputs": n_inputs,
                "force_dtype": dtype,
                "forces_used": simulation.forces,
                "fallback": simulation.fallback,
                "energy_error_roundings": float(record["energy_error"].max()),
                "reversal": float(record["reversal"].max()),
                "is_repeatable": bool(record["is_repeatable"].all()),
                "acceptance": float(sums["acceptance"].mean()) / n,
            }


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[dict[str, Any]]]] = {
    "ceiling": ceiling,
    "gradient": gradient,
    "gaps": gaps,
    "accuracy": accuracy,
}


def _simulation(arguments: argparse.Namespace, n_inputs: int, force_dtype: str, graphs: str) -> Simulation:
    config = config_of(
        activation=arguments.activation,
        n_inputs=n_inputs,
        depth=arguments.depth,
        networks=arguments.networks,
        temperatures=arguments.temperatures,
        replicas=arguments.replicas,
        force_dtype=force_dtype,
        run={"cuda_graphs": graphs},
    )
    return simulation_of(config, torch.device(arguments.device), warm_up=6)


def _flops(simulation: Simulation) -> int:
    """Of one gradient of all chains."""
    n_networks, n_temperatures, n_replicas = simulation.shape
    per_chain = 4 * sum(a * b for a, b in pairwise(simulation.system.networks.widths))
    return n_networks * n_temperatures * n_replicas * per_chain


def _products(simulation: Simulation, forces: str) -> Callable[[], None]:
    """The products of one gradient, as the sampler makes them, with nothing between."""
    networks = BatchedNetworks.of(simulation.system.networks, forces, backend=None)
    device, (n_networks, n_temperatures, n_replicas) = simulation.system.device, simulation.shape
    factors: list[tuple[Tensor, Tensor]] = []
    for w in networks.operands:
        for factor in (w.mT, w):
            a = torch.randn(n_networks, n_temperatures * n_replicas, factor.shape[1], device=device)
            factors.append((a.to(w.dtype), factor))

    def call() -> None:
        for a, w in factors:
            networks._product(a, w)
        wait(device)

    return call


def _sweep(simulation: Simulation) -> Callable[[], None]:
    def call() -> None:
        simulation.advance()
        wait(simulation.system.device)

    return call


def _idle_share(spans: list[tuple[float, float]]) -> float:
    """Of the time from the first start to the last end, what no span covers."""
    covered, reached = 0.0, spans[0][0]
    for start, end in spans:
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return 1 - covered / (reached - spans[0][0])


if __name__ == "__main__":
    main()
