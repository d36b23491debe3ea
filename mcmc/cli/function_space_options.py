"""Options that the commands of `mlp-gibbs function-space` share."""

from typing import Annotated

import typer

WeightsOption = Annotated[str, typer.Option(help="continuous (rotated by eta_l) or binary (flipped with p_l).")]
DepthOption = Annotated[int, typer.Option(help="Layers of weights, L.")]
WidthOption = Annotated[int, typer.Option(help="Units of a simulated layer (channels, with --window); odd.")]
NetworksOption = Annotated[int, typer.Option(help="Simulated pairs of networks.")]
InputsOption = Annotated[int, typer.Option(help="Random inputs of each simulated network.")]
SeedOption = Annotated[int, typer.Option(help="Of weights, inputs and wiring.")]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
