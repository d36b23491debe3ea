"""`mlp-gibbs health`: is the run in equilibrium, with reasons for each temperature and network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.analysis.equilibration import Equilibration


def health(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    as_json: JsonOption = False,
) -> None:
    """Identity A, drift, R-hat, effective sizes and round trips; networks that fail are listed."""
    from mcmc.analysis.equilibration import equilibration
    from mcmc.io.reader import read_run

    found = equilibration(read_run(directory))
    if as_json:
        print_json(found.to_json())
        return
    if found.cells:
        _print_temperatures(found)
    typer.echo("\n".join(found.reasons))
    for missing in found.not_recorded:
        typer.echo(f"not checked: {missing}")
    for record in found.hard_networks():
        failed = "; ".join(
            f"{check} (beta = {', '.join(f'{beta:.3g}' for beta in betas)})"
            for check, betas in record["failed"].items()
        )
        typer.echo(f"hard: network {record['network']}: {failed}")
    typer.echo(f"equilibrated: {found.verdict}")


def _print_temperatures(found: "Equilibration") -> None:
    """The worst network at each temperature."""
    columns = {"ess_energy": "min", "tau_energy": "max", "ess_overlap": "min", "tau_overlap": "max", "r_hat": "max"}
    columns = {name: worst for name, worst in columns.items() if name in found.cells}
    rows = [
        [f"{beta:.4f}", *(f"{getattr(found.cells[name][:, k], worst)():.4g}" for name, worst in columns.items())]
        for k, beta in enumerate(found.beta)
    ]
    print_table(["beta", *(f"{worst} {name}" for name, worst in columns.items())], rows)
