"""`mlp-gibbs status`: how far a run is and how it is doing; works while it runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json


def status(
    directory: Annotated[Path, typer.Argument(help="Run directory.")],
    as_json: JsonOption = False,
) -> None:
    """Progress, acceptance, swap rates, round trips, and whether the run looks equilibrated so far."""
    from mcmc.analysis.health import run_health

    health = run_health(directory)
    if as_json:
        print_json(health)
    else:
        typer.echo(_text(health))


def _text(health: dict[str, Any]) -> str:
    lines = [
        f"{health['directory']}: {health['state']}, sweep {health['sweep']} of {health['n_total']} "
        f"({health['n_segments']} of {health['n_segments_total']} results files)",
    ]
    if health["until_error"] is not None:
        lines.append(health["until_error"]["reason"])
    if health["acceptance"] is not None:
        low, high = min(health["acceptance"]), max(health["acceptance"])
        lines.append(f"acceptance {low:.2f} to {high:.2f} over temperatures; <exp(-dH)> = {health['metropolis']:.4f}")
    if health["swap_rate"]:
        lines.append(
            f"swap rates {min(health['swap_rate']):.2f} to {max(health['swap_rate']):.2f}; barrier Lambda = "
            f"{health['barrier']:.2f}; round trips per walker {health['round_trips_mean']:.1f}, fewest in a network "
            f"{health['round_trips_worst']}"
        )
    trajectories = health["trajectories"]
    if trajectories is not None:
        sd = trajectories["energy_error_sd"]
        lines.append(f"forces {trajectories['forces']}; sd of dH {min(sd):.2g} to {max(sd):.2g} over temperatures")
        if trajectories["decision_error"] is not None:
            worst = max(trajectories["decision_error"])
            lines.append(f"the precision of energies moves beta dH by {worst:.1g} at most (against float64)")
        lines += trajectories["reasons"]
    lines += health["reasons"]
    lines.append(f"equilibrated so far: {health['equilibrated']}")
    return "\n".join(lines)
