"""`mlp-gibbs study run`: run what is missing of a study, on this machine or through Slurm."""

import os
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json
from mcmc.cli.study_status import OutOption, SetOption, StudyArgument, default_directory


def run(
    study: StudyArgument,
    out: OutOption = None,
    assignments: SetOption = None,
    engine: Annotated[str, typer.Option(help="local, or slurm.")] = "local",
    workers: Annotated[
        int | None, typer.Option(help="local: items at a time, one thread each. [cores; GPUs with --gpus]")
    ] = None,
    gpus: Annotated[int, typer.Option(help="local: GPUs, one item at a time on each.")] = 0,
    partition: Annotated[str | None, typer.Option(help="slurm: partition.")] = None,
    account: Annotated[str | None, typer.Option(help="slurm: account.")] = None,
    walltime: Annotated[
        str, typer.Option(metavar="[HH:]MM:SS", help="slurm: of a job; items go on in the next one.")
    ] = "01:00:00",
    grace: Annotated[
        int, typer.Option(metavar="SECONDS", help="slurm: items write their checkpoint this long before a job ends.")
    ] = 60,
    gpus_per_node: Annotated[int, typer.Option(help="slurm: GPUs of a job, one item at a time on each.")] = 0,
    workers_per_node: Annotated[
        int | None, typer.Option(help="slurm: items at a time in a job, one core each. [1; GPUs with --gpus-per-node]")
    ] = None,
    jobs: Annotated[int, typer.Option(help="slurm: jobs at a time, of one node each.")] = 1,
    sbatch: Annotated[
        list[str] | None, typer.Option(metavar="OPTION", help="slurm: further options, as in --sbatch=--mem=8G.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run every missing item; the same command goes on where it was stopped, and the results do not depend on that.

    Exit status: 0 complete, 75 stopped by a signal with checkpoints written, 2 wrong usage, 1 any other failure.
    """
    from mcmc.study.config import load_study

    settings = load_study(study, assignments)
    from mcmc.errors import UsageError
    from mcmc.study.driver import run_study
    from mcmc.study.engine import Engine, LocalEngine, SlurmEngine

    chosen: Engine
    if engine == "local":
        chosen = LocalEngine(_default(workers, gpus or os.cpu_count() or 1), gpus)
    elif engine == "slurm":
        options = "\n".join(f"#SBATCH {option}" for option in sbatch or [])
        chosen = SlurmEngine(
            jobs,
            seconds_of(walltime),
            grace,
            _default(workers_per_node, gpus_per_node or 1),
            partition,
            account,
            gpus_per_node,
            options,
        )
    else:
        raise UsageError(f"--engine: expected local or slurm, found '{engine}'.")
    outcome = run_study(settings, out or default_directory(settings.name), chosen, is_quiet=as_json)
    if as_json:
        print_json({**vars(outcome), "is_complete": outcome.is_complete, "exit_code": outcome.exit_code})
    else:
        how = "complete" if outcome.is_complete else f"stopped by {outcome.signal_name}; the same command goes on"
        typer.echo(
            f"{outcome.directory}: {outcome.n_completed} of {outcome.n_items} items in {outcome.seconds:.0f} s, "
            f"{outcome.n_lost} attempts lost and made again; {how}"
        )
    raise typer.Exit(outcome.exit_code)


def seconds_of(walltime: str) -> int:
    """[HH:]MM:SS in seconds.

    Raises:
        UsageError: anything else.
    """
    from mcmc.errors import UsageError

    parts = walltime.split(":")
    if len(parts) not in (2, 3) or not all(part.isdigit() for part in parts):
        raise UsageError(f"--walltime: expected [HH:]MM:SS, found '{walltime}'.")
    return sum(int(part) * 60**power for power, part in enumerate(reversed(parts)))


def _default(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given
