"""`mlp-gibbs layers critical`: the weight scale at which norms neither grow nor die, and how they then wander."""

import math
from typing import Annotated, Any

import typer

from mcmc.cli.layers.options import (
    ActivationOption,
    ActivationParamOption,
    NetworksOption,
    SeedOption,
    WidthOption,
    build_theory,
)
from mcmc.cli.output import JsonOption, print_json, print_table


def critical(
    activation: ActivationOption = "relu",
    width: WidthOption = 256,
    depth: Annotated[int, typer.Option(min=1, help="Layers passed, l - 1.")] = 40,
    activation_param: ActivationParamOption = None,
    sigma_w: Annotated[float | None, typer.Option(help="[the critical one]")] = None,
    networks: NetworksOption = 2000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """ln(Sigma_l/Sigma_1) without biases: mean and variance over networks, exact for linear and relu."""
    from mcmc.compare.layer_fluctuations import log_moments, variance_samples
    from mcmc.theory.layers.critical import critical_weight_variance, log_walk

    weight_variance = critical_weight_variance(build_theory(activation, 1.0, 0.0, activation_param).activation)
    critical_sigma_w = math.sqrt(weight_variance)
    theory = build_theory(activation, critical_sigma_w if sigma_w is None else sigma_w, 0.0, activation_param)
    walk = log_walk(theory, 1.0, depth + 1, width)
    record: dict[str, Any] = {
        "activation": theory.activation.name,
        "width": width,
        "critical_sigma_w": critical_sigma_w,
        "critical_weight_variance": weight_variance,
        "sigma_w": theory.sigma_w,
        "layers": list(range(1, depth + 1)),
        "mean_log": walk.mean[1:].tolist(),
        "variance_log": walk.variance[1:].tolist(),
        "is_exact": walk.is_exact,
    }
    if networks:
        sigma = variance_samples(theory, width, depth + 1, 1.0, n_networks=networks, seed=seed)
        mean, variance = log_moments(sigma, walk.mean, walk.variance)
        record |= {
            "networks": networks,
            "measured_mean": mean.value.tolist(),
            "measured_mean_stderr": mean.stderr.tolist(),
            "measured_mean_z": mean.z.tolist(),
            "measured": variance.value.tolist(),
            "stderr": variance.stderr.tolist(),
            "z": variance.z.tolist(),
        }
    if as_json:
        print_json(record)
        return
    typer.echo(f"critical sigma_w = {critical_sigma_w:.6g} (sigma_w^2 = {weight_variance:.6g}), sigma_b = 0")
    columns = ("mean_log", "measured_mean", "measured_mean_z", "variance_log", "measured", "stderr", "z")
    names = [name for name in columns if name in record]
    rows = [[str(layer), *(f"{record[name][layer - 1]:.5g}" for name in names)] for layer in record["layers"]]
    print_table(["layers", *names], rows)
