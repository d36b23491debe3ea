"""`mlp-gibbs layers sample`: the chain of layers by a kernel with replica exchange, against its exact draws."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.layers.options import (
    ActivationOption,
    ActivationParamOption,
    SeedOption,
    SigmaBOption,
    SigmaWOption,
    build_theory,
)
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.run.chains import ChainDraws

STEPS_PER_SWEEP = {"hmc": 1, "mala": 4, "langevin": 5, "random_walk": 10}


def sample(
    activation: ActivationOption = "tanh",
    sigma_w: SigmaWOption = 1.2,
    sigma_b: SigmaBOption = 0.3,
    width: Annotated[int, typer.Option(min=1, help="Units of a layer, N.")] = 8,
    depth: Annotated[int, typer.Option(min=1, help="Layers, L.")] = 4,
    activation_param: ActivationParamOption = None,
    first_variance: Annotated[
        list[float] | None, typer.Option(help="Sigma_1; or its n^2 entries, row by row, for n inputs. [1]")
    ] = None,
    beta: Annotated[
        list[float] | None, typer.Option(help="Inverse temperature; repeat for a ladder. [0.8 and 1]")
    ] = None,
    kernel: Annotated[str, typer.Option(help="hmc, mala, langevin or random_walk.")] = "hmc",
    replicas: Annotated[int, typer.Option(min=2, help="Independent copies of the ladder.")] = 64,
    burn_in: Annotated[int, typer.Option(min=1, help="Sweeps before the first draw.")] = 200,
    draws: Annotated[int, typer.Option(min=1, help="Sweeps that are drawn.")] = 300,
    leapfrog: Annotated[int, typer.Option(min=1, help="Leapfrog steps of an HMC trajectory.")] = 8,
    step_size: Annotated[float | None, typer.Option(help="Of the integrator. [adapted]")] = None,
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option(help="Write the draws to this HDF5 file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Sample exp(-beta H) of the layers; exit status 1 if a mean disagrees with exact (weighted ancestral) draws."""
    from mcmc.errors import UsageError
    from mcmc.names import KERNEL_NAMES, nearest

    if kernel not in KERNEL_NAMES:
        raise UsageError(f"unknown kernel '{kernel}'.{nearest(kernel, KERNEL_NAMES)}")
    if step_size is not None and not step_size > 0:
        raise UsageError(f"--step-size: expected a number > 0, found {step_size}.")
    betas = sorted(beta or [0.8, 1.0])
    if betas[0] <= 0 or (betas[-1] > 1 and sigma_b == 0):
        raise UsageError(
            f"the chain of layers has a law for 0 < beta <= 1, and beyond 1 if sigma_b > 0; found beta = {betas}."
        )

    import torch

    from mcmc.compare.layers import layer_checks, observable_names
    from mcmc.kernels.registry import KERNELS
    from mcmc.run.chains import ChainPlan
    from mcmc.systems.layers.chain import LayerChain

    theory = build_theory(activation, sigma_w, sigma_b, activation_param, depth)
    first = _first_matrix(first_variance or [1.0])
    chain = LayerChain(torch.arange(1), theory.activation, width, depth, sigma_w, sigma_b, first)
    n_leapfrog = leapfrog if kernel == "hmc" else 1
    plan = ChainPlan(betas, replicas, burn_in, draws, STEPS_PER_SWEEP[kernel], n_leapfrog, step_size)
    checks, found = layer_checks(chain, KERNELS[kernel](), plan, seed=seed)
    passed = all(line.check is None or line.check.passed for line in checks)
    record: dict[str, Any] = {
        "activation": theory.activation.name,
        "kernel": kernel,
        "width": width,
        "depth": depth,
        "beta": betas,
        "acceptance": found.acceptance.tolist(),
        "step_size": found.step_size.tolist(),
        "swap_rejection": found.swap_rejection.tolist(),
        "checks": [line.to_json() for line in checks],
        "passed": passed,
    }
    if out is not None:
        _write(out, found, betas, observable_names(chain), theory.label)
        record["out"] = str(out)
    if as_json:
        print_json(record)
    else:
        _print(record)
    if not passed:
        raise typer.Exit(1)


def _first_matrix(entries: list[float]) -> Any:
    import math

    import torch

    from mcmc.errors import UsageError

    n = math.isqrt(len(entries))
    if n * n != len(entries):
        raise UsageError(f"--first-variance: expected 1, 4, 9, ... entries of a square matrix, found {len(entries)}.")
    return torch.tensor(entries, dtype=torch.float64).view(n, n)


def _write(path: Path, found: "ChainDraws", betas: list[float], names: list[str], label: str) -> None:
    """Draws in temperature order, (draw, network, temperature, replica[, observable]), and what they are of."""
    import numpy as np

    from mcmc.io.arrays import write_arrays

    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "beta": np.array(betas),
        "energy": found.energy,
        "observed": found.observed,
        "observable": np.array([name.encode() for name in names]),
    }
    write_arrays(path, arrays, {"schema": "mlp-gibbs layers sample", "schema_version": 1, "model": label})


def _print(record: dict[str, Any]) -> None:
    def shown(value: float | None, form: str) -> str:
        return "unknown" if value is None else format(value, form)

    rows = [
        [
            f"{line['beta']:g}",
            line["observable"],
            f"{line['measured']:.5g}",
            f"{line['stderr']:.2g}",
            shown(line["exact"], ".5g"),
            shown(line["z"], "+.1f"),
            "FAILED" if line["passed"] is False else "",
        ]
        for line in record["checks"]
    ]
    print_table(["beta", "observable", "measured", "stderr", "exact", "z", ""], rows)
