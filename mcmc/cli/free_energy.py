"""`mlp-gibbs free-energy`: Phi(beta) and s(e) of a run, by estimators that must agree, beside theory."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def free_energy(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    figure: Annotated[Path | None, typer.Option(help="Where to write the figure. [DIR/free_energy.png]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Free entropy and entropy: integration, stepping stones and MBAR, and the replica-symmetric prediction."""
    from mcmc.compare.free_energy import thermodynamics
    from mcmc.io.reader import read_run
    from mcmc.plots.free_energy import free_energy_figure
    from mcmc.plots.style import check_figure_name, save

    target = figure or directory / "free_energy.png"
    check_figure_name(target)
    found = thermodynamics(read_run(directory))
    path = save(free_energy_figure(found), target)
    rows = found.rows()
    if as_json:
        print_json({"n_networks": len(found.free.networks), "temperatures": rows, "figure": str(path)})
        return
    names = ("free_entropy_density", "energy_density", "entropy_density")
    header = ["beta"]
    for symbol in ("Phi", "e", "s"):
        header += [symbol, "stderr", "predicted"]
    table = [
        [f"{row['beta']:.4f}"]
        + [
            cell
            for n in names
            for cell in (f"{row[n]['value']:+.5f}", f"{row[n]['stderr']:.5f}", f"{row[n]['predicted']:+.5f}")
        ]
        for row in rows
    ]
    print_table(header, table)
    unstable = [row["beta"] for row in rows if not row["predicted_stable"]]
    if unstable:
        typer.echo(
            f"\nfrom beta = {unstable[0]:.3g} on replica symmetry is unstable: there `predicted`, which assumes it, is "
            "not the limit (see `mlp-gibbs theory --ansatz auto`)"
        )
    gains = [row["energy_density"]["gain"] for row in rows if row["beta"] > 0]
    typer.echo(
        f"\nintegration, stepping stones and MBAR agree in all {len(found.free.networks)} networks; identity A as "
        f"control variate is worth {min(gains):.1f} to {max(gains):.1f} times the networks for e\n"
        f"figure: {path}"
    )
