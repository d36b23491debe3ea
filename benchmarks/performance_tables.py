"""The tables of docs/performance.md, from the lines under benchmarks/results/.

    python benchmarks/performance_tables.py [--write]

Printed, or with --write put in their places in the page, each of which follows a comment `<!-- table: name -->`.
"""

import argparse
import json
import re
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs/performance.md"

PEERS = ("blackjax", "numpyro", "tfp_hmc", "tfp_replica_exchange")

Line = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables in docs/performance.md")
    is_written = parser.parse_args().write
    page = PAGE.read_text(encoding="utf-8")
    for name, rows in tables().items():
        page = in_its_place(page, name, rows)
        if not is_written:
            print(f"{name}\n\n" + "\n".join(rows) + "\n")
    if is_written:
        PAGE.write_text(page, encoding="utf-8")


def in_its_place(page: str, name: str, rows: list[str]) -> str:
    """The page with the rows that follow the comment replaced."""
    place = re.compile(rf"(<!-- table: {name} -->\n\n)((?:\|[^\n]*\n)+\n?)?")
    if len(place.findall(page)) != 1:
        raise SystemExit(f"{PAGE} must have one comment `<!-- table: {name} -->`, then an empty line")
    return place.sub(lambda found: found[1] + "".join(f"{row}\n" for row in rows) + "\n", page)


def tables() -> dict[str, list[str]]:
    """Markdown rows by name."""
    makers: dict[str, tuple[str, Callable[[list[Line]], list[str]]]] = {
        "gradient": ("gradient", gradient_table),
        "avx512": ("avx512", gradient_table),
        "threads": ("threads", threads_table),
        "split": ("split", split_table),
        "io": ("io", io_table),
        "python": ("python_share", python_table),
        "portable": ("portable", portable_table),
        "scaling": ("scaling", scaling_table),
        "peers": ("peers", peers_table),
        "ess": ("ess", ess_table),
        "ess-settings": ("ess", settings_table),
        "ess-ratios": ("ess", ratios_table),
        "ladders": ("ladders", ladders_table),
        "ceiling": ("ceiling", ceiling_table),
    }
    return {name: by_processor(lines(file), maker) for name, (file, maker) in makers.items()}


def by_processor(found: list[Line], maker: Callable[[list[Line]], list[str]]) -> list[str]:
    """The rows of each processor's lines, one table with the processor in front."""
    processors = dict.fromkeys(processor(line) for line in found)
    rows: list[str] = []
    for name in processors:
        head, rule, *body = maker([line for line in found if processor(line) == name])
        rows = rows or [f"| processor {head}", f"|---{rule}"]
        if f"| processor {head}" != rows[0]:
            raise SystemExit(f"lines of {name} have other columns than those of {next(iter(processors))}")
        rows += [f"| {name} {row}" for row in body]
    return rows


def processor(line: Line) -> str:
    """Its family."""
    cpu, family = line["machine"]["cpu"], line["machine"].get("cpu_family")
    if "EPYC" in cpu:
        return {None: "EPYC (Zen 4)", "25": "EPYC (Zen 4)", "26": "EPYC (Zen 5)"}[family]  # None: the first lines
    return "Xeon" if "Xeon" in cpu else cpu


