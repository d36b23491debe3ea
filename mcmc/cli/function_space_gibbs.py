"""`mlp-gibbs function-space gibbs`: the Gibbs measure over the weights of a student, beside the theory."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.function_space_options import DepthOption, DeviceOption, SeedOption, WeightsOption
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.analysis.estimate import Estimate
    from mcmc.compare.learning import LearningPoint


def gibbs(
    lowest: Annotated[float, typer.Option(help="alpha of the hottest chain, >= 0.")],
    highest: Annotated[float, typer.Option(help="alpha of the coldest.")],
    weights: WeightsOption = "continuous",
    depth: DepthOption = 2,
    width: Annotated[int, typer.Option(help="N, odd.")] = 11,
    temperatures: Annotated[int, typer.Option(help="Of the ladder, equal steps of alpha.")] = 10,
    teachers: Annotated[int, typer.Option(help="Random teachers; errors are over them.")] = 8,
    replicas: Annotated[int, typer.Option(help="Independent ladders for each teacher.")] = 1,
    examples: Annotated[int | None, typer.Option(help="Random examples; without it, all patterns.")] = None,
    burn_in: Annotated[int, typer.Option(help="Sweeps before measuring; step sizes adapt.")] = 300,
    sweeps: Annotated[int, typer.Option(help="Sweeps measured; one proposal for each row, or weight.")] = 600,
    random_start: Annotated[bool, typer.Option("--random-start", help="Not at the teacher.")] = False,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Sample exp(-alpha L N^2 eps) over the weights of a student by replica exchange, beside the theory."""
    from mcmc.compare.learning import compare_learning
    from mcmc.errors import UsageError
    from mcmc.exchange.ladder import BetaLadder
    from mcmc.run.build import resolve_device
    from mcmc.run.learning import LearningPlan, learn
    from mcmc.systems.function_space.learning import LearningSystem
    from mcmc.theory.function_space.max_entropy import check_depth
    from mcmc.theory.function_space.overlap import check_weights

    check_weights(weights)
    check_depth(depth)
    if teachers < 2:
        raise UsageError(f"--teachers: expected at least 2, whose scatter is the error, found {teachers}.")
    ladder = BetaLadder.linear(lowest, highest, temperatures)
    system = LearningSystem.draw(
        weights,
        depth=depth,
        width=width,
        n_networks=teachers,
        n_examples=examples,
        seed=seed,
        device=resolve_device(device),
    )
    plan = LearningPlan(
        ladder.betas,
        n_burn_in=burn_in,
        n_sweeps=sweeps,
        steps_per_sweep=system.n_sites if system.is_binary else depth * width,
        n_replicas=replicas,
        seed=seed,
        is_planted=not random_start,
    )
    points = compare_learning(learn(system, plan))
    model = {"weights": weights, "depth": depth, "width": width, "n_teachers": teachers, "n_examples": examples}
    records = [learning_record(point) for point in points]
    if as_json:
        print_json({**model, "points": records})
        return
    rows = [
        [
            f"{p.inverse_temperature:.6g}",
            *(f"{e.value:.5f} +- {e.stderr:.5f}" for e in (p.error, p.error_at_overlap)),
            f"{p.theory_error:.5f}",
            *(f"{r.value:.5f} ({theory:.5f})" for r, theory in zip(p.overlap, p.theory_overlap, strict=True)),
        ]
        for p in points
    ]
    header = ["alpha", "error", "error at R", "theory", *(f"R_{i + 1} (theory)" for i in range(depth))]
    print_table(header, rows)


def learning_record(point: "LearningPoint") -> dict[str, Any]:
    """One temperature by the names of the JSON document."""

    def pair(estimate: "Estimate") -> dict[str, float]:
        return {"value": estimate.value, "stderr": estimate.stderr}

    return {
        "inverse_temperature": point.inverse_temperature,
        "error": pair(point.error),
        "overlap": [pair(layer) for layer in point.overlap],
        "drift": pair(point.drift),
        "error_at_overlap": pair(point.error_at_overlap),
        "theory_error": point.theory_error,
        "theory_overlap": list(point.theory_overlap),
    }
