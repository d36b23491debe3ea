"""`mlp-gibbs fsck`: what is intact in a directory, what is lost, and what to do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcmc.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from mcmc.fsck.report import Report


def fsck(
    directory: Annotated[Path, typer.Argument(help="Directory of a run, a phase diagram or a study.")],
    is_repair: Annotated[
        bool,
        typer.Option("--repair", help="Move damaged files aside (nothing is deleted), so that the command resumes."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every byte of a directory against its checksums.

    Exit status: 0 nothing is damaged or missing, 1 something is, 2 wrong usage.
    """
    from mcmc.fsck.check import examine, repair

    report = repair(directory) if is_repair else examine(directory)
    if as_json:
        print_json(report.to_json())
    else:
        _print(report)
    raise typer.Exit(report.exit_code)


def _print(report: "Report") -> None:
    typer.echo(f"{report.directory}: {report.kind}, {report.verdict}")
    for finding in report.findings:
        typer.echo(f"  {finding.state:<9}{finding.path}" + (f"  ({finding.detail})" if finding.detail else ""))
    for name, place in report.moved.items():
        typer.echo(f"  moved    {name} -> {place}")
    for sentence in report.advice:
        typer.echo(f"  {sentence}")
    for child in report.children:
        _print(child)
