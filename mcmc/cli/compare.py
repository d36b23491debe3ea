"""`mlp-gibbs compare`: a run beside its theory, as numbers, as words and as a figure."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def compare(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    ansatz: Annotated[
        str, typer.Option(help="rs, 1rsb, krsb (with --steps), full, or auto: the phase of every temperature.")
    ] = "auto",
    steps: Annotated[int | None, typer.Option(help="k, the number of breaking points of krsb.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Where to write the figure. [DIR/comparison.png]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Energy, overlaps and P(q) of a run against the replica prediction at every beta."""
    from mcmc.compare.comparison import compare_with_theory
    from mcmc.io.reader import read_run
    from mcmc.plots.comparison import comparison_figure
    from mcmc.plots.style import save
    from mcmc.theory.ansatz import check_ansatz

    check_ansatz(ansatz, steps)
    comparison = compare_with_theory(read_run(directory), ansatz=ansatz, n_steps=steps)
    path = save(comparison_figure(comparison), figure or directory / "comparison.png")
    if as_json:
        print_json({**comparison.to_json(), "figure": str(path)})
        return
    rows = [
        [
            f"{m.beta:.4f}",
            m.observable,
            f"{m.measured.value:+.5f}",
            f"{m.measured.stderr:.5f}",
            f"{m.predicted:+.5f}",
            "" if m.n_sigma is None else f"{m.n_sigma:+.1f}",
            m.ansatz,
        ]
        for m in comparison.matches
    ]
    print_table(["beta", "observable", "measured", "stderr", "predicted", "n_sigma", "ansatz"], rows)
    typer.echo(f"\n{comparison.verdict}\nfigure: {path}")
