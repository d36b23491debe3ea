"""`mlp-gibbs theory`: the replica solution of the architecture that you typed."""

from typing import Annotated, Any

import typer

from mcmc.cli.output import JsonOption, print_json, print_table


def theory(
    beta: Annotated[list[float], typer.Option(help="Inverse temperature; repeat for several.")],
    activation: Annotated[str, typer.Option(help="linear, tanh, sin, erf, relu, leaky_relu, shaped_tanh, ...")] = "sin",
    depth: Annotated[int, typer.Option(help="Number of hidden layers, L.")] = 1,
    width_ratio: Annotated[
        list[float] | None, typer.Option(help="alpha_l = N_l/N_0; once for all layers, or once a layer. [1]")
    ] = None,
    sigma_w: Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [1]")] = None,
    sigma_b: Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [0]")] = None,
    activation_param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="As in negative_slope=0.1.")
    ] = None,
    ansatz: Annotated[str, typer.Option(help="rs")] = "rs",
    as_json: JsonOption = False,
) -> None:
    """Free entropy, energy, entropy, overlaps and stability of the limit N_0 -> infinity."""
    from mcmc.errors import UsageError
    from mcmc.theory.curve import solve_rs_curve
    from mcmc.theory.model import TheoryModel
    from mcmc.theory.saddle import to_json_record

    if ansatz != "rs":
        raise UsageError(f"unknown ansatz '{ansatz}'. Known: rs.")
    model = TheoryModel.build(
        activation,
        depth=depth,
        width_ratios=_one_or_all(width_ratio, 1.0),
        sigma_w=_one_or_all(sigma_w, 1.0),
        sigma_b=_one_or_all(sigma_b, 0.0),
        activation_params=_parameters(activation_param or []),
    )
    records = [to_json_record(saddle) for saddle in solve_rs_curve(model, beta)]
    if as_json:
        print_json(records)
        return
    layers = range(depth + 1)
    header = ["beta", "Phi", "e", "s", *(f"q_{i}" for i in layers), *(f"r_{i}" for i in layers[1:]), "lambda", "stable"]
    print_table(header, [_row(record) for record in records])


def _row(record: dict[str, Any]) -> list[str]:
    numbers = [record[key] for key in ("beta", "free_entropy_density", "energy_density", "entropy_density")]
    numbers += [*record["overlap"], *record["self_overlap"][1:], record["pivots"][-1]]
    return [f"{number:.6g}" for number in numbers] + ["yes" if record["stable"] else "no"]


def _one_or_all(values: list[float] | None, default: float) -> float | list[float]:
    if not values:
        return default
    return values[0] if len(values) == 1 else values


def _parameters(assignments: list[str]) -> dict[str, float]:
    from mcmc.errors import UsageError

    parameters = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        try:
            parameters[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--activation-param expects NAME=NUMBER, found '{assignment}'.") from None
    return parameters
