"""`mlp-gibbs layers`: the commands, gathered."""

import typer

from mcmc.cli.layers.covariance import covariance
from mcmc.cli.layers.critical import critical
from mcmc.cli.layers.figures import figures
from mcmc.cli.layers.sample import sample
from mcmc.cli.layers.spectrum import spectrum

layers = typer.Typer(
    help="Lattice field theory of a random network: its layers as a chain, in theory and by sampling.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (covariance, spectrum, critical, sample, figures):
    layers.command()(command)
