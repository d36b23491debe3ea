"""`mlp-gibbs study plan`: cost and expected error of a study, from a short pilot."""

import os
from typing import Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json, print_table
from mcmc.cli.study_status import SetOption, StudyArgument


def plan(
    study: StudyArgument,
    assignments: SetOption = None,
    pilot_seconds: Annotated[float, typer.Option(help="Of the pilot, all cells together.")] = 60.0,
    target_error: Annotated[
        str | None,
        typer.Option(metavar="NAME=ERROR", help="Allot more networks where this needs them, as in e=0.002. Or q=...."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Items at a time. [cores]")] = None,
    device: Annotated[str, typer.Option(help="Of the pilot: cpu (one thread, as a worker has) or cuda.")] = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Hours, memory, disk and expected errors; nothing is written.

    Errors are those of plain averages over networks, the largest over temperatures, and known to about 20 %.
    """
    from mcmc.errors import UsageError
    from mcmc.study.config import load_study

    settings = load_study(study, assignments)
    n_workers = os.cpu_count() or 1 if workers is None else workers
    if n_workers < 1:
        raise UsageError(f"--workers: expected at least 1, found {n_workers}.")

    from mcmc.study.plan import allot_networks, plan_json, plan_study

    plans = plan_study(settings, pilot_s=pilot_seconds, device=device)
    content = plan_json(plans, n_workers)
    if target_error is not None:
        content["target_error"] = target_error
        content["n_networks"] = allot_networks(settings, plans, target_error)
    print_json(content) if as_json else _print(content)


def _print(content: dict[str, Any]) -> None:
    names = list(content["cells"][0]["stderr"])
    rows = [
        [
            cell["cell"],
            str(cell["n_networks"]),
            str(cell["n_items"]),
            f"{cell['hours']:.2g}",
            f"{cell['memory_bytes'] / 2**30:.2f}",
            f"{cell['disk_bytes'] / 2**20:.0f}",
            *(f"{cell['stderr'][name]:.2g}" for name in names),
        ]
        for cell in content["cells"]
    ]
    errors = [f"error of {name}" for name in names]
    print_table(["cell", "networks", "items", "hours", "GiB of an item", "MiB of disk", *errors], rows)
    typer.echo(
        f"{content['worker_hours']:.2g} hours of a core or GPU: {content['wall_hours']:.2g} h on "
        f"{content['n_workers']} workers, with {content['memory_bytes'] / 2**30:.1f} GiB of memory and "
        f"{content['disk_bytes'] / 2**30:.2f} GiB of disk"
    )
    if "n_networks" in content:
        typer.echo(f'for {content["target_error"]}: --set "study.n_networks={content["n_networks"]}"')
