"""`mlp-gibbs export`: a run as netCDF for ArviZ and xarray, or as CSV."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json


def export(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    to: Annotated[Path, typer.Option("--to", help="FILE.nc for netCDF, or a folder for CSV.")],
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Series, histograms, estimates and their bootstrap resamples, with configuration, versions and seeds."""
    from mcmc.analysis.export import export as write
    from mcmc.io.reader import read_run

    files = write(read_run(directory), to, is_forced=force)
    if as_json:
        print_json({"files": [str(file) for file in files]})
    else:
        typer.echo("\n".join(str(file) for file in files))
