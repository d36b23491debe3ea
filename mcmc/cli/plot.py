"""`mlp-gibbs plot`: the figures of a run that need no theory, or a phase diagram again from its files."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json


def plot(
    directory: Annotated[Path, typer.Argument(help="Run directory, or that of a phase diagram or its diagram.h5.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the figures. [DIR/figures]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Energy against temperature, P(q) as a waterfall, swap and round-trip diagnostics; or a phase diagram."""
    if directory.suffix == ".h5" or (directory / "diagram.json").exists():
        _tell([_plot_diagram(directory, out)], as_json)
    else:
        _tell(_plot_run(directory, out), as_json)


def _plot_run(directory: Path, out: Path | None) -> list[Path]:
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
    return [save(draw(data), folder / f"{name}.png") for name, draw in figures.items()]


def _plot_diagram(path: Path, out: Path | None) -> Path:
    from mcmc.diagram.directory import DiagramDirectory, read_result
    from mcmc.diagram.driver import Diagram, read_diagram
    from mcmc.plots.phase_diagram import phase_figure
    from mcmc.plots.style import save

    diagram = Diagram(*read_result(path)) if path.suffix == ".h5" else read_diagram(DiagramDirectory(path))
    folder = out or (path.parent if path.suffix == ".h5" else path)
    return save(phase_figure(diagram), folder / "diagram.png")


def _tell(paths: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"figures": [str(path) for path in paths]})
    else:
        typer.echo("\n".join(str(path) for path in paths))
