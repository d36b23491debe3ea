"""`mlp-gibbs estimate`: disorder averages of a run with bootstrap errors, and the raw resamples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.output import JsonOption, check_archive_name, print_json, print_table, write_archive

if TYPE_CHECKING:
    from mcmc.analysis.observables import Observable


def estimate(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    resamples: Annotated[
        Path | None, typer.Option(help="Write the raw bootstrap resamples to this .npz file, (resample, temperature).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Energy, overlaps, moments, widths, Binder ratios and peaks of P(q), with errors from resampled networks."""
    from mcmc.analysis.bootstrap import SEED
    from mcmc.analysis.observables import observables
    from mcmc.io.reader import read_run

    check_archive_name(resamples)
    data = read_run(directory)
    found = observables(data)
    if resamples is not None:
        write_archive(resamples, {"beta": data.beta, **{o.name: o.resampled.resamples for o in found}})
    rows = [_row(observable, k, float(beta)) for observable in found for k, beta in enumerate(data.beta)]
    if as_json:
        print_json({"n_networks": found[0].resampled.n_networks, "bootstrap_seed": SEED, "estimates": rows})
        return
    print_table(
        ["observable", "beta", "value", "stderr", "gain"],
        [
            [r["observable"], f"{r['beta']:.4f}", f"{r['value']:+.5f}", f"{r['stderr']:.5f}", f"{r['gain']:.1f}"]
            for r in rows
        ],
    )
    typer.echo("\ngain: how many times more networks the plain average would need for the error that identity A gives")


def _row(observable: "Observable", k: int, beta: float) -> dict[str, Any]:
    lower, upper = observable.resampled.band()
    return {
        "observable": observable.name,
        "beta": beta,
        "value": float(observable.resampled.value[k]),
        "stderr": float(observable.resampled.stderr[k]),
        "lower": float(lower[k]),
        "upper": float(upper[k]),
        "gain": float(observable.gain[k]),
    }
