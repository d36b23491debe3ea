"""The sub-commands, gathered."""

from typing import Annotated

import typer

from mcmc._version import __version__
from mcmc.cli.compare import compare
from mcmc.cli.estimate import estimate
from mcmc.cli.export import export
from mcmc.cli.field import field
from mcmc.cli.flow import flow
from mcmc.cli.free_energy import free_energy
from mcmc.cli.fsck import fsck
from mcmc.cli.function_space import function_space
from mcmc.cli.health import health
from mcmc.cli.layers.app import layers
from mcmc.cli.overlap import overlap
from mcmc.cli.phase import phase
from mcmc.cli.plot import plot
from mcmc.cli.run import run
from mcmc.cli.status import status
from mcmc.cli.study import app as study_app
from mcmc.cli.theory import theory
from mcmc.cli.tune import tune
from mcmc.cli.verify import verify

app = typer.Typer(
    name="mlp-gibbs",
    help="Monte Carlo of the Gibbs measure exp(-beta H(x)) over the inputs x of a random neural network, and its "
    "replica theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"mlp-gibbs {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of the command itself."""


for command in (
    run,
    tune,
    status,
    fsck,
    health,
    theory,
    field,
    flow,
    phase,
    compare,
    overlap,
    estimate,
    export,
    free_energy,
    plot,
    verify,
):
    app.command()(command)
app.add_typer(study_app, name="study")
app.add_typer(function_space, name="function-space")
app.add_typer(layers, name="layers")
