"""`mlp-gibbs run`: start or resume a run, or tell what it would cost."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json


def run(
    config: Annotated[Path, typer.Argument(help="Configuration file (TOML); docs/run_file.md explains its keys.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; the same one resumes. [results/<name of CONFIG>]")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in run.seed=7.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:INDEX; overrides run.device.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print shapes, memory, FLOPs and estimated time; write nothing.")
    ] = False,
    until_error: Annotated[
        list[str] | None,
        typer.Option(
            "--until-error",
            metavar="NAME=ERROR",
            help="Stop once the error of e, q or q1, q2, ... at the coldest beta is this small: e=0.002,q=0.01.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run chains from a configuration; the same command on the same directory resumes.

    Exit status: 0 complete, 75 stopped by a signal with a checkpoint written, 2 wrong usage, 1 any other failure.
    """
    from mcmc.config import load_config

    changes = [*(assignments or []), *([f"run.device={device}"] if device else [])]
    settings = load_config(config, changes)
    directory = out or Path(settings.output.directory or Path("results") / config.stem)
    targets = None
    if until_error:
        from mcmc.analysis.until_error import ErrorTargets

        targets = ErrorTargets(until_error, settings)
    if dry_run:
        from mcmc.run.plan import plan

        facts = plan(settings)
        print_json(facts.to_json()) if as_json else typer.echo(facts.text())
        return
    from mcmc.run.driver import run as drive

    outcome = drive(settings, directory, is_quiet=as_json, until=targets)
    if as_json:
        from mcmc.analysis.health import run_health

        report = run_health(directory)["trajectories"]
        print_json({**vars(outcome), "exit_code": outcome.exit_code, "trajectories": report})
    elif outcome.is_complete:
        if outcome.reason is not None:
            typer.echo(outcome.reason)
        typer.echo(
            f"complete: {outcome.directory} ({outcome.seconds:.1f} s). Next: mlp-gibbs compare {outcome.directory}"
        )
    else:
        typer.echo(
            f"stopped by {outcome.signal_name} at sweep {outcome.sweep} of {outcome.n_total}; checkpoint written. "
            "The same command resumes."
        )
    raise typer.Exit(outcome.exit_code)
