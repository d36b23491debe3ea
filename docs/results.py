"""The tables of results.md.

mlp-gibbs study report results/study-rs --no-free-energy --json > study-rs.json
python docs/results.py collect study-rs.json study-1rsb.json study-depth.json > docs/results.jsonl
python docs/results.py table docs/results.jsonl
"""

import json
import sys
from pathlib import Path
from typing import Any

BETAS = {"study-rs": (1.0, 2.0, 4.0), "study-1rsb": (1.0, 1.6, 2.2, 2.6, 3.0), "study-depth": (1.0, 4.0)}
COLDER_THAN = 0.4  # of the table over all temperatures: beyond, e is small and its relative error says little
Line = dict[str, Any]


def case(settings: Line) -> str:
    """Words for what distinguishes a cell of its study."""
    words = [settings["model.activation"]] if "model.activation" in settings else []
    if "model.width_ratios" in settings:
        words.append(f"L = {len(settings['model.width_ratios'])}")
    return ", ".join(words) or "sin, alpha = 8"


def collect(report: Line) -> list[Line]:
    """The limits of e, q^0, q^L and the peak of P(q^0) at all temperatures, and every cell's verdict, in few digits."""
    keys = ("beta", "value", "stderr", "predicted", "n_sigma", "exponent", "gain", "ansatz")
    lines = []
    for limit in report["extrapolations"]:
        name = observables(limit["settings"]).get(limit["observable"])
        if name is not None:
            of = {"study": report["study"], "case": case(limit["settings"]), "observable": name}
            loops = next(fit for fit in limit["fits"] if fit["exponent"] == 1)
            with_loops = {"value_1": _rounded(loops["value"]), "stderr_1": _rounded(loops["stderr"])}
            lines.append(of | {key: _rounded(limit[key]) for key in keys} | with_loops)
    for cell in report["equilibrated"]["cells"]:
        of = {"study": report["study"], "case": case(cell["settings"]), "n_inputs": cell["n_inputs"]}
        found = {"equilibrated": cell["verdict"], "hard_networks": len(cell["hard_networks"])}
        lines.append(of | found)
    return lines


def observables(settings: Line) -> dict[str, str]:
    """What is quoted, by its name in the report."""
    depth = len(settings.get("model.width_ratios", [1.0]))
    names = {"energy_density": "e", "overlap_0": "⟨q^0⟩", f"overlap_{depth}": f"⟨q^{depth}⟩"}
    return names | ({} if "model.activation" in settings else {"overlap_peak_0": "peak of P(q^0)"})


def table(lines: list[Line]) -> str:
    """Of each study: limits beside theory at a few temperatures; the largest deviations over all; verdicts."""
    rows: list[str] = []
    for study in dict.fromkeys(line["study"] for line in lines):
        own = [line for line in lines if line["study"] == study]
        limits = [line for line in own if "observable" in line]
        rows += _limits([limit for limit in limits if limit["beta"] in BETAS[study]])
        rows += _largest([limit for limit in limits if limit["beta"] >= COLDER_THAN])
        rows += _verdicts([line for line in own if "equilibrated" in line])
    return "\n".join(rows)


def _limits(limits: list[Line]) -> list[str]:
    rows = ["", "| case | beta | observable | limit | theory | n_sigma | heaviest exponent | gain |", "|---" * 8 + "|"]
    for limit in limits:
        gain = "" if limit["gain"] is None else f"{limit['gain']:.3g}"
        rows.append(
            f"| {limit['case']} | {limit['beta']:g} | {limit['observable']} | "
            f"{limit['value']:.4f} ± {limit['stderr']:.4f} | {limit['predicted']:.4f} ({limit['ansatz']}) | "
            f"{limit['n_sigma']:+.1f} | {limit['exponent']:.2g} | {gain} |"
        )
    return rows


def _largest(limits: list[Line]) -> list[str]:
    header = "| case | largest error of e | largest deviation of e | the same of the fit with w = 1 | largest n_sigma |"
    rows = ["", header, "|---" * 5 + "|"]
    for name in dict.fromkeys(limit["case"] for limit in limits):
        own = [limit for limit in limits if limit["case"] == name]
        energies = [limit for limit in own if limit["observable"] == "e"]
        percent = []
        for which in ("", "_1"):
            error = max(limit[f"stderr{which}"] / abs(limit["predicted"]) for limit in energies)
            deviation = max(abs(limit[f"value{which}"] / limit["predicted"] - 1) for limit in energies)
            percent += [f"{100 * error:.2f} %", f"{100 * deviation:.2f} %"]
        n_sigma = max(abs(limit["n_sigma"]) for limit in own)
        rows.append(f"| {name} | {percent[0]} | {percent[1]} | {percent[2]}, {percent[3]} | {n_sigma:.1f} |")
    return rows


def _verdicts(cells: list[Line]) -> list[str]:
    sizes = sorted({cell["n_inputs"] for cell in cells})
    rows = ["", f"| equilibrated (hard networks) | {' | '.join(f'N_0 = {n}' for n in sizes)} |"]
    rows.append("|---" * (1 + len(sizes)) + "|")
    for name in dict.fromkeys(cell["case"] for cell in cells):
        own = {cell["n_inputs"]: cell for cell in cells if cell["case"] == name}
        words = [f"{own[n]['equilibrated']} ({own[n]['hard_networks']})" if n in own else "" for n in sizes]
        rows.append(f"| {name} | {' | '.join(words)} |")
    return rows


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    what, *paths = sys.argv[1:]
    if what == "collect":
        found = [line for path in paths for line in collect(json.loads(Path(path).read_text()))]
        print("\n".join(json.dumps(line, ensure_ascii=False) for line in found))
    else:
        print(table([json.loads(line) for line in Path(paths[0]).read_text().splitlines()]))
