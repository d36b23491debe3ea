"""`mlp-gibbs layers spectrum`: Fourier spectrum of the fluctuations along the layers."""

from typing import Annotated, Any

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


def spectrum(
    activation: ActivationOption = "tanh",
    sigma_w: SigmaWOption = 1.2,
    sigma_b: SigmaBOption = 0.3,
    width: WidthOption = 128,
    activation_param: ActivationParamOption = None,
    window: Annotated[int, typer.Option(min=2, help="Layers in the window, W; k = 2 pi j/W.")] = 32,
    networks: NetworksOption = 2000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """N S(k): infinite lattice, effective field theory, what a window of layers must show, and what it shows."""
    from mcmc.compare.layer_fluctuations import (
        burn_in_layers,
        expected_covariance,
        spectrum_by_wavenumber,
        variance_samples,
    )
    from mcmc.theory.layers.fluctuations import FreeField
    from mcmc.theory.layers.spectrum import (
        field_theory_spectrum,
        lattice_spectrum,
        window_wavenumbers,
        windowed_spectrum,
    )

    theory = build_theory(activation, sigma_w, sigma_b, activation_param)
    field, k = FreeField.at_fixed_point(theory), window_wavenumbers(window)
    expected = expected_covariance(theory, width, window - 1)
    windowed = windowed_spectrum(expected.matrix(window), k)
    record: dict[str, Any] = {
        "activation": theory.activation.name,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "width": width,
        "window": window,
        "chi": field.chi,
        "mass": field.mass,
        "correlation_length": field.correlation_length,
        "k": k.tolist(),
        "lattice": lattice_spectrum(field, k).tolist(),
        "field_theory": field_theory_spectrum(field, k).tolist(),
        "windowed": (width * windowed).tolist(),
        "windowed_from": expected.method,
    }
    if networks:
        burn_in = burn_in_layers(field)
        depth = burn_in + window
        sigma = variance_samples(theory, width, depth, field.variance, n_networks=networks, seed=seed)
        found = spectrum_by_wavenumber(sigma[:, burn_in:], windowed)
        record |= {
            "networks": networks,
            "measured": (width * found.value).tolist(),
            "stderr": (width * found.stderr).tolist(),
            "z": found.z.tolist(),
        }
    if as_json:
        print_json(record)
        return
    names = [name for name in ("k", "lattice", "field_theory", "windowed", "measured", "stderr", "z") if name in record]
    print_table(names, [[f"{record[name][i]:.5g}" for name in names] for i in range(len(k))])
