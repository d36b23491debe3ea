"""Options that several commands share: the network, numbers for one or all layers, parameters of the activation."""

from typing import Annotated

import typer

from mcmc.errors import UsageError

ActivationOption = Annotated[str, typer.Option(help="linear, tanh, sin, erf, relu, leaky_relu, shaped_tanh, ...")]
DepthOption = Annotated[int, typer.Option(help="Number of hidden layers, L.")]
WidthRatioOption = Annotated[
    list[float] | None,
    typer.Option(help="alpha_l = N_l/N_0; once for all layers, or once a layer; inf: infinite width first. [1]"),
]
SigmaWOption = Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [1]")]
SigmaBOption = Annotated[list[float] | None, typer.Option(help="Once for all layers, or once a layer. [0]")]
ActivationParamOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="As in negative_slope=0.1.")
]


def one_or_all(values: list[float] | None, default: float) -> float | list[float]:
    """A single number stands for every layer; none given, the default does."""
    if not values:
        return default
    return values[0] if len(values) == 1 else values


def parse_assignments(option: str, assignments: list[str] | None) -> dict[str, float]:
    """{"name": number} from ["name=number", ...].

    Raises:
        UsageError: one of them is not of that form.
    """
    parameters = {}
    for assignment in assignments or []:
        name, _, value = assignment.partition("=")
        try:
            parameters[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"{option} expects NAME=NUMBER, found '{assignment}'.") from None
    return parameters
