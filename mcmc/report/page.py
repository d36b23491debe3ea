"""One self-contained HTML page about a study: nothing is loaded from elsewhere, and no text of it is ever markup."""

import base64
import hashlib
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from mcmc._version import __version__
from mcmc.analysis.bootstrap import SEED
from mcmc.io.atomic import write_bytes_atomically
from mcmc.plots.study import collapse_figure, entropy_figure, laws_figure, limit_figure, temperature_figure
from mcmc.study.cell import CellResult
from mcmc.study.results import CombinationResult, Limit, StudyResults

PACKAGES = ("torch", "numpy", "scipy", "h5py", "matplotlib")
FAR = 3.0  # errors from the prediction that are marked


@dataclass(frozen=True)
class Picture:
    """A figure with its words."""

    source: str
    caption: str


def write_page(results: StudyResults, path: Path, *, command: str) -> Path:
    """Write the page, whole or not at all.

    Args:
        command: that made it, as printed on it.
    Raises:
        StorageError: it cannot be written there.
    """
    write_bytes_atomically(path, render(results, command=command).encode())
    return path


def render(results: StudyResults, *, command: str) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("mcmc.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["decimal"] = _decimal
    script = environment.get_template("sort.js").render()
    return environment.get_template("study.html").render(
        script=script,
        # only the script of the page itself may run, whatever a name holds
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=environment.get_template("style.css").render(),
        study=results.study,
        base=_pretty(results.study.base),
        missing=results.missing,
        verdict=results.equilibrated,
        n_networks=sum(len(cell.networks) for cell in results.cells),
        sections=[_section(found) for found in results.combinations],
        cells=[_cell_row(cell) for cell in results.cells],
        troubles=[_trouble(cell) for cell in results.cells if cell.equilibrium.verdict != "yes"],
        versions={"mlp-gibbs": __version__, "python": sys.version.split()[0], **{p: version(p) for p in PACKAGES}},
        machines=_machines(results),
        bootstrap_seed=SEED,
        command=command,
    )


def _section(found: CombinationResult) -> dict[str, Any]:
    model = found.cells[-1].cell.config.model
    return {
        "title": ", ".join(f"{key} = {_plain(value)}" for key, value in found.settings.items()) or "base configuration",
        "model": f"{model.activation}, L = {model.depth}, width ratios {_plain(model.width_ratios)}, "
        f"sigma_w = {_plain(model.sigma_w)}, sigma_b = {_plain(model.sigma_b)}",
        "phases": ", ".join(dict.fromkeys(prediction.phase for prediction in found.predictions)),
        "pictures": _pictures(found, model.depth),
        "limits": [_limit_row(limit) for limit in found.limits],
        "measured": _measured_rows(found),
        "refused": found.refused,
        "notes": [f"N_0 = {cell.n_inputs}: {note}" for cell in found.cells for note in cell.notes],
    }


def _pictures(found: CombinationResult, depth: int) -> list[Picture]:
    overlaps = list(dict.fromkeys(f"overlap_{layer}" for layer in (0, depth)))
    wanted: list[tuple[Callable[[], Figure], list[str], str]] = [
        (
            lambda: temperature_figure(found, ["energy_density", *overlaps]),
            ["energy_density", *overlaps],
            "Energy density and overlaps against inverse temperature: sizes (lines), limit (open symbols), theory "
            "(black); below, limit minus theory.",
        )
    ]
    for name in ("energy_density", *overlaps):
        wanted.append(
            (
                partial(limit_figure, found, name),
                [name],
                f"{name} against 1/N_0 with the heaviest fit a + b/N_0^w; open square: the limit averaged over fits; "
                "black arrow and dotted line: theory; grey: sizes left out.",
            )
        )
    wanted.append(
        (
            lambda: laws_figure(found),
            ["overlap_0"],
            "P(q^0) by size, with errors over networks; stems: levels of the "
            "theory for infinite size, as high as their weight.",
        )
    )
    wanted.append(
        (
            lambda: entropy_figure(found),
            ["entropy_density"],
            "Entropy against energy density, each from the free energies of its size, on the curve of the theory.",
        )
    )
    wanted.append(
        (
            lambda: limit_figure(found, "overlap_disorder_0"),
            ["overlap_disorder_0"],
            "Variance over networks of a network's mean overlap, from halves of its run that share no noise: 0 in the "
            "limit where q averages itself, a third of the spread of the levels where replica symmetry is broken.",
        )
    )
    pictures = [
        _picture(draw(), caption) for draw, needs, caption in wanted if all(found.select(name) for name in needs)
    ]
    if found.scaling is not None:
        caption = f"Collapse of {found.scaling.observable}, y = N_0^-b f((beta - beta_c) N_0^a): "
        pictures.append(_picture(collapse_figure(found.scaling), caption + found.scaling.collapse.text()))
    return pictures


def _picture(figure: Figure, caption: str) -> Picture:
    buffer = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "mlp-gibbs", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return Picture("data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode(), caption)


def _limit_row(limit: Limit) -> dict[str, Any]:
    found, n_sigma = limit.extrapolation, limit.to_json()["n_sigma"]
    less, best = found.without_smallest, found.fits[0]
    error = "" if best.exponent_stderr is None else f" ± {best.exponent_stderr:.2f}"
    return {
        "beta": limit.beta,
        "observable": limit.observable,
        "value": found.value,
        "stderr": found.stderr,
        "predicted": limit.predicted,
        "ansatz": limit.ansatz,
        "n_sigma": n_sigma,
        "is_far": n_sigma is not None and abs(n_sigma) > FAR,
        "exponent": found.exponent,
        "exponent_text": f"{found.exponent:.2f}{error} ({best.weight:.0%})",
        "p_value": found.p_value,
        "without": None if less is None else less.value,
        "without_stderr": None if less is None else less.stderr,
        "n_points": len(found.sizes),
        "dropped": ", ".join(map(str, found.dropped)),
    }


def _measured_rows(found: CombinationResult) -> list[dict[str, Any]]:
    """Every size at every temperature."""
    return [
        {
            "n_inputs": cell.n_inputs,
            "beta": float(beta),
            "observable": name,
            "value": float(resampled.value[k]),
            "stderr": float(resampled.stderr[k]),
            "n_networks": resampled.n_networks,
            "gain": float(cell.gain[name][k]) if name in cell.gain else None,
        }
        for cell in found.cells
        for name, resampled in cell.observables.items()
        for k, beta in enumerate(cell.beta)
    ]


def _cell_row(cell: CellResult) -> dict[str, Any]:
    found, config = cell.equilibrium, cell.cell.config
    return {
        "name": cell.cell.name,
        "n_inputs": cell.n_inputs,
        "n_networks": len(cell.networks),
        "networks": f"{cell.networks.min()} to {cell.networks.max()}",
        "n_draws": cell.n_draws,
        "n_burn_in": config.run.n_burn_in,
        "seed": config.run.seed,
        "n_items": len(cell.items),
        "n_missing": cell.n_missing,
        "verdict": found.verdict,
        "n_hard": len(found.hard_networks()),
        "config": _pretty(config.model_dump(mode="json")),
    }


def _trouble(cell: CellResult) -> dict[str, Any]:
    found = cell.equilibrium
    return {
        "name": cell.cell.name,
        "verdict": found.verdict,
        "reasons": found.reasons,
        "hard": [
            {
                "network": record["network"],
                "failed": "; ".join(
                    f"{check} (beta = {', '.join(f'{beta:.3g}' for beta in betas)})"
                    for check, betas in record["failed"].items()
                ),
            }
            for record in found.hard_networks()
        ],
    }


def _machines(results: StudyResults) -> list[str]:
    """What the runs say of where they ran, each different answer once."""
    kept = ("version", "commit", "device", "cpu", "gpu", "torch", "exchange_backend")
    facts = ({key: cell.facts[key] for key in kept if cell.facts.get(key)} for cell in results.cells)
    return list(dict.fromkeys(", ".join(f"{key}: {_plain(value)}" for key, value in fact.items()) for fact in facts))


def _decimal(value: float | None, digits: int, sign: str) -> str:
    """Empty for None; no minus before a zero."""
    return "" if value is None else format(value, f"{sign}z.{digits}f")


def _plain(value: Any) -> str:
    return ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else f"{value}"


def _pretty(content: Any) -> str:
    return json.dumps(content, indent=1)
