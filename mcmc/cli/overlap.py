"""`mlp-gibbs overlap`: P(q) of every layer beside the smeared theory, and how much networks differ."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def overlap(
    directories: Annotated[
        list[Path], typer.Argument(help="Run directories; several, of different N_0, are compared.")
    ],
    layers: Annotated[
        list[int] | None, typer.Option("--layer", help="Layer to show, 0 is the input; may be repeated. [0 and L]")
    ] = None,
    ansatz: Annotated[str, typer.Option(help="As for compare: rs, 1rsb, krsb (with --steps), full, auto.")] = "auto",
    steps: Annotated[int | None, typer.Option(help="k, the number of breaking points of krsb.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Where to write the figure. [DIR/overlap.png]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Distances and moments of P(q^l) against the smeared prediction, P_J(q) of single networks, self-averaging.

    Of runs with output.cross_temperature = true also the overlaps between temperatures.
    """
    from mcmc.analysis.cross import cross_temperature
    from mcmc.compare.overlaps import overlap_report
    from mcmc.errors import UsageError
    from mcmc.io.reader import read_run
    from mcmc.plots.cross_temperature import cross_temperature_figure
    from mcmc.plots.overlaps import overlaps_figure
    from mcmc.plots.style import save
    from mcmc.theory.ansatz import check_ansatz

    check_ansatz(ansatz, steps)
    runs = [read_run(directory) for directory in directories]
    depth = min(data.config.model.depth for data in runs)
    shown = sorted(set(layers)) if layers else [0, depth]
    if not all(0 <= layer <= depth for layer in shown):
        raise UsageError(f"--layer is 0 to {depth} here, found {', '.join(map(str, shown))}.")
    reports = [overlap_report(data, ansatz=ansatz, n_steps=steps) for data in runs]
    path = save(overlaps_figure(reports, shown), figure or directories[0] / "overlap.png")
    records = []
    for directory, report, data in zip(directories, reports, runs, strict=True):
        record = {"directory": str(directory), **report.to_json()}
        crossed = cross_temperature(data, report.bootstrap)
        if crossed is not None:
            title = f"{data.config.model.activation}, N_0 = {data.config.model.n_inputs}: two temperatures, one network"
            drawn = save(cross_temperature_figure(crossed, title=title), directory / "cross_temperature.png")
            record["cross_temperature"] = {**crossed.to_json(), "figure": str(drawn)}
        records.append(record)
    if as_json:
        print_json({"runs": records, "figure": str(path)})
        return
    header = ["N_0", "beta", "layer", "ansatz", "W_1", "noise", "z of <q>", "<q^2>", "<q^3>", "<q^4>"]
    rows = []
    for record in records:
        for law in record["laws"]:
            if law["layer"] in shown:
                predicted = law["predicted_disorder_share"]
                rows.append(
                    [
                        str(record["n_inputs"]),
                        f"{law['beta']:.3f}",
                        str(law["layer"]),
                        law["ansatz"],
                        f"{law['distance']:.4f}",
                        f"{law['distance_noise']:.4f}",
                        *(f"{z:+.1f}" for z in law["moment_z_scores"]),
                        f"{law['disorder_share']:.3f}({law['disorder_share_stderr']:.3f})",
                        "" if predicted is None else f"{predicted:.3f}",
                    ]
                )
    print_table([*header, "share of networks", "predicted"], rows)
    for record in records:
        if "cross_temperature" in record:
            typer.echo(f"\noverlaps between temperatures: {record['cross_temperature']['figure']}, and --json")
    typer.echo(
        "\nnoise: the W_1 that the scatter of networks alone makes; z: difference to the smeared prediction in errors; "
        f"share: of Var q^l between networks; predicted 1/3 where symmetry is broken\nfigure: {path}"
    )
