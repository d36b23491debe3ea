"""Time of one ancestral batch of the chain of layers, as one JSON line.

    python benchmarks/layers.py [--threads 2] [--repetitions 3] [--activation linear] [--depth 60] [--width 512]

Seconds for Sigma_l and |z^l|^2/N of every layer of that many independent networks: median and quartiles.
"""

import argparse
import statistics

import torch
from timing import interleaved, report

from mcmc.systems.layers.ancestral import ancestral_samples
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.mlp.activations import make_activation


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of one ancestral batch of the chain of layers.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--activation", default="linear")
    parser.add_argument("--depth", type=int, default=60)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--networks", type=int, default=8000)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    phi, first = make_activation(args.activation, depth=args.depth), torch.ones(1, 1, dtype=torch.float64)
    chain = LayerChain(torch.arange(args.networks), phi, args.width, args.depth, 0.9**0.5, 0.1**0.5, first)
    times = interleaved({"ancestral": lambda: ancestral_samples(chain, 1)}, repetitions=args.repetitions)["ancestral"]
    low, median, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    report(
        {
            "benchmark": "layers",
            "activation": args.activation,
            "depth": args.depth,
            "width": args.width,
            "networks": args.networks,
            "seconds": round(median, 3),
            "seconds_quartiles": [round(low, 3), round(high, 3)],
            "n": args.repetitions,
            "ns_per_unit": round(1e9 * median / (args.depth * args.width * args.networks), 2),
        }
    )


if __name__ == "__main__":
    main()
