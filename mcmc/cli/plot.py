"""`mlp-gibbs plot`: the figures of a run that need no theory."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json


def plot(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the figures. [DIR/figures]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Energy against temperature, P(q) as a waterfall, swap and round-trip diagnostics."""
    from mcmc.io.reader import read_run
    from mcmc.plots.diagnostics import diagnostics_figure
    from mcmc.plots.energy import energy_figure
    from mcmc.plots.style import save
    from mcmc.plots.waterfall import waterfall_figure

    data = read_run(directory)
    folder = out or directory / "figures"
    figures = {"energy": energy_figure, "diagnostics": diagnostics_figure}
    if data.config.output.overlaps:
        figures["overlap"] = waterfall_figure
    paths = [save(draw(data), folder / f"{name}.png") for name, draw in figures.items()]
    if as_json:
        print_json({"figures": [str(path) for path in paths]})
    else:
        typer.echo("\n".join(str(path) for path in paths))
