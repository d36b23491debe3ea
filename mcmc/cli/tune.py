"""`mlp-gibbs tune`: a short pilot that finds trajectories, and writes a configuration that uses them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def tune(
    config: Annotated[Path, typer.Argument(help="Configuration file (TOML) to tune.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the tuned configuration here (a new file).")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in run.seed=7.")
    ] = None,
    gradients: Annotated[int, typer.Option(help="Gradients of each chain, for each of the 15 candidates.")] = 3000,
    as_json: JsonOption = False,
) -> None:
    """Find trajectories that give more effective draws of energy and overlap for the same number of gradients.

    Nothing is changed in an existing run: the result is an ordinary configuration, that a run can start from.
    """
    from mcmc.config import load_config
    from mcmc.errors import UsageError

    settings = load_config(config, assignments)
    if gradients < 100:
        raise UsageError(f"--gradients must be at least 100, found {gradients}.")
    if out is not None and out.exists():
        raise UsageError(f"{out} exists, and is not overwritten. Give --out a new name.")
    from mcmc.pilot.advice import advise

    advice = advise(settings, n_gradients=gradients)
    facts = advice.to_json()
    if out is not None:
        _write(out, advice.config.model_dump(mode="json", exclude_none=True), config)
    if as_json:
        print_json(facts)
        return
    header = ["beta", "gradients per draw", "step size", "gradients per energy", "per overlap", "gain in time"]
    print_table(header, [_row(record) for record in facts["temperatures"]])
    sampler = facts["sampler"]
    typer.echo(
        f"kernel {sampler['kernel']}, target acceptance {sampler['target_acceptance'] or 'as the kernel has it'}, "
        f"{sampler['steps_per_sweep']} steps between exchanges, {facts['n_temperatures']} temperatures"
        + (f" (Lambda = {facts['barrier']:.2f})" if facts["barrier"] is not None else "")
    )
    if out is not None:
        typer.echo(f"written: {out}. Next: mlp-gibbs run {out}")


def _write(path: Path, data: dict[str, Any], source: Path) -> None:
    import tomli_w

    from mcmc.io.atomic import write_bytes_atomically

    write_bytes_atomically(path, f"# {source.name}, tuned by `mlp-gibbs tune`\n\n{tomli_w.dumps(data)}".encode())


def _row(record: dict[str, Any]) -> list[str]:
    overlap = record["gradients_per_overlap"]
    return [
        f"{record['beta']:.5g}",
        str(record["gradients_per_draw"]),
        f"{record['step_size']:.4g}",
        f"{record['gradients_per_energy']:.1f}",
        "" if overlap is None else f"{overlap:.1f}",
        f"{record['gain']:.2f}",
    ]
