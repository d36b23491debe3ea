"""`mlp-gibbs study status`: which items of a study are done; works while it runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json, print_table

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="Study file; docs/studies.md explains it.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Directory of the study. [results/<name of the study>]")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the study or of its base, as in study.n_networks=16 or run.n_sweeps=500.",
    ),
]


def status(
    study: StudyArgument, out: OutOption = None, assignments: SetOption = None, as_json: JsonOption = False
) -> None:
    """Finished, started and missing items, cell by cell.

    Exit status: 0 complete, 1 items are missing (or any other failure), 2 wrong usage.
    """
    from mcmc.study.config import load_study
    from mcmc.study.directory import StudyDirectory
    from mcmc.study.progress import study_progress

    settings = load_study(study, assignments)
    progress = study_progress(settings, StudyDirectory(out or default_directory(settings.name)))
    print_json(progress) if as_json else _print(progress)
    raise typer.Exit(0 if progress["is_complete"] else 1)


def default_directory(name: str) -> Path:
    """Where a study goes without --out."""
    return Path("results") / name


def _print(progress: dict[str, Any]) -> None:
    rows = [
        [cell["cell"], *(str(cell[key]) for key in ("n_items", "completed", "started")), f"{cell['fraction']:.0%}"]
        for cell in progress["cells"]
    ]
    print_table(["cell", "items", "completed", "started", "results files"], rows)
    typer.echo(f"{progress['directory']}: {progress['n_completed']} of {progress['n_items']} items are complete")
    if progress["missing"]:
        typer.echo(f"missing: {', '.join(progress['missing'][:5])}{' ...' if len(progress['missing']) > 5 else ''}")
        typer.echo("`mlp-gibbs study run` with the same arguments goes on.")
