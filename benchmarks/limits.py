"""Limits found out: the largest runs that fit, long bookkeeping of the exchange, memory of the readers.

    python benchmarks/limits.py sizes [--gib 24] [--real-gib 2] [--real-axes n_inputs temperatures]
    python benchmarks/limits.py exchange [--ladders 10000] [--sweeps 2000]
    python benchmarks/limits.py readers [--segment-mib 2] [--block-mib 16]

JSON lines. sizes: the largest N, D, T and R (the others as given) that the plan of memory accepts; some of them at
--real-gib are run, the peak beside what was said. exchange: seconds a sweep in each tenth, from counters of 10^9
on. readers: peak memory of each command on 10 and 100 segments of --segment-mib of series, in blocks of --block-mib.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import CASE, config_of
from timing import report

from mcmc.errors import ConfigError
from mcmc.exchange import ops
from mcmc.exchange.state import check_invariants, initial_exchange_state
from mcmc.io.directory import RunDirectory
from mcmc.io.schema import Key
from mcmc.io.segment import read_segment, write_segment
from mcmc.rng import Streams
from mcmc.run.memory import memory_bytes

GIB, MIB = 2**30, 2**20
AXES = {"n_inputs": 64, "networks": 1, "temperatures": 2, "replicas": 2}  # smallest
PEAK = """
import json, sys, tempfile
from pathlib import Path
from mcmc.config import parse_config
from mcmc.run.driver import run
def status(field):
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))
config = parse_config(json.load(sys.stdin))
before = status("VmRSS")
with tempfile.TemporaryDirectory() as folder:
    seconds = run(config, Path(folder) / "run", is_quiet=True).seconds
print(json.dumps([status("VmHWM") - before, seconds]))
"""
# of a command: its peak, imports and all
READER = """
import sys
from mcmc.analysis import blocks
from mcmc.cli import main
blocks.BLOCK_BYTES = {block_bytes}
try:
    main()
except SystemExit as error:
    assert not error.code, error
