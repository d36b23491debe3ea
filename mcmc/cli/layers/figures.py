"""`mlp-gibbs layers figures`: the six figures of the layer field theory, drawn from fresh samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcmc.cli.layers.options import SeedOption
from mcmc.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("covariance", "spectrum", "critical", "factorial", "sampling", "several")


def figures(
    out: Annotated[Path, typer.Option(help="Folder for layers-NAME.png.")],
    only: Annotated[list[str] | None, typer.Option(help=f"{', '.join(NAMES)}; repeat. [all]")] = None,
    networks: Annotated[int, typer.Option(min=20, help="Networks of each measurement.")] = 4000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Covariance, spectrum, critical point, factorial approximation, kernels against exact draws, two inputs."""
    from mcmc.errors import UsageError
    from mcmc.names import nearest
    from mcmc.plots.style import save

    for name in only or ():
        if name not in NAMES:
            raise UsageError(f"unknown figure '{name}'.{nearest(name, NAMES)}")
    paths = [save(_draw(name, networks, seed), out / f"layers-{name}.png") for name in only or NAMES]
    if as_json:
        print_json({"figures": [str(path) for path in paths]})
    else:
        typer.echo("\n".join(str(path) for path in paths))


def _draw(name: str, n: int, seed: int) -> "Figure":
    from mcmc.compare import layer_study as study

    if name == "covariance":
        from mcmc.plots.layers.covariance import covariance_figure

        decays = [study.decay_of(network, 128, n, seed) for network in ("linear", "relu", "tanh", "sin")]
        return covariance_figure(decays, [study.collapse_of(network, n, seed) for network in study.NETWORKS])
    if name == "spectrum":
        from mcmc.plots.layers.spectrum import spectrum_figure

        return spectrum_figure([study.spectrum_of(network, 256, n, seed) for network in ("linear", "relu", "tanh")])
    if name == "critical":
        from mcmc.plots.layers.critical import critical_figure

        networks = [(network, width) for network in ("linear", "relu", "tanh") for width in (128, 256)]
        return critical_figure([study.critical_walk_of(network, width, 40, n, seed) for network, width in networks])
    if name == "factorial":
        from mcmc.plots.layers.factorial import factorial_figure

        shown = [(network, width) for network in ("linear", "relu", "tanh") for width in (128, 512)]
        divergences = [study.factorial_of(network, width, n, seed) for network, width in shown]
        return factorial_figure(
            divergences, [study.collapse_of(network, n, seed) for network in ("linear", "relu", "tanh")]
        )
    if name == "sampling":
        from mcmc.names import KERNEL_NAMES
        from mcmc.plots.layers.sampling import sampling_figure

        return sampling_figure([study.sampled_by(kernel, seed) for kernel in KERNEL_NAMES])
    from mcmc.plots.layers.several import several_figure

    return several_figure([study.pair_of(network, 256, n, seed) for network in study.PAIRS])
