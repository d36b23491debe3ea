"""`mlp-gibbs estimate`: disorder averages of a run with bootstrap errors, and the raw resamples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json, print_table

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

    data = read_run(directory)
    found = observables(data)
    if resamples is not None:
        _write(resamples, data.beta, found)
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


def _write(path: Path, beta: Any, found: list["Observable"]) -> None:
    import io

    import numpy as np

    from mcmc.errors import UsageError
    from mcmc.io.atomic import write_bytes_atomically

    if path.suffix != ".npz":
        raise UsageError(f"--resamples writes NumPy archives: give a name that ends with .npz, found {path}.")
    arrays: dict[str, Any] = {"beta": beta, **{o.name: o.resampled.resamples for o in found}}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes_atomically(path, buffer.getvalue())
