"""Time of the random streams and of replica exchange, as one JSON line.

    python benchmarks/exchange.py [--device cuda] [--threads 1] [--repetitions 21]

Each entry: nanoseconds for one number, one swap decision or one overlap, as the median with its quartiles, the shape
that it was measured on, and how many times slower the plain-torch reference is. The two take turns, so that the fast
one finds its output memory cold: run alone, a normal number takes about a quarter less.
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from timing import interleaved, report

from mcmc import native, philox
from mcmc.exchange import ops
from mcmc.exchange.state import initial_exchange_state
from mcmc.rng import Purpose, Streams

STREAM_SHAPE = (64, 64, 256)  # networks, chains, numbers of a chain
LADDERS = (512, 32, 2)  # networks, temperatures, replicas: 1024 ladders of 32 temperatures
OVERLAPS = (512, 32, 6)  # networks, temperatures, pairs of 4 replicas
N_BINS = 64


def compare(
    fast: Callable[[], object], reference: Callable[[], object], n_items: int, shape: tuple[int, ...], args
) -> dict:
    """The entry of one operator; on a device each call waits for its result."""

    def finished(work: Callable[[], object]) -> Callable[[], None]:
        def call() -> None:
            work()
            if args.device.type == "cuda":
                torch.cuda.synchronize(args.device)

        return call

    seconds = interleaved({"fast": finished(fast), "reference": finished(reference)}, repetitions=args.repetitions)
    low, median, high = (1e9 * s / n_items for s in statistics.quantiles(seconds["fast"], n=4))
    slower = statistics.median(seconds["reference"]) / statistics.median(seconds["fast"])
    return {
        "ns": round(median, 3),
        "ns_quartiles": [round(low, 3), round(high, 3)],
        "n": args.repetitions,
        "shape": shape,
        "reference_times_slower": round(slower, 1),
    }


def streams(args) -> dict:
    d, c, n = STREAM_SHAPE
    s = Streams.of(1, range(d), range(c), device=args.device)
    address = (s.seed, int(Purpose.TEST), s.network, s.chain, 0, n)
    return {
        "uniform": compare(
            lambda: s.uniform(Purpose.TEST, 0, n),
            lambda: philox.philox_uniform(*address),
            d * c * n,
            STREAM_SHAPE,
            args,
        ),
        "normal_float64": compare(
            lambda: s.normal(Purpose.TEST, 0, n, torch.float64),
            lambda: philox.philox_normal(*address, torch.float64),
            d * c * n,
            STREAM_SHAPE,
            args,
        ),
        "normal_float32": compare(
            lambda: s.normal(Purpose.TEST, 0, n, torch.float32),
            lambda: philox.philox_normal(*address, torch.float32),
            d * c * n,
            STREAM_SHAPE,
            args,
        ),
    }


def swaps(args) -> dict:
    d, k, r = LADDERS
    generator = torch.Generator().manual_seed(1)
    state = initial_exchange_state(d, k, r, args.device)
    beta = torch.linspace(0.1, 2.0, k, dtype=torch.float64, device=args.device)
    energy = (3 * torch.randn((d, k, r), dtype=torch.float64, generator=generator)).to(args.device)
    u = [torch.rand((d, (k - p) // 2, r), dtype=torch.float64, generator=generator).to(args.device) for p in (0, 1)]

    def two_sweeps(backend: native.Backend | None = None) -> None:
        for parity in (0, 1):
            ops.exchange(u[parity], energy, beta, state, parity, backend=backend)

    return {
        "swap_decision": compare(two_sweeps, lambda: two_sweeps("reference"), d * (k - 1) * r, LADDERS, args),
    }


def histograms(args) -> dict:
    d, k, p = OVERLAPS
    order = torch.randperm(d * k * p, generator=torch.Generator().manual_seed(1))
    overlap = torch.linspace(-1.1, 1.1, d * k * p, dtype=torch.float64)[order].reshape(d, k, p).to(args.device)
    histogram = torch.zeros((d, k, N_BINS + 2), dtype=torch.int64, device=args.device)
    moments = torch.zeros((d, k, 4), dtype=torch.float64, device=args.device)

    def accumulate(backend: native.Backend | None = None) -> None:
        ops.overlap_accumulate_(overlap, -1.0, 1.0, histogram, moments, backend=backend)

    return {
        "overlap": compare(accumulate, lambda: accumulate("reference"), d * k * p, (*OVERLAPS, N_BINS), args),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of the random streams and of replica exchange.")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=21)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    results = {**streams(args), **swaps(args), **histograms(args)}
    backend = native.backend_for(args.device)
    report({"benchmark": "exchange", "on": str(args.device), "backend": backend, "results": results})


if __name__ == "__main__":
    main()
