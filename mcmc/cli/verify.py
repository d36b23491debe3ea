"""`mlp-gibbs verify`: exact checks of the sampler, on the user's own configuration."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def verify(
    config: Annotated[Path | None, typer.Argument(help="Configuration to check; without it, a small default.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in run.seed=7.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the configured kernel, activation and widths with exact answers; exit status 1 if one fails."""
    from mcmc.compare.verify import DEFAULT, verify_config
    from mcmc.config import load_config, parse_config

    settings = load_config(config, assignments) if config else parse_config(DEFAULT)
    checks = verify_config(settings)
    if as_json:
        print_json({"checks": [check.to_json() for check in checks], "passed": all(check.passed for check in checks)})
    else:
        rows = [
            [
                c.name,
                f"{c.measured:.6g}",
                f"{c.stderr:.2g}",
                f"{c.exact:.6g}",
                f"{c.n_sigma:+.1f}",
                "ok" if c.passed else "FAILED",
            ]
            for c in checks
        ]
        print_table(["check", "measured", "stderr", "exact", "n_sigma", ""], rows)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)
