"""`mlp-gibbs function-space figures`: the figures of the letter with measured points."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mcmc.cli.function_space_options import InputsOption, NetworksOption, SeedOption, WidthOption
from mcmc.cli.output import JsonOption, print_json, print_table


def figures(
    out: Annotated[Path, typer.Option("--out", help="Folder of the figures.")],
    width: WidthOption = 1001,
    majority_width: Annotated[int, typer.Option(help="Units of a layer of majority gates.")] = 100_001,
    networks: NetworksOption = 8,
    inputs: InputsOption = 64,
    learning: Annotated[
        list[Path] | None, typer.Option(help="Documents of gibbs --json, to draw too; repeat for several widths.")
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Figures 2(a) to 2(f) of the letter with measured points, overlaps by layer, and all z-scores."""
    from mcmc.compare.function_space import SimulationSize
    from mcmc.compare.function_space_points import measure_points
    from mcmc.plots.function_space import figure_two, learning_figure, overlap_figure
    from mcmc.plots.style import save

    documents = [_read_document(path) for path in learning or []]
    points = measure_points(width=width, majority_width=majority_width, size=SimulationSize(networks, inputs, seed))
    saved = [
        save(figure_two(points), out / "function_space.png"),
        save(overlap_figure(points), out / "function_space_overlaps.png"),
    ]
    if documents:
        saved.append(save(learning_figure(documents), out / "function_space_learning.png"))
    scores = points.z_scores()
    largest = {panel: max(map(abs, values), default=0.0) for panel, values in scores.items()}
    if as_json:
        print_json({"figures": [str(path) for path in saved], "z": scores, "largest_z": largest})
        return
    rows = [[panel, str(len(values)), f"{largest[panel]:.2f}"] for panel, values in scores.items()]
    print_table(["panel", "points", "largest |z|"], rows)


def _read_document(path: Path) -> dict[str, Any]:
    """A document of `gibbs --json`.

    Raises:
        UsageError: no such file, or not such a document.
    """
    import json

    from mcmc.errors import UsageError

    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = document["width"], document["points"][0]["theory_error"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"--learning {path}: expected a document of `function-space gibbs --json`, found none ({error})."
        ) from error
    return document
