"""`mlp-gibbs study report`: limits N_0 -> infinity beside theory, as numbers and as one HTML page."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcmc.cli.output import JsonOption, check_archive_name, print_json, print_table, write_archive
from mcmc.cli.study_status import default_directory

if TYPE_CHECKING:
    from mcmc.study.directory import StudyDirectory
    from mcmc.study.results import StudyResults

SHOWN = ("energy_density", "overlap_")  # in the table; the page and --json have all


def report(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Study file, or the directory of the study.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of the study, with a study file. [results/<name>]")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Where to write the page. [DIR/report.html]")] = None,
    ansatz: Annotated[str, typer.Option(help="rs, 1rsb, full, or auto: the phase of every temperature.")] = "auto",
    is_partial: Annotated[bool, typer.Option("--partial", help="Go on without the items that are missing.")] = False,
    free_energy: Annotated[
        bool, typer.Option(help="Measure free entropies and entropies, which takes the longest.")
    ] = True,
    collapse: Annotated[
        str | None, typer.Option(metavar="OBSERVABLE", help="Scale its sizes onto one curve about a transition.")
    ] = None,
    beta_c: Annotated[float | None, typer.Option(help="Where the transition is, about; with --collapse.")] = None,
    resamples: Annotated[
        Path | None, typer.Option(help="Write the raw bootstrap resamples of the limits to this .npz file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Extrapolated energy, overlaps and P(q) with errors, equilibrium of every cell, figures: a self-contained page."""
    from mcmc.errors import UsageError
    from mcmc.report.page import write_page
    from mcmc.study.results import scale, study_results
    from mcmc.theory.ansatz import check_ansatz

    check_ansatz(ansatz, None)
    check_archive_name(resamples)
    if (collapse is None) != (beta_c is None):
        raise UsageError("--collapse and --beta-c go together: the observable, and where its sizes cross.")
    directory = _directory(study, out)
    results = study_results(directory, ansatz=ansatz, is_partial=is_partial, free_energy=free_energy)
    if collapse is not None and beta_c is not None:
        found = [scale(one, collapse, beta_c) for one in results.combinations]
        results = replace(results, combinations=found)
    options = ["--partial"] * is_partial + ["--no-free-energy"] * (not free_energy)
    options += ["--ansatz", ansatz] if ansatz != "auto" else []
    options += ["--collapse", collapse, "--beta-c", f"{beta_c}"] if collapse is not None else []
    command = " ".join(["mlp-gibbs study report", str(directory.path), *options])
    written = write_page(results, page or directory.path / "report.html", command=command)
    if resamples is not None:
        write_archive(resamples, results.resamples())
    if as_json:
        print_json({**results.to_json(), "page": str(written)})
        return
    _print(results)
    typer.echo(f"page: {written}")


def _directory(study: Path, out: Path | None) -> "StudyDirectory":
    from mcmc.errors import UsageError
    from mcmc.study.config import load_study
    from mcmc.study.directory import StudyDirectory

    if study.is_dir():
        if out is not None:
            raise UsageError(f"{study} is a directory already: give --out with a study file only.")
        return StudyDirectory(study)
    settings = load_study(study)
    directory = StudyDirectory(out or default_directory(settings.name))
    directory.check(settings)
    return directory


def _print(results: "StudyResults") -> None:
    for found in results.combinations:
        typer.echo(", ".join(f"{key} = {value}" for key, value in found.settings.items()) or "base configuration")
        rows = []
        for limit in found.limits:
            if limit.observable != SHOWN[0] and limit.observable.rstrip("0123456789") != SHOWN[1]:
                continue
            record = limit.to_json()
            number = {key: "" if record[key] is None else f"{record[key]:+.5f}" for key in ("value", "predicted")}
            n_sigma = "" if record["n_sigma"] is None else f"{record['n_sigma']:+.1f}"
            exponent, n_points = f"{record['exponent']:.2f}", str(record["n_points"])
            place = [limit.observable, f"{limit.beta:.4f}"]
            error = f"{record['stderr']:.5f}"
            rows.append([*place, number["value"], error, number["predicted"], n_sigma, exponent, n_points])
        print_table(["observable", "beta", "limit", "stderr", "predicted", "n_sigma", "w", "sizes"], rows)
        for reason in found.refused:
            typer.echo(f"no limit: {reason}")
        if found.scaling is not None:
            typer.echo(f"collapse of {found.scaling.observable}: {found.scaling.collapse.text()}")
        typer.echo("")
    hard = sum(len(cell.equilibrium.hard_networks()) for cell in results.cells)
    n_networks = sum(len(cell.networks) for cell in results.cells)
    typer.echo(f"equilibrated: {results.equilibrated} ({hard} of {n_networks} networks are hard; none is left out)")
    if results.missing:
        typer.echo(f"missing: {len(results.missing)} items")
