"""`mlp-gibbs phase`: where replica symmetry breaks, and into what, over one or two parameters of the model."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.model_options import (
    ActivationOption,
    ActivationParamOption,
    DepthOption,
    SigmaBOption,
    SigmaWOption,
    WidthRatioOption,
    one_or_all,
    parse_assignments,
)
from mcmc.cli.output import JsonOption, print_json, print_table
from mcmc.interrupt import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from mcmc.diagram.driver import Diagram


def phase(
    scan: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=VALUES",
            help="beta=0.5:8:16 (from:to:how many) or width_ratio=1,8,inf; once or twice. Keys: beta, sigma_w, "
            "sigma_b, width_ratio, depth, parameters of the activation.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory of the diagram; the same one resumes.")],
    activation: ActivationOption = "sin",
    depth: DepthOption = 1,
    width_ratio: WidthRatioOption = None,
    sigma_w: SigmaWOption = None,
    sigma_b: SigmaBOption = None,
    activation_param: ActivationParamOption = None,
    beta: Annotated[float | None, typer.Option(help="Inverse temperature, if beta is not scanned.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. [all cores]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Phase diagram: RS, 1RSB, full RSB regions with AT, static and dynamic lines; HDF5 and a figure.

    Exit status: 0 complete, 75 stopped by a signal (the same command resumes), 2 wrong usage, 1 any other failure.
    """
    from mcmc.diagram.axes import parse_axis

    axes = tuple(parse_axis(text, activation) for text in scan)
    given = {"depth": depth != 1, "width_ratio": width_ratio, "sigma_w": sigma_w, "sigma_b": sigma_b}
    parameters = parse_assignments("--activation-param", activation_param)
    _refuse_both({axis.key for axis in axes}, {*(key for key, value in given.items() if value), *parameters})

    from mcmc.diagram.driver import Interrupted, compute
    from mcmc.diagram.request import DiagramRequest, ModelOptions

    model = ModelOptions(
        activation,
        depth,
        _per_layer(width_ratio, 1.0),
        _per_layer(sigma_w, 1.0),
        _per_layer(sigma_b, 0.0),
        parameters,
    )
    request = DiagramRequest(model, axes, beta)
    try:
        diagram = compute(request, out, n_workers=workers)
    except Interrupted as stop:
        typer.echo(f"stopped by {stop.name}; finished items are saved. The same command resumes.", err=True)
        if as_json:
            print_json({"directory": str(out), "is_complete": False, "signal_name": stop.name})
        raise typer.Exit(EXIT_INTERRUPTED) from None

    from mcmc.plots.phase_diagram import phase_figure
    from mcmc.plots.style import save

    figure = save(phase_figure(diagram), out / "diagram.png")
    content = {"directory": str(out), "is_complete": True, "figure": str(figure), **summary(diagram)}
    if as_json:
        print_json(content)
    else:
        _print(content)


def summary(diagram: "Diagram") -> dict[str, Any]:
    """Counts of phases, every line, and the points that were not solved, in plain types."""
    points = [(result.item.coordinates, point) for result in diagram.results for point in result.points]
    seconds = sum(point.seconds for _, point in points)
    return {
        "n_points": len(points),
        "n_items": len(diagram.results),
        "n_items_resumed": diagram.n_resumed,
        "phases": dict(Counter(point.label for _, point in points)),
        "core_seconds": seconds,
        "points_per_core_second": len(points) / seconds if seconds else None,
        "lines": [{**result.item.coordinates, **vars(line)} for result in diagram.results for line in result.lines],
        "not_solved": [
            {**coordinates, "beta": point.beta, "error": point.error} for coordinates, point in points if point.error
        ],
    }


def _per_layer(values: list[float] | None, default: float) -> float | tuple[float, ...]:
    chosen = one_or_all(values, default)
    return tuple(chosen) if isinstance(chosen, list) else chosen


def _refuse_both(scanned: set[str], given: set[str]) -> None:
    from mcmc.errors import UsageError

    both = sorted(scanned & given)
    if both:
        raise UsageError(f"scanned and given too: {', '.join(both)}. Leave out one of the two.")


def _print(content: dict[str, Any]) -> None:
    phases = ", ".join(f"{name} {n}" for name, n in sorted(content["phases"].items()))
    typer.echo(f"{content['n_points']} points in {content['n_items']} items ({content['n_items_resumed']} resumed)")
    typer.echo(f"phases: {phases}")
    if content["lines"]:
        keys = [key for key in content["lines"][0] if key not in ("kind", "beta", "beta_error", "searched_to", "note")]
        rows = [
            [*(f"{line[key]:g}" for key in keys), line["kind"], _beta(line), line["note"].split("\n")[0][:80]]
            for line in content["lines"]
        ]
        print_table([*keys, "line", "beta", ""], rows)
    for point in content["not_solved"]:
        where = ", ".join(f"{key}={value:g}" for key, value in point.items() if key != "error")
        typer.echo(f"not solved at {where}: {point['error']}")
    typer.echo(content["figure"])


def _beta(line: dict[str, Any]) -> str:
    return "" if line["note"] else f"{line['beta']:.8g} +- {line['beta_error']:.1g}"
