"""How long perturbed networks take: one JSON line.

    python benchmarks/function_space.py [--threads 2] [--repetitions 5]

`overlaps`: 8 pairs of networks with 4 layers of 1001 units, 64 inputs each, weights drawn and overlaps measured; wanted
under 2 s on 2 cores. `majority`: one layer of 200 000 majority gates of 3 inputs, wiring and flips drawn; wanted under
0.05 s. `cpu_seconds` is processor time: nearer to what `seconds` would be where other programs want the cores too.
"""

import argparse
import statistics
import time
from functools import partial

import torch
from timing import interleaved, report

from mcmc.systems.function_space.ensemble import Layout, PairEnsemble
from mcmc.systems.function_space.majority import measure_majority
from mcmc.systems.function_space.overlaps import measure_overlaps

N_LAYERS = 10
TARGETS = {"overlaps_continuous": 2.0, "overlaps_binary": 2.0, "majority_layer": 0.05}


def main() -> None:
    """Time the three and print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layout = Layout(1001)
    calls = {
        f"overlaps_{weights}": partial(
            measure_overlaps, PairEnsemble(layout, weights, (value,) * 4), n_networks=8, n_inputs=64
        )
        for weights, value in (("continuous", 0.3), ("binary", 0.05))
    }
    calls["majority_layer"] = partial(
        measure_majority, 3, 0.05, start=0.2, width=200_000, n_layers=N_LAYERS, n_networks=1
    )
    seconds = interleaved(calls, repetitions=options.repetitions)
    processor = interleaved(calls, repetitions=options.repetitions, clock=time.process_time)
    line = {"benchmark": "function_space", "width": 1001, "n_networks": 8, "n_inputs": 64, "depth": 4}
    for name in calls:
        parts = N_LAYERS if name == "majority_layer" else 1
        line[name] = {
            "seconds": statistics.median(seconds[name]) / parts,
            "cpu_seconds": statistics.median(processor[name]) / parts,
            "target_s": TARGETS[name],
        }
    report(line)


if __name__ == "__main__":
    main()
