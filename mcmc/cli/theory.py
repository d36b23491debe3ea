"""`mlp-gibbs theory`: the replica solution of the architecture, or of the random field, that you typed."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.field import (
    covariance_from_options,
    energy_record,
    field_content,
    print_thermodynamics,
    transitions_record,
)
from mcmc.cli.model_options import (
    ActivationOption,
    ActivationParamOption,
    DepthOption,
    SigmaBOption,
    SigmaWOption,
    WidthRatioOption,
    one_or_all,
    parse_assignments,
)
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.theory.model import TheoryModel


def theory(
    beta: Annotated[list[float] | None, typer.Option(help="Inverse temperature; repeat for several.")] = None,
    activation: ActivationOption = "sin",
    depth: DepthOption = 1,
    width_ratio: WidthRatioOption = None,
    sigma_w: SigmaWOption = None,
    sigma_b: SigmaBOption = None,
    activation_param: ActivationParamOption = None,
    xi: Annotated[
        str | None, typer.Option(help='A mixed p-spin model instead of a network, as in "0.5*q**3" (see also: field).')
    ] = None,
    ansatz: Annotated[str, typer.Option(help="rs, 1rsb, krsb (with --steps), full, or auto: find the phase.")] = "rs",
    steps: Annotated[int | None, typer.Option(help="k, the number of breaking points of krsb.")] = None,
    energy: Annotated[list[float] | None, typer.Option(help="Entropy at this energy density; repeat.")] = None,
    transitions: Annotated[bool, typer.Option(help="AT, static and dynamic temperatures.")] = False,
    ground_state: Annotated[bool, typer.Option(help="The limit beta -> infinity, with an error.")] = False,
    high_temperature: Annotated[bool, typer.Option(help="Phi and e to order beta^4 at each --beta.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Free entropy, energy, entropy, overlaps and stability of the limit N_0 -> infinity.

    With --beta alone, --json prints a list of records; with --energy, --transitions, --ground-state or
    --high-temperature an object that holds them beside the "records".
    """
    from mcmc.errors import UsageError

    is_field = xi is not None or (width_ratio is not None and all(math.isinf(ratio) for ratio in width_ratio))
    if not (beta or energy or transitions or ground_state):
        raise UsageError("nothing to compute: give --beta, --energy, --transitions or --ground-state.")
    if high_temperature and not beta:
        raise UsageError("--high-temperature goes with --beta: the expansion is evaluated there.")
    requests: dict[str, Any] = {"energies": energy or [], "transitions": transitions, "ground_state": ground_state}
    if is_field:
        if xi is not None and (width_ratio or sigma_w or sigma_b or activation_param or depth != 1):
            raise UsageError("--xi is the whole model: it excludes --depth, --width-ratio, --sigma-w, --sigma-b.")
        network = None if xi is not None else activation
        covariance = covariance_from_options(xi, network, depth, sigma_w, sigma_b, activation_param)
        content = field_content(covariance, beta or [], ansatz, steps, **requests)
        _complete_field(content, covariance, ansatz, high_temperature)
    else:
        model = _network(activation, depth, one_or_all(width_ratio, 1.0), sigma_w, sigma_b, activation_param)
        content = _network_content(model, beta or [], ansatz, steps, high_temperature, **requests)
    if as_json:
        print_json(content if any(requests.values()) or high_temperature else content["records"])
        return
    if beta:
        header = ["beta", "ansatz", "Phi", "e", "s", "q_0 (lowest, highest)", "x_1", "lambda", "stable"]
        print_table(header, [_row(record) for record in content["records"]])
    for point in content.get("high_temperature", []):
        typer.echo(
            f"to order beta^4 at beta = {point['beta']:.6g}: Phi = {point['free_entropy_density']:.8g}  "
            f"e = {point['energy_density']:.8g}"
        )
    print_thermodynamics(content)


def _network(
    activation: str,
    depth: int,
    ratios: float | list[float],
    sigma_w: list[float] | None,
    sigma_b: list[float] | None,
    activation_param: list[str] | None,
) -> "TheoryModel":
    from mcmc.theory.model import TheoryModel

    return TheoryModel.build(
        activation,
        depth=depth,
        width_ratios=ratios,
        sigma_w=one_or_all(sigma_w, 1.0),
        sigma_b=one_or_all(sigma_b, 0.0),
        activation_params=parse_assignments("--activation-param", activation_param),
    )


def _network_content(
    model: "TheoryModel",
    beta: list[float],
    ansatz: str,
    steps: int | None,
    high_temperature: bool,
    *,
    energies: list[float],
    transitions: bool,
    ground_state: bool,
) -> dict[str, Any]:
    """What was asked for at finite width ratios, by the names that `field` uses."""
    from mcmc.theory.annealed import annealed_free_entropy
    from mcmc.theory.high_temperature import high_temperature as expand
    from mcmc.theory.rsb.ground_state import ground_state as find_ground_state
    from mcmc.theory.rsb.solve import solve_curve, to_json_record
    from mcmc.theory.rsb.thermodynamics import entropy_at_energy
    from mcmc.theory.rsb.transitions import find_transitions

    content: dict[str, Any] = {"model": model.label}
    if beta:
        content["records"] = [
            {
                **to_json_record(found),
                "annealed_free_entropy_density": annealed_free_entropy(model, found.solution.beta),
            }
            for found in solve_curve(model, beta, ansatz=ansatz, n_steps=steps)
        ]
    if high_temperature:
        content["high_temperature"] = [asdict(expand(model, b)) for b in beta]
    if energies:
        points = [entropy_at_energy(model, e, ansatz=ansatz, n_steps=steps) for e in energies]
        content["energies"] = [energy_record(point, point.phase) for point in points]
    if transitions:
        content["transitions"] = transitions_record(find_transitions(model))
    if ground_state:
        content["ground_state"] = asdict(find_ground_state(model, ansatz=ansatz, n_steps=steps))
    return content


def _complete_field(content: dict[str, Any], covariance: Any, ansatz: str, high_temperature: bool) -> None:
    """What `theory` adds to `field`: the verdict as ansatz, the annealed bound and the expansion."""
    from mcmc.theory.gaussian_field.thermodynamics import annealed_free_entropy
    from mcmc.theory.gaussian_field.thermodynamics import high_temperature as expand

    records = content.get("records", [])
    for record in records:
        if ansatz == "auto":
            record["ansatz"] = record["phase"] = record["evidence"]["phase"]
        record["annealed_free_entropy_density"] = annealed_free_entropy(covariance, record["beta"])
    if high_temperature:
        betas = [record["beta"] for record in records]
        content["high_temperature"] = [{"beta": b, **asdict(expand(covariance, b))} for b in betas]


def _row(record: dict[str, Any]) -> list[str]:
    levels = record["overlap"][0]
    levels = levels if isinstance(levels, list) else [levels]
    points = record.get("breaking_points") or []
    numbers = [record[key] for key in ("free_entropy_density", "energy_density", "entropy_density")]
    return [
        f"{record['beta']:.6g}",
        record["ansatz"],
        *(f"{number:.6g}" for number in numbers),
        f"{levels[0]:.6g}" + (f", {levels[-1]:.6g}" if len(levels) > 1 else ""),
        f"{points[0]:.4g}" if points else "",
        f"{record['pivots'][-1]:.6g}",
        "yes" if record["stable"] else "no",
    ]
