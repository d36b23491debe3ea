"""`mlp-gibbs verify`: exact checks of the sampler, on the user's own configuration."""

from pathlib import Path
from typing import Annotated

import typer

from mcmc.cli.output import JsonOption, print_json, print_table

DEFAULT = {
    "model": {"activation": "sin", "n_inputs": 32, "width_ratios": [1.0], "n_networks": 4},
    "tempering": {"beta_max": 2.0},
}


def verify(
    config: Annotated[Path | None, typer.Argument(help="Configuration to check; without it, a small default.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in run.seed=7.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the configured kernel, activation and widths with exact answers; exit status 1 if one fails."""
    from mcmc.config import apply_overrides, load_config, parse_config

    settings = load_config(config, assignments) if config else parse_config(apply_overrides(DEFAULT, assignments or []))
    from mcmc.compare.verify import verify_config  # only now: a wrong configuration is told before torch is imported

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
