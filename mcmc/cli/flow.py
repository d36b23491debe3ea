"""`mlp-gibbs flow`: shaped networks in the limit of infinite depth, and the finite depths that approach it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.model_options import parse_assignments
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.theory.saddle import SaddlePoint
    from mcmc.theory.shaped.flow import FlowSolution
    from mcmc.theory.shaped.model import ShapedModel

N_PROFILE = 33  # depths of the printed profile


def flow(
    beta: Annotated[list[float], typer.Option(help="Inverse temperature; repeat for several.")],
    activation: Annotated[str, typer.Option(help="shaped_tanh, shaped_relu or linear.")] = "shaped_tanh",
    width_per_depth: Annotated[
        float, typer.Option(help="a in alpha_l = N_l/N_0 = a L; inf: infinite width before infinite depth.")
    ] = 1.0,
    activation_param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="shape=1, or c_plus=0 and c_minus=-1.")
    ] = None,
    at_depth: Annotated[
        list[int] | None, typer.Option(help="Also solve a network of this many layers (alpha_l = a L); repeat.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw q and r - q against l/L; one --beta only.")] = None,
    phase: Annotated[
        bool, typer.Option(help="RS, 1RSB, full RSB, from the mixed p-spin model; needs --width-per-depth inf.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Replica symmetry at infinite depth: order parameters flow with depth (sigma_w = 1, no biases)."""
    from mcmc.errors import UsageError
    from mcmc.theory.rs import solve_rs
    from mcmc.theory.shaped.flow import solve_flow
    from mcmc.theory.shaped.model import ShapedModel

    if figure is not None and len(beta) != 1:
        raise UsageError(f"--figure draws one temperature: expected one --beta, found {len(beta)}.")
    if figure is not None:
        from mcmc.plots.style import check_figure_name

        check_figure_name(figure)
    model = ShapedModel(activation, width_per_depth, parse_assignments("--activation-param", activation_param))
    if phase and not math.isinf(width_per_depth):
        raise UsageError(
            f"--phase needs --width-per-depth inf, found {width_per_depth:g}: beyond RS nothing is solved."
        )
    networks = {depth: model.at_depth(depth) for depth in sorted(set(at_depth or []))}
    records = []
    for b in beta:
        limit = solve_flow(model, b)
        finite = {depth: solve_rs(network, b) for depth, network in networks.items()}
        record = _record(model, limit, finite)
        if phase:
            record["broken"] = _field_record(model, b)
        records.append(record)
    if figure is not None:
        from mcmc.plots.flow import flow_figure
        from mcmc.plots.style import save

        save(flow_figure(limit, finite), figure)
    if as_json:
        print_json(records)
        return
    header = ["beta", "depth", "Phi", "e", "s", "q_0", "q_L", "r_L", "lambda", "stable"]
    print_table(header, [row for record in records for row in _rows(record)])
    for record in records if phase else []:
        found = record["broken"]
        typer.echo(
            f"beta = {record['beta']:g}: {found['evidence']['phase']}, Phi = {found['free_entropy_density']:.6g}, "
            f"e = {found['energy_density']:.6g}, q_0 from {found['overlap'][0][0]:.6g} to {found['overlap'][0][-1]:.6g}"
        )


def _record(model: "ShapedModel", limit: "FlowSolution", finite: "dict[int, SaddlePoint]") -> dict[str, Any]:
    import numpy as np

    from mcmc.theory.saddle import to_json_record

    tau = np.linspace(0, 1, N_PROFILE)
    return {
        "beta": limit.beta,
        "activation": model.activation,
        "width_per_depth": model.width_per_depth,
        "free_entropy_density": limit.free_entropy_density,
        "energy_density": limit.energy_density,
        "entropy_density": limit.entropy_density,
        "replicon": limit.replicon,
        "n_poles": limit.n_poles,
        "stable": limit.stable,
        "residual": limit.residual,
        "conserved_error": limit.conserved_error,
        "depth_fraction": tau.tolist(),
        "overlap": limit.overlap(tau).tolist(),
        "self_overlap": limit.self_overlap(tau).tolist(),
        "finite_depth": [{"depth": depth, **to_json_record(saddle)} for depth, saddle in finite.items()],
    }


def _field_record(model: "ShapedModel", beta: float) -> dict[str, Any]:
    from mcmc.theory.broken import to_json_record
    from mcmc.theory.gaussian_field.thermodynamics import solve_curve
    from mcmc.theory.shaped.covariance import DeepCovariance

    (solution,) = solve_curve(DeepCovariance(model.activation, model.params), [beta])
    return to_json_record(solution)


def _rows(record: dict[str, Any]) -> list[list[str]]:
    def row(depth: str, found: dict[str, Any], replicon: float) -> list[str]:
        q, r = found["overlap"], found["self_overlap"]
        energies = [found[key] for key in ("free_entropy_density", "energy_density", "entropy_density")]
        numbers = [*energies, q[0], q[-1], r[-1], replicon]
        beta, stable = f"{record['beta']:.6g}", "yes" if found["stable"] else "no"
        return [beta, depth, *(f"{number:.6g}" for number in numbers), stable]

    finite = [row(str(found["depth"]), found, found["pivots"][-1]) for found in record["finite_depth"]]
    return [*finite, row("inf", record, record["replicon"])]
