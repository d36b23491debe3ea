"""What every benchmark shares: interleaved repetitions, medians with their spread, and the facts of the machine."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from mcmc import native
from mcmc._version import __version__


def interleaved(
    contestants: dict[str, Callable[[], Any]], *, repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each call, the contestants taking turns so that a busy moment of the machine hits all alike."""
    for call in contestants.values():
        call()  # warm-up: allocation, thread pools, caches
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, call in contestants.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return seconds


def rate(work: float, seconds: list[float]) -> dict[str, float]:
    """Median of work per second, with the quartiles."""
    rates = sorted(work / s for s in seconds)
    low, _, high = statistics.quantiles(rates, n=4) if len(rates) > 3 else (rates[0], 0, rates[-1])
    return {"median": statistics.median(rates), "low": low, "high": high}


def machine() -> dict[str, Any]:
    """Processor, threads, versions, device."""
    facts: dict[str, str] = {}  # of the first processor
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for name, _, value in (line.partition(":") for line in file):
                facts.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    return {
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "cpu_family": facts.get("cpu family"),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "mlp_gibbs": __version__,
        "extension": native.description(),
    }


def report(line: dict[str, Any]) -> None:
    """One JSON line on standard output."""
    json.dump({**line, "machine": machine()}, sys.stdout)
    sys.stdout.write("\n")
