"""How the cost of a sweep and the energy error of a trajectory grow, as exponents.

    python benchmarks/scaling.py [--device cuda] [--widths 128 256 512 1024 2048] [--activation tanh]

One JSON line: d log t / d log N over the widths; the same in the number of networks, and in the number of temperatures
at fixed chains, at the first width (1 and 0 are wanted); and of var(dH) in N and in the step size at fixed length of
the trajectory (about N eps^4 for smooth activations, N eps^2 with kinks, each crossing of which costs O(eps)).
Every exponent is a least-squares slope of logarithms, with its standard error.
"""

import argparse
import statistics
from functools import partial

import numpy as np
import torch
from cases import config_of, simulation_of, wait
from timing import interleaved, report

LENGTH = 1.2  # of the trajectories whose energy error is measured: eps n_leapfrog


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--force-dtype", choices=["float32", "tf32", "bfloat16"], default="float32")
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--chains", type=int, default=64, help="a network: a multiple of 16")
    parser.add_argument("--error-widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--error-steps", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--error-sweeps", type=int, default=200)
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    device, chains = torch.device(arguments.device), arguments.chains
    timed = partial(_seconds, arguments, device)
    base = {
        "n_inputs": arguments.widths[0],
        "networks": arguments.networks,
        "temperatures": 16,
        "replicas": chains // 16,
    }
    by_width = timed({n: base | {"n_inputs": n} for n in arguments.widths})
    by_networks = timed(
        {d: base | {"networks": d} for d in (arguments.networks, 2 * arguments.networks, 4 * arguments.networks)}
    )
    by_temperatures = timed({k: base | {"temperatures": k, "replicas": chains // k} for k in (4, 8, 16)})
    in_width = {n: _error_variance(arguments, device, n, arguments.error_steps[1]) for n in arguments.error_widths}
    in_step = {
        LENGTH / n: _error_variance(arguments, device, arguments.error_widths[-1], n) for n in arguments.error_steps
    }
    measured = {
        "time_in_width": by_width,
        "time_in_networks": by_networks,
        "time_in_temperatures_at_fixed_chains": by_temperatures,
        "energy_error_variance_in_width": in_width,
        "energy_error_variance_in_step_size": in_step,
    }
    report(
        {
            "benchmark": "scaling",
            **vars(arguments),
            "measured": {name: list(values.items()) for name, values in measured.items()},
            "exponents": {name: _exponent(values) for name, values in measured.items()},
        }
    )


def _seconds(arguments: argparse.Namespace, device: torch.device, cases: dict) -> dict[float, float]:
    """Median seconds of a sweep of each case, the cases taking turns."""
    calls = {}
    for place, case in cases.items():
        config = config_of(activation=arguments.activation, force_dtype=arguments.force_dtype, **case)
        simulation = simulation_of(config, device)

        def sweep(simulation=simulation) -> None:
            simulation.advance()
            wait(device)

        calls[place] = sweep
    return {
        place: statistics.median(seconds)
        for place, seconds in interleaved(calls, repetitions=arguments.repetitions).items()
    }


def _error_variance(arguments: argparse.Namespace, device: torch.device, n_inputs: int, n_leapfrog: int) -> float:
    """var(dH) of trajectories of one length at the coldest temperature, after as many sweeps of burn-in."""
    config = config_of(
        activation=arguments.activation,
        force_dtype=arguments.force_dtype,
        n_inputs=n_inputs,
        networks=8,
        temperatures=4,
        replicas=8,
        n_leapfrog=n_leapfrog,
        step_size=LENGTH / n_leapfrog,
    )
    simulation = simulation_of(config, device, warm_up=arguments.error_sweeps // 2)
    simulation.diagnostics.reset()
    for _ in range(arguments.error_sweeps):
        simulation.advance()
    sums = simulation.diagnostics.tensors
    n = float(sums["n_steps"])
    mean, square = (float(sums[name][:, -1].mean()) / n for name in ("energy_error", "energy_error_square"))
    return square - mean**2


def _exponent(values: dict[float, float]) -> dict[str, float | None]:
    x, y = np.log(list(values.keys())), np.log(list(values.values()))
    slope, intercept = np.polyfit(x, y, 1)
    if len(x) < 3:
        return {"slope": float(slope), "stderr": None}
    residual = y - slope * x - intercept
    stderr = np.sqrt((residual**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
    return {"slope": float(slope), "stderr": float(stderr)}


if __name__ == "__main__":
    main()
