"""`mlp-gibbs study`: many runs as one piece of work. The sub-commands, gathered."""

import typer

from mcmc.cli.study_plan import plan
from mcmc.cli.study_report import report
from mcmc.cli.study_run import run
from mcmc.cli.study_status import status

app = typer.Typer(
    help="Many networks at many sizes and settings: planned, run on an engine that scales out, and joined.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for command in (plan, run, status, report):
    app.command()(command)
