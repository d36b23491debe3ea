"""`mlp-gibbs layers covariance`: fluctuations of the variance from layer to layer, predicted and measured."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.layers.options import (
    ActivationOption,
    ActivationParamOption,
    NetworksOption,
    SeedOption,
    SigmaBOption,
    SigmaWOption,
    WidthOption,
    build_theory,
)
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.compare.layer_fluctuations import Measured
    from mcmc.theory.layers.fluctuations import Array, FreeField
    from mcmc.theory.layers.model import LayerTheory


def covariance(
    activation: ActivationOption = "tanh",
    sigma_w: SigmaWOption = 1.2,
    sigma_b: SigmaBOption = 0.3,
    width: WidthOption = 128,
    activation_param: ActivationParamOption = None,
    max_lag: Annotated[int, typer.Option(min=0, help="Largest distance of two layers.")] = 10,
    layers: Annotated[int, typer.Option(min=1, help="Layers measured, after those that forget the input.")] = 20,
    networks: NetworksOption = 2000,
    explicit: Annotated[int, typer.Option(min=0, help="Also so many networks with drawn weights.")] = 0,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """N Cov(Sigma_l, Sigma_m) far from the input: free field, next order, exact where known, and measured."""
    from mcmc.compare.layer_fluctuations import expected_covariance
    from mcmc.theory.layers.corrections import next_order
    from mcmc.theory.layers.fluctuations import FreeField
    from mcmc.theory.layers.several import angle_slope

    theory = build_theory(activation, sigma_w, sigma_b, activation_param)
    field = FreeField.at_fixed_point(theory)
    expected, order = expected_covariance(theory, width, max_lag), next_order(theory)
    lags = list(range(max_lag + 1))
    record: dict[str, Any] = {
        "activation": theory.activation.name,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "width": width,
        "variance_fixed_point": field.variance,
        "chi": field.chi,
        "angle_slope": angle_slope(theory, field.variance),
        "n_times_variance": field.n_times_variance,
        "correlation_length": field.correlation_length,
        "mass": field.mass,
        "n_times_mean_shift": order.mean_shift,
        "variance_next_order": order.variance(width),
        "exact_variance": float(expected.by_lag[0]) if expected.is_exact else None,
        "expected_from": expected.method,
        "lags": lags,
        "n_times_covariance": [field.n_times_variance * field.chi**lag for lag in lags],
        "expected_covariance": (width * expected.by_lag).tolist(),
    }
    for prefix, n_networks in (("", networks), ("explicit_", explicit)):
        if n_networks:
            size = width, layers + max_lag
            found = _measure(theory, field, size, expected.by_lag, n_networks, seed=seed, explicit=bool(prefix))
            record |= {f"{prefix}{key}": value for key, value in _measured_record(found, width, n_networks).items()}
    if as_json:
        print_json(record)
        return
    _print(record)


def _measure(
    theory: "LayerTheory", field: "FreeField", size: tuple[int, int], expected: "Array", n_networks: int, **how: Any
) -> "Measured":
    """Covariances in a window of layers far from the input; size is (width, layers of the window)."""
    from mcmc.compare.layer_fluctuations import burn_in_layers, covariance_by_lag, variance_samples

    burn_in = burn_in_layers(field)
    sigma = variance_samples(theory, size[0], burn_in + size[1], field.variance, n_networks=n_networks, **how)
    return covariance_by_lag(sigma[:, burn_in:], expected)


def _measured_record(found: "Measured", width: int, n_networks: int) -> dict[str, Any]:
    value, stderr, z = (width * found.value).tolist(), (width * found.stderr).tolist(), found.z.tolist()
    return {
        "networks": n_networks,
        "measured": value[0],
        "stderr": stderr[0],
        "z": z[0],
        "measured_covariance": value,
        "measured_stderr": stderr,
        "measured_z": z,
    }


def _print(record: dict[str, Any]) -> None:
    keys = ("variance_fixed_point", "chi", "angle_slope", "n_times_variance", "correlation_length", "exact_variance")
    for key in keys:
        if record[key] is not None:
            typer.echo(f"{key:22s} {record[key]:.6g}")
    header = ["lag", "N C (1/N)", record["expected_from"]]
    columns = [record["n_times_covariance"], record["expected_covariance"]]
    for prefix in ("", "explicit_"):
        if f"{prefix}measured" in record:
            header += [f"{prefix}measured", "stderr", "z"]
            columns += [record[f"{prefix}measured_{name}"] for name in ("covariance", "stderr", "z")]
    rows = [[str(lag), *(f"{column[lag]:.5g}" for column in columns)] for lag in record["lags"]]
    print_table(header, rows)
