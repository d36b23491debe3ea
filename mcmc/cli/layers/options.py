"""Options that the `layers` commands share."""

from typing import TYPE_CHECKING, Annotated

import typer

from mcmc.cli.model_options import parse_assignments

if TYPE_CHECKING:
    from mcmc.theory.layers.model import LayerTheory

ActivationOption = Annotated[str, typer.Option(help="linear, relu, leaky_relu, tanh, sin, erf, ...")]
ActivationParamOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="As in negative_slope=0.1.")
]
SigmaWOption = Annotated[float, typer.Option(help="Weights have variance sigma_w^2/N.")]
SigmaBOption = Annotated[float, typer.Option(help="Biases have variance sigma_b^2.")]
WidthOption = Annotated[int, typer.Option(min=1, help="Units of a layer, N.")]
NetworksOption = Annotated[int, typer.Option(min=0, help="Networks to draw; 0: theory alone.")]
SeedOption = Annotated[int, typer.Option(help="Of the random streams.")]


def build_theory(
    activation: str, sigma_w: float, sigma_b: float, params: list[str] | None, depth: int = 1
) -> "LayerTheory":
    """The theory of the options; a depth matters to shaped activations only."""
    from mcmc.theory.layers.model import LayerTheory

    return LayerTheory.build(
        activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        depth=depth,
        activation_params=parse_assignments("--activation-param", params),
    )
