"""`mlp-gibbs compare`: a run beside its theory, as numbers, as words and as a figure."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def compare(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    figure: Annotated[Path | None, typer.Option(help="Where to write the figure. [DIR/comparison.png]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Energy, overlaps and P(q) of a run against the replica-symmetric prediction at every beta."""
    from mcmc.compare.match import compare_with_rs
    from mcmc.io.reader import read_run
    from mcmc.plots.comparison import comparison_figure
    from mcmc.plots.style import save

    comparison = compare_with_rs(read_run(directory))
    path = save(comparison_figure(comparison), figure or directory / "comparison.png")
    if as_json:
        print_json(
            {
                "comparisons": [match.to_json() for match in comparison.matches],
                "verdict": comparison.verdict,
                "figure": str(path),
            }
        )
        return
    rows = [
        [
            f"{m.beta:.4f}",
            m.observable,
            f"{m.measured.value:+.5f}",
            f"{m.measured.stderr:.5f}",
            f"{m.predicted:+.5f}",
            "" if m.n_sigma is None else f"{m.n_sigma:+.1f}",
        ]
        for m in comparison.matches
    ]
    print_table(["beta", "observable", "measured", "stderr", "predicted", "n_sigma"], rows)
    typer.echo(f"\n{comparison.verdict}\nfigure: {path}")