def lines(name: str) -> list[Line]:
    """The JSON lines of one file of results."""
    return [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def gradient_table(found: list[Line]) -> list[str]:
    """Lowest, median and highest over activations and depths."""
    is_coarse = found[0]["bfloat16_over_float32"] is not None
    keys = {"float32 / peak: lowest, median, highest": "fraction_of_peak"}
    if is_coarse:
        keys["bfloat16 / float32: lowest, median, highest"] = "bfloat16_over_float32"
    rows = table(["N", "cases", *keys])
    for n_inputs in sorted({line["n_inputs"] for line in found}):
        here = [line for line in found if line["n_inputs"] == n_inputs]
        rows.append(
            row([str(n_inputs), str(len(here)), *(spread(line[key] for line in here) for key in keys.values())])
        )
    return rows


def threads_table(found: list[Line]) -> list[str]:
    """Two threads on two cores against one."""
    rows = table(["network", "float32 / peak", "two threads / one"])
    for line in found:
        rows.append(row([network(line), f"{line['fraction_of_peak']:.2f}", f"{line['two_threads_over_one']:.2f}"]))
    return rows


def split_table(found: list[Line]) -> list[str]:
    """Shares of a sweep, in percent."""
    rows = table(["N", "networks x temperatures x replicas", "sweep, ms", "steps", "exchange and counters", "the rest"])
    for line in found:
        sizes = " x ".join(str(line[name]) for name in ("networks", "temperatures", "replicas"))
        shares = [f"{100 * line[name]:.1f} %" for name in ("steps", "exchange", "rest")]
        rows.append(row([str(line["n_inputs"]), sizes, f"{line['milliseconds']:.2f}", *shares]))
    return rows


def io_table(found: list[Line]) -> list[str]:
    """What results cost."""
    header = ["network", "measuring all overlaps at every sweep", "checkpoint and segment once a minute", "first sweep"]
    rows = table(header)
    for line in found:
        shares = [f"{100 * line['measuring_every_sweep']:.0f} % of a sweep"]
        shares.append(f"{100 * line['checkpoint_and_segment_every_minute']:.2f} %")
        rows.append(row([network(line), *shares, f"{line['seconds_to_first_sweep']:.2f} s"]))
    return rows


def python_table(found: list[Line]) -> list[str]:
    """Shares of samples, in percent."""
    owners = ("extension", "torch", "python", "bindings", "other")
    rows = table(["network", "networks x temperatures x replicas", "sweeps a segment", *owners])
    for line in found:
        sizes = " x ".join(str(line[name]) for name in ("networks", "temperatures", "replicas"))
        shares = [f"{100 * line['shares'].get(name, 0):.1f} %" for name in owners]
        rows.append(row([network(line), sizes, str(line.get("segment_sweeps", 1000)), *shares]))
    return rows


def portable_table(found: list[Line]) -> list[str]:
    """Plain torch against its products and against the naive loop."""
    rows = table(["network", "of bare torch.bmm", "over the naive loop"])
    keys = ("fraction_of_matrix_products", "speedup_over_naive_loop")
    for line in found:
        rows.append(row([network(line), f"{line[keys[0]]:.2f}", f"{line[keys[1]]:.1f}"]))
    medians = [statistics.median(line[key] for line in found) for key in keys]
    rows.append(row(["median", f"{medians[0]:.2f}", f"{medians[1]:.1f}"]))
    return rows


def scaling_table(found: list[Line]) -> list[str]:
    """Exponents with their standard errors."""
    names = {
        "time in N": "time_in_width",
        "in networks": "time_in_networks",
        "in temperatures, chains fixed": "time_in_temperatures_at_fixed_chains",
        "var(dH) in N": "energy_error_variance_in_width",
        "in eps": "energy_error_variance_in_step_size",
    }
    rows = table(["activation", "widths", *names])
    for line in found:
        exponents = [line["exponents"][name] for name in names.values()]
        cells = [f"{e['slope']:.2f} ± {e['stderr']:.2f}" for e in exponents]
        rows.append(row([line["activation"], f"{line['widths'][0]} to {line['widths'][-1]}", *cells]))
    return rows


def peers_table(found: list[Line]) -> list[str]:
    """Thousands of chain gradients a second."""
    names = ("float32", "bfloat16", *PEERS)
    rows = table(["network", "cores", *names, "over the fastest peer"])
    for line in found:
        rates = [f"{line['chain_gradients_per_s'][name] / 1000:.0f}" for name in names]
        gain = ", ".join(f"{line['speedup'][name]:.1f}" for name in ("float32", "bfloat16"))
        rows.append(row([network(line), str(line["cores"] or "not pinned"), *rates, gain]))
    return rows


def ess_table(found: list[Line]) -> list[str]:
    """Effective draws per second, and what was measured with them."""
    rows = table(["network", "sampler", "energy, draws/s", "overlap, draws/s", "&lt;e>", "&lt;q>"])
    for line in found:
        for name, sampler in line["samplers"].items():
            rates = [f"{sampler[key]:.0f}" for key in ("energy_ess_per_s", "overlap_ess_per_s")]
            means = [
                f"{sampler[key][0]:.{digits}f} ± {sampler[key][1]:.{digits}f}"
                for key, digits in (("energy_density", 5), ("mean_overlap", 4))
            ]
            rows.append(row([f"{network(line)}, beta = {line['beta']:g}", name, *rates, *means]))
    return rows


def settings_table(found: list[Line]) -> list[str]:
    """How each sampler moved."""
    rows = table(["network", "sampler", "temperatures", "leapfrog steps", "step size, coldest"])
    for line in found:
        for name, sampler in line["samplers"].items():
            steps, sizes = sampler["n_leapfrog"], sampler["step_size"]
            if isinstance(steps, list):
                steps = steps[0] if len(set(steps)) == 1 else f"{min(steps)} to {max(steps)}"
            size = f"{sizes[-1] if isinstance(sizes, list) else sizes:.2f}"
            rows.append(row([network(line), name, str(len(sampler["betas"])), str(steps), size]))
    return rows


def ratios_table(found: list[Line]) -> list[str]:
    """Energy, overlap: tuned over default; replica exchange, and the coldest temperature alone, over the peers."""
    header = ["network", "sampler", "over", "with its best trajectories", "with those of our default"]
    rows = table(header)
    for line in found:
        samplers = line["samplers"]

        def ratio(of: str, to: str, samplers: Line = samplers) -> str:
            if to not in samplers:
                return "not measured"
            keys = ("energy_ess_per_s", "overlap_ess_per_s")
            return ", ".join(f"{samplers[of][key] / samplers[to][key]:.1f}" for key in keys)

        for of, to in (
            ("tuned_low_precision", "tfp_replica_exchange"),
            *(("tuned_alone_low_precision", name) for name in ("blackjax", "numpyro", "tfp_hmc", "emcee")),
        ):
            if to in samplers:
                rows.append(row([network(line), of, to, ratio(of, to), ratio(of, f"{to}_default")]))
        rows += [
            row([network(line), of, "default", "", ratio(of, "default")]) for of in ("tuned", "tuned_low_precision")
        ]
    return rows


def ladders_table(found: list[Line]) -> list[str]:
    """What the number of temperatures does."""
    rows = table(
        ["temperatures", "rejection", "foretold", "round trips/s", "energy, draws/s", "overlap, draws/s", "chosen"]
    )
    for line in found:
        foretold = "" if line["rejection_foretold"] is None else f"{line['rejection_foretold']:.3f}"
        rates = [f"{line[key]:.0f}" for key in ("round_trips_per_s", "energy_ess_per_s", "overlap_ess_per_s")]
        chosen = "yes" if line["is_chosen"] else ""
        rows.append(row([str(line["temperatures"]), f"{line['rejection']:.3f}", foretold, *rates, chosen]))
    return rows


def ceiling_table(found: list[Line]) -> list[str]:
    """Peaks of one core, and what torch's own product reaches, in GFLOP/s."""
    names = ("avx512", "avx2", "torch_matmul")
    rows = table(list(names))
    for line in found:
        rows.append(row([f"{line['flops_per_s'][name]['median'] / 1e9:.0f}" for name in names]))
    return rows


def network(line: Line) -> str:
    return f"{line['activation']}, L = {line['depth']}, N = {line['n_inputs']}"


def spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return ", ".join(f"{value:.2f}" for value in (ordered[0], statistics.median(ordered), ordered[-1]))


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(header: list[str]) -> list[str]:
    return [row(header), f"|{'---|' * len(header)}"]


if __name__ == "__main__":
    main()
