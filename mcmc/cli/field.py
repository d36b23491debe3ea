"""`mlp-gibbs field`: the infinite-width limit, a spherical mixed p-spin model, of a network or of a xi(q) as typed."""

import math
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def field(
    beta: Annotated[list[float] | None, typer.Option(help="Inverse temperature; repeat for several.")] = None,
    xi: Annotated[str | None, typer.Option(help='Covariance of the energy, as in "0.5*q**2 + 0.1*q**4".')] = None,
    activation: Annotated[
        str | None, typer.Option(help="Or that of a wide network: sin, tanh, relu, ... [sin]")
    ] = None,
    depth: Annotated[int, typer.Option(help="Number of hidden layers, L.")] = 1,
    sigma_w: Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [1]")] = None,
    sigma_b: Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [0]")] = None,
    activation_param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="As in negative_slope=0.1.")
    ] = None,
    ansatz: Annotated[str, typer.Option(help="auto, rs, 1rsb, krsb (with --steps) or full.")] = "auto",
    steps: Annotated[int | None, typer.Option(help="k, the number of breaking points of krsb.")] = None,
    transitions: Annotated[bool, typer.Option(help="AT, static and dynamic temperatures.")] = False,
    ground_state: Annotated[bool, typer.Option(help="The limit beta -> infinity.")] = False,
    energy: Annotated[list[float] | None, typer.Option(help="Entropy at this energy density; repeat.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replica symmetry breaking at infinite width: RS, 1RSB, k steps, full RSB, transitions and ground state."""
    from mcmc.errors import UsageError

    if not (beta or transitions or ground_state or energy):
        raise UsageError("nothing to compute: give --beta, --energy, --transitions or --ground-state.")
    covariance = covariance_from_options(xi, activation, depth, sigma_w, sigma_b, activation_param)
    content = field_content(
        covariance, beta or [], ansatz, steps, energies=energy or [], transitions=transitions, ground_state=ground_state
    )
    if as_json:
        print_json(content)
    else:
        _print(content)


def field_content(
    covariance: Any,
    beta: list[float],
    ansatz: str,
    steps: int | None,
    *,
    energies: list[float],
    transitions: bool,
    ground_state: bool,
) -> dict[str, Any]:
    """What was asked for, by the names of the JSON document."""
    from mcmc.theory.broken import to_json_record
    from mcmc.theory.gaussian_field.ground_state import ground_state as find_ground_state
    from mcmc.theory.gaussian_field.thermodynamics import entropy_at_energy, solve_curve
    from mcmc.theory.gaussian_field.transitions import find_transitions

    content: dict[str, Any] = {"covariance": covariance.label, "covariance_error": covariance.error}
    if beta:
        curve = solve_curve(covariance, beta, ansatz=ansatz, n_steps=steps)
        content["records"] = [to_json_record(solution) for solution in curve]
    if energies:
        points = [entropy_at_energy(covariance, e) for e in energies]
        content["energies"] = [energy_record(point, point.solution.evidence["phase"]) for point in points]
    if transitions:
        content["transitions"] = transitions_record(find_transitions(covariance))
    if ground_state:
        content["ground_state"] = asdict(find_ground_state(covariance))
    return content


def energy_record(point: Any, phase: str) -> dict[str, Any]:
    """One entropy at an energy."""
    return {
        "energy_density": point.energy_density,
        "entropy_density": point.entropy_density,
        "beta": point.beta,
        "phase": phase,
    }


def transitions_record(found: Any) -> dict[str, Any]:
    """The three temperatures, and which is first."""
    record: dict[str, Any] = {
        kind: {**asdict(t), "temperature": t.temperature} if t is not None else None
        for kind, t in (("at", found.at), ("static", found.static), ("dynamic", found.dynamic))
    }
    return {**record, "first": found.first.kind if found.first is not None else None}


def covariance_from_options(
    xi: str | None,
    activation: str | None,
    depth: int,
    sigma_w: list[float] | None,
    sigma_b: list[float] | None,
    activation_param: list[str] | None,
) -> Any:
    from mcmc.cli.model_options import one_or_all, parse_assignments
    from mcmc.errors import UsageError
    from mcmc.theory.gaussian_field.network import NetworkCovariance
    from mcmc.theory.gaussian_field.polynomial import PolynomialCovariance

    if xi is not None:
        if activation or sigma_w or sigma_b or activation_param or depth != 1:
            raise UsageError("--xi is the whole model: it excludes --activation, --depth, --sigma-w, --sigma-b.")
        return PolynomialCovariance.parse(xi)
    return NetworkCovariance.build(
        activation or "sin",
        depth=depth,
        sigma_w=one_or_all(sigma_w, 1.0),
        sigma_b=one_or_all(sigma_b, 0.0),
        activation_params=parse_assignments("--activation-param", activation_param),
    )


def _print(content: dict[str, Any]) -> None:
    typer.echo(f"xi: {content['covariance']}")
    if "records" in content:
        header = ["beta", "phase", "Phi", "e", "s", "q_min", "q_EA", "x_1", "x_k", "lambda", "gap"]
        print_table(header, [_row(record) for record in content["records"]])
    print_thermodynamics(content)


def print_thermodynamics(content: dict[str, Any]) -> None:
    """Entropies at energies, transitions and ground state, those that are there, in words."""
    for point in content.get("energies", []):
        typer.echo(
            f"e = {point['energy_density']:.6g}: s = {point['entropy_density']:.8g} at beta = {point['beta']:.8g} "
            f"({point['phase']})"
        )
    for kind in ("at", "static", "dynamic"):
        if "transitions" in content:
            found = content["transitions"][kind]
            typer.echo(
                f"{kind:8s}"
                + (
                    f"T = {found['temperature']:.8g}  beta = {found['beta']:.8g}  q_0 = {found['overlap']:.6g}  "
                    f"q_1 = {found['top']:.6g}"
                    + (f"  x = {found['breaking']:.6g}" if math.isfinite(found["breaking"]) else "")
                    if found
                    else "none"
                )
            )
    if "ground_state" in content:
        ground = content["ground_state"]
        typer.echo(
            f"ground state: e_0 = {ground['energy_density']:.10g} +- {ground['energy_error']:.1e} ({ground['phase']})"
        )


def _row(record: dict[str, Any]) -> list[str]:
    levels, points = record["overlap"][0], record["breaking_points"]
    numbers = [record[key] for key in ("free_entropy_density", "energy_density", "entropy_density")]
    numbers += [levels[0], levels[-1], points[0] if points else 1.0, points[-1] if points else 1.0, record["replicon"]]
    gap = record["evidence"]["optimality_gap"]
    return [f"{record['beta']:.6g}", record["evidence"]["phase"], *(f"{n:.6g}" for n in numbers), f"{gap:.1e}"]
