"""The speed limit of this processor: fused multiply-adds in registers, beside what torch's matrix product reaches.

    python benchmarks/ceiling.py [--threads 1] [--repetitions 21]

One JSON line: floating-point operations per second of bare fused multiply-adds in every instruction set that the
compiled kernels use, and of a large float32 matrix product, in interleaved runs. `gradient.py` quotes its speed as a
fraction of the first.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from timing import interleaved, rate, report

from mcmc import native

ITERATIONS = 4_000_000  # about 8 ms
MATRIX = 1024


def fma_loop(engine: str, pool: ThreadPoolExecutor | None = None, n_threads: int = 1) -> Callable[[], float]:
    """A call that runs bare fused multiply-adds on so many threads and returns the operations done."""

    def one(_: int = 0) -> float:
        return torch.ops.mlp_gibbs.fma_loop(ITERATIONS, engine)  # releases Python's lock

    return one if pool is None else lambda: sum(pool.map(one, range(n_threads)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=21)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    a, b = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    with ThreadPoolExecutor(arguments.threads) as pool:
        sets = [engine for engine in ("avx512", "avx2") if engine in native.engines()]
        loops = {engine: fma_loop(engine, pool, arguments.threads) for engine in sets}
        work = {engine: loop() for engine, loop in loops.items()} | {"torch_matmul": 2.0 * MATRIX**3}
        seconds = interleaved(loops | {"torch_matmul": lambda: a @ b}, repetitions=arguments.repetitions)
    flops = {name: rate(work[name], seconds[name]) for name in seconds}
    report({"benchmark": "ceiling", "flops_per_s": flops})


if __name__ == "__main__":
    main()
