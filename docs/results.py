"""The tables of results.md.

mlp-gibbs study report results/study-rs --no-free-energy --json > report.json
python docs/results.py collect report.json > docs/results.jsonl
python docs/results.py table docs/results.jsonl
"""

import json
import sys
from pathlib import Path
from typing import Any

OBSERVABLES = {"energy_density": "e", "overlap_0": "⟨q^0⟩", "overlap_1": "⟨q^1⟩"}
BETAS = (1.0, 2.0, 4.0)
Line = dict[str, Any]


def collect(report: Line) -> list[Line]:
    """The limits of energies and overlaps at all temperatures, and the verdict of every cell, in few digits."""
    keys = ("observable", "beta", "value", "stderr", "predicted", "n_sigma", "exponent")
    limits = [
        {"activation": limit["settings"]["model.activation"]} | {key: _rounded(limit[key]) for key in keys}
        for limit in report["extrapolations"]
        if limit["observable"] in OBSERVABLES
    ]
    cells = [
        {
            "activation": cell["settings"]["model.activation"],
            "n_inputs": cell["n_inputs"],
            "equilibrated": cell["verdict"],
            "hard_networks": len(cell["hard_networks"]),
        }
        for cell in report["equilibrated"]["cells"]
    ]
    return limits + cells


def table(lines: list[Line]) -> str:
    """Limits beside theory at a few temperatures; then, over all of beta >= 0.4, the largest deviations."""
    limits = [line for line in lines if "observable" in line]
    rows = ["| activation | beta | observable | limit | theory | n_sigma | heaviest exponent |", "|---" * 7 + "|"]
    for limit in limits:
        if limit["beta"] in BETAS:
            value = f"{limit['value']:.4f} ± {limit['stderr']:.4f}"
            rows.append(
                f"| {limit['activation']} | {limit['beta']:g} | {OBSERVABLES[limit['observable']]} | {value} | "
                f"{limit['predicted']:.4f} | {limit['n_sigma']:+.1f} | {limit['exponent']:.2g} |"
            )
    rows += [
        "",
        "| activation | largest error of e | largest deviation of e | largest n_sigma of e, q^0, q^1 |",
        "|---" * 4 + "|",
    ]
    for activation in dict.fromkeys(limit["activation"] for limit in limits):
        own = [limit for limit in limits if limit["activation"] == activation and limit["beta"] >= 0.4]
        energies = [limit for limit in own if limit["observable"] == "energy_density"]
        error = max(limit["stderr"] / abs(limit["predicted"]) for limit in energies)
        deviation = max(abs(limit["value"] / limit["predicted"] - 1) for limit in energies)
        n_sigma = max(abs(limit["n_sigma"]) for limit in own)
        rows.append(f"| {activation} | {100 * error:.2f} % | {100 * deviation:.2f} % | {n_sigma:.1f} |")
    rows += ["", "| activation | N_0 | equilibrated | hard networks |", "|---" * 4 + "|"]
    rows += [
        f"| {cell['activation']} | {cell['n_inputs']} | {cell['equilibrated']} | {cell['hard_networks']} |"
        for cell in lines
        if "equilibrated" in cell
    ]
    return "\n".join(rows)


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    what, path = sys.argv[1], Path(sys.argv[2])
    if what == "collect":
        print("\n".join(json.dumps(line) for line in collect(json.loads(path.read_text()))))
    else:
        print(table([json.loads(line) for line in path.read_text().splitlines()]))