# not ru_maxrss, which a child inherits of its parent
print("PEAK", next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
READERS = {
    "fsck": ["fsck"],
    "plot": ["plot"],
    "estimate": ["estimate"],
    "status": ["status"],
    "health": ["health"],
    "compare": ["compare", "--ansatz", "rs"],
    "overlap": ["overlap", "--ansatz", "rs"],
    "free-energy": ["free-energy"],
    "export netCDF": ["export", "--to", "{out}/all.nc", "--force"],
    "export CSV": ["export", "--to", "{out}/all", "--force"],
}
N_SEGMENTS = (10, 100)


def largest(fits: Callable[[int], bool]) -> int:
    """The largest number that fits, by doubling and halving."""
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def needed(**case: Any) -> int:
    sections = {"run": {"n_burn_in": 0, "n_sweeps": 4}, "output": {"segment_sweeps": 2, "overlaps": True}}
    return sum(memory_bytes(config_of(**{**CASE, "temperatures": 16, "replicas": 2, **case}, **sections)).values())


def _largest_of(axis: str, gib: float) -> int:
    def fits(n: int) -> bool:
        try:
            return needed(**{axis: max(n, AXES[axis])}) <= gib * GIB
        except ConfigError:  # more than a configuration may ask for
            return False

    return largest(fits)


def sizes(arguments: argparse.Namespace) -> None:
    """One axis at a time."""
    found = {axis: _largest_of(axis, arguments.gib) for axis in AXES}
    report({"benchmark": "limits sizes", "gib": arguments.gib, "others": {**CASE, "replicas": 2}, "largest": found})
    for axis in arguments.real_axes:
        n = _largest_of(axis, arguments.real_gib)
        case = {**CASE, "replicas": 2, axis: n, "n_leapfrog": 2}
        sections = {"run": {"n_burn_in": 0, "n_sweeps": 4}, "output": {"segment_sweeps": 2, "overlaps": True}}
        config = config_of(**case, **sections)
        done = subprocess.run(
            [sys.executable, "-c", PEAK], input=config.model_dump_json(), capture_output=True, text=True, check=True
        )
        peak, seconds = json.loads(done.stdout)
        said = sum(memory_bytes(config).values())
        line = {"case": case, "said_gib": said / GIB, "peak_gib": peak / GIB, "seconds": seconds}
        report({"benchmark": "limits real run", "axis": axis, **line})


def exchange(arguments: argparse.Namespace) -> None:
    """Lopsided energies that never change; every counter starts at 10^9."""
    n, k = arguments.ladders, 16
    state = initial_exchange_state(n, k, 1)
    state.swap_count += 10**9
    state.round_trips += 10**9
    state.accept_sum += 1e9
    state.n_attempts += 2 * 10**9
    energy = torch.linspace(0, 6, k, dtype=torch.float64).square()[None, :, None].expand(n, k, 1).contiguous()
    beta = torch.linspace(0.1, 1.0, k, dtype=torch.float64)
    streams = Streams.of(1, range(n), [0])
    statistics = torch.zeros((n, k, 4), dtype=torch.float64)
    sums = torch.zeros((4, n, k, 1), dtype=torch.float64)
    seconds, started = [], state.swap_count.sum()
    for tenth in range(10):
        begin = time.process_time()
        for number in range(tenth * arguments.sweeps // 10, (tenth + 1) * arguments.sweeps // 10):
            ops.count_and_swap(statistics, energy, beta, state, streams, number, number % 2, sums)
            state.n_attempts[number % 2 :: 2] += 1
        seconds.append((time.process_time() - begin) / (arguments.sweeps // 10))
    check_invariants(state)
    moved = float(state.accept_sum.sum() - 1e9 * n * (k - 1))
    line = {
        "ladders": n,
        "temperatures": k,
        "sweeps": arguments.sweeps,
        "decisions": n * sum((k - number % 2) // 2 for number in range(arguments.sweeps)),
        "swaps": int(state.swap_count.sum() - started),
        "swaps_over_their_probabilities": float(state.swap_count.sum() - started) / moved,
        "cpu_seconds_a_sweep_by_tenth": [round(s, 6) for s in seconds],
    }
    report({"benchmark": "limits exchange", **line})


def readers(arguments: argparse.Namespace) -> None:
    """One real segment under many numbers, with energies of a Gaussian density of states: H ~ N(-beta, 1)."""
    from mcmc.run.driver import run

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        per_draw = 16 * 16 * (4 * 8 + 4 * (6 + 4) * 2)  # bytes of the series of networks, temperatures, replicas
        n_draws = arguments.segment_mib * MIB // per_draw
        case = {"n_inputs": 8, "networks": 16, "temperatures": 16, "replicas": 4, "n_leapfrog": 2}
        sections = {"tempering": {"betas": np.linspace(0, 2, 16).tolist(), "n_replicas": 4}}
        peaks: dict[str, list[float]] = {name: [] for name in READERS}
        for n_segments in N_SEGMENTS:
            lengths = {"run": {"n_burn_in": 0, "n_sweeps": n_segments * n_draws}, "output": {"segment_sweeps": n_draws}}
            config = config_of(**case, **sections, **lengths)
            path = out / f"segments-{n_segments}"
            run(config, path, is_quiet=True, until=lambda path, is_last: {"is_reached": True, "reason": "one segment"})
            _multiply(RunDirectory(path), n_segments)
            for name, (command, *options) in READERS.items():
                options = [option.format(out=folder) for option in options]
                code = READER.format(block_bytes=arguments.block_mib * MIB)
                line = [sys.executable, "-c", code, command, str(path), *options]
                done = subprocess.run(line, capture_output=True, text=True, check=False)
                assert done.returncode == 0, (name, done.stderr[-2000:])
                peaks[name].append(round(int(done.stdout.rsplit("PEAK", 1)[1]) / MIB, 1))
        line = {"block_mib": arguments.block_mib, "segment_mib": arguments.segment_mib, "segments": N_SEGMENTS}
        report({"benchmark": "limits readers", **line, "peak_mib": peaks})


def _multiply(directory: RunDirectory, n_segments: int) -> None:
    """The first segment again under every number, with energies of its own."""
    arrays, scales, attributes = read_segment(directory.segment(0))
    beta, shape = arrays[Key.BETA][:, None], arrays[Key.ENERGY].shape
    kept = {
        name: value
        for name, value in attributes.items()
        if name not in ("sha256", "complete", "schema_version", "schema")
    }
    for index in range(n_segments):
        energy = (np.random.default_rng(index).standard_normal(shape) - beta) / 8
        write_segment(directory.segment(index), arrays | {Key.ENERGY: energy}, scales, kept | {"index": index})


PARTS = {"sizes": sizes, "exchange": exchange, "readers": readers}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--gib", type=float, default=24, help="memory to fill on paper")
    parser.add_argument("--real-gib", type=float, default=2, help="memory to fill indeed")
    parser.add_argument("--real-axes", nargs="+", choices=list(AXES), default=["n_inputs", "temperatures"])
    parser.add_argument("--ladders", type=int, default=10_000)
    parser.add_argument("--sweeps", type=int, default=2_000)
    parser.add_argument("--segment-mib", type=int, default=2, help="of time series in a segment")
    parser.add_argument("--block-mib", type=int, default=16, help="of memory for a block of networks")
    arguments = parser.parse_args()
    PARTS[arguments.part](arguments)


if __name__ == "__main__":
    main()
