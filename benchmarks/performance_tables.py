"""The tables of docs/performance.md, from the lines under benchmarks/results/.

python benchmarks/performance_tables.py
"""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    for title, rows in tables().items():
        print(f"{title}\n\n" + "\n".join(rows) + "\n")


def tables() -> dict[str, list[str]]:
    """Markdown rows by title."""
    return {
        "Gradients": gradient_table(lines("gradient")),
        "Peers": peers_table(lines("peers")),
    }


def lines(name: str) -> list[dict[str, Any]]:
    """The JSON lines of one file of results."""
    return [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def gradient_table(found: list[dict[str, Any]]) -> list[str]:
    """Lowest, median and highest over activations and depths."""
    rows = table(
        ["N", "cases", "float32 / peak: lowest, median, highest", "bfloat16 / float32: lowest, median, highest"]
    )
    for n_inputs in sorted({line["n_inputs"] for line in found}):
        here = [line for line in found if line["n_inputs"] == n_inputs]
        spreads = [spread(line[key] for line in here) for key in ("fraction_of_peak", "bfloat16_over_float32")]
        rows.append(f"| {n_inputs} | {len(here)} | {spreads[0]} | {spreads[1]} |")
    return rows


def peers_table(found: list[dict[str, Any]]) -> list[str]:
    """Thousands of chain gradients a second."""
    names = ("float32", "bfloat16", "blackjax", "numpyro", "tfp_hmc", "tfp_replica_exchange")
    rows = table(["network", "cores", *names, "over the fastest peer"])
    for line in found:
        rates = [f"{line['chain_gradients_per_s'][name] / 1000:.0f}" for name in names]
        gain = ", ".join(f"{line['speedup'][name]:.1f}" for name in ("float32", "bfloat16"))
        rows.append(f"| {network(line)} | {line['cores'] or 'not pinned'} | {' | '.join(rates)} | {gain} |")
    return rows


def network(line: dict[str, Any]) -> str:
    return f"{line['activation']}, L = {line['depth']}, N = {line['n_inputs']}"


def spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return ", ".join(f"{value:.2f}" for value in (ordered[0], statistics.median(ordered), ordered[-1]))


def table(header: list[str]) -> list[str]:
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]


if __name__ == "__main__":
    main()
