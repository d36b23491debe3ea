"""`mlp-gibbs theory`: the replica solution of the architecture, or of the random field, that you typed."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.model_options import one_or_all, parse_assignments
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.theory.model import TheoryModel


def theory(
    beta: Annotated[list[float], typer.Option(help="Inverse temperature; repeat for several.")],
    activation: Annotated[str, typer.Option(help="linear, tanh, sin, erf, relu, leaky_relu, shaped_tanh, ...")] = "sin",
    depth: Annotated[int, typer.Option(help="Number of hidden layers, L.")] = 1,
    width_ratio: Annotated[
        list[float] | None,
        typer.Option(help="alpha_l = N_l/N_0; once for all layers, or once a layer; inf: infinite width first. [1]"),
    ] = None,
    sigma_w: Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [1]")] = None,
    sigma_b: Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [0]")] = None,
    activation_param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="As in negative_slope=0.1.")
    ] = None,
    xi: Annotated[
        str | None, typer.Option(help='A mixed p-spin model instead of a network, as in "0.5*q**3" (see also: field).')
    ] = None,
    ansatz: Annotated[str, typer.Option(help="rs, 1rsb, krsb (with --steps), full, or auto: find the phase.")] = "rs",
    steps: Annotated[int | None, typer.Option(help="k, the number of breaking points of krsb.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Free entropy, energy, entropy, overlaps and stability of the limit N_0 -> infinity."""
    from mcmc.errors import UsageError

    ratios = one_or_all(width_ratio, 1.0)
    is_infinitely_wide = width_ratio is not None and all(math.isinf(ratio) for ratio in width_ratio)
    if xi is not None or is_infinitely_wide:
        if xi is not None and (width_ratio or sigma_w or sigma_b or activation_param or depth != 1):
            raise UsageError("--xi is the whole model: it excludes --depth, --width-ratio, --sigma-w, --sigma-b.")
        records = _field_records(xi, activation, depth, sigma_w, sigma_b, activation_param, beta, ansatz, steps)
    else:
        model = _network(activation, depth, ratios, sigma_w, sigma_b, activation_param)
        records = _network_records(model, beta, ansatz, steps)
    if as_json:
        print_json(records)
        return
    header = ["beta", "ansatz", "Phi", "e", "s", "q_0 (lowest, highest)", "x_1", "lambda", "stable"]
    print_table(header, [_row(record) for record in records])


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


def _network_records(model: "TheoryModel", beta: list[float], ansatz: str, steps: int | None) -> list[dict[str, Any]]:
    """Records of one ansatz at finite width ratios, in the order of the temperatures."""
    from mcmc.theory import broken, saddle
    from mcmc.theory.ansatz import check_ansatz
    from mcmc.theory.curve import solve_rs_curve
    from mcmc.theory.rsb.classify import classify
    from mcmc.theory.rsb.full import solve_full
    from mcmc.theory.rsb.k_step import solve_k_step

    check_ansatz(ansatz, steps)
    if ansatz == "rs":
        return [saddle.to_json_record(solution) for solution in solve_rs_curve(model, beta)]
    if ansatz == "1rsb":
        return [broken.to_json_record(solve_k_step(model, b, 1)) for b in beta]
    if ansatz == "krsb" and steps is not None:
        return [broken.to_json_record(solve_k_step(model, b, steps)) for b in beta]
    if ansatz == "full":
        return [broken.to_json_record(solve_full(model, b)) for b in beta]
    records = []
    for found in (classify(model, b) for b in beta):
        if found.solution is None:
            record = saddle.to_json_record(found.symmetric)
        else:
            record = broken.to_json_record(found.solution)
        records.append({**record, "phase": found.label, "evidence": broken.plain(found.evidence)})
    return records


def _field_records(
    xi: str | None,
    activation: str,
    depth: int,
    sigma_w: list[float] | None,
    sigma_b: list[float] | None,
    activation_param: list[str] | None,
    beta: list[float],
    ansatz: str,
    steps: int | None,
) -> list[dict[str, Any]]:
    from mcmc.cli.field import covariance_from_options
    from mcmc.theory.broken import to_json_record
    from mcmc.theory.gaussian_field.thermodynamics import solve_curve

    network = None if xi is not None else activation
    covariance = covariance_from_options(xi, network, depth, sigma_w, sigma_b, activation_param)
    return [to_json_record(solution) for solution in solve_curve(covariance, beta, ansatz=ansatz, n_steps=steps)]


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
