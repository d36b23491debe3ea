"""`mlp-gibbs function-space`: networks whose weights are perturbed, and how many of them compute nearly the same."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcmc.cli.function_space_figures import figures
from mcmc.cli.function_space_gibbs import gibbs
from mcmc.cli.function_space_options import (
    DepthOption,
    DeviceOption,
    InputsOption,
    NetworksOption,
    SeedOption,
    WeightsOption,
    WidthOption,
)
from mcmc.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from mcmc.compare.function_space import MeasuredOverlaps
    from mcmc.theory.function_space.max_entropy import MaxEntropy

function_space = typer.Typer(
    help="Overlaps of a network and its perturbed copy, perturbations of maximal entropy, generalisation, majority "
    "gates (Li and Saad 2018).",
    no_args_is_help=True,
    rich_markup_mode=None,
)
SimulateOption = Annotated[bool, typer.Option("--simulate", help="Measure it in explicit networks too.")]
function_space.command()(gibbs)
function_space.command()(figures)


@function_space.command()
def overlap(
    perturbation: Annotated[list[float], typer.Option(help="eta or p; once for all layers, or once a layer.")],
    weights: WeightsOption = "continuous",
    depth: DepthOption = 4,
    unit: Annotated[str, typer.Option(help="sign, thermal (needs --beta) or relu.")] = "sign",
    beta: Annotated[float | None, typer.Option(help="Inverse temperature of thermal units.")] = None,
    sigma: Annotated[float, typer.Option(help="Standard deviation of a weight, for thermal units.")] = 1.0,
    row_correlation: Annotated[float, typer.Option(help="gamma of relu networks, >= -1.")] = 0.0,
    window: Annotated[int | None, typer.Option(help="Simulate a convolution of this odd window instead.")] = None,
    places: Annotated[int, typer.Option(help="Places of the convolution, on a ring.")] = 64,
    simulate: SimulateOption = False,
    width: WidthOption = 1001,
    networks: NetworksOption = 8,
    inputs: InputsOption = 64,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Overlap q^l of a network and its perturbed copy in every layer, and the error (1-q^L)/2 of the output bits."""
    from mcmc.errors import UsageError
    from mcmc.theory.function_space.max_entropy import check_depth
    from mcmc.theory.function_space.overlap import overlap_profile
    from mcmc.theory.function_space.units import make_unit

    check_depth(depth, 10_000)
    layers = tuple(perturbation) * (depth if len(perturbation) == 1 else 1)
    if len(layers) != depth:
        raise UsageError(f"--perturbation: expected one number or {depth} (one a layer), found {len(layers)}.")
    profile = overlap_profile(weights, layers, make_unit(unit, beta=beta, sigma=sigma, row_correlation=row_correlation))
    content: dict[str, Any] = {"overlap": profile.overlap.tolist(), "error": profile.error}
    if profile.variance is not None:
        content["n_times_variance"] = profile.variance.tolist()
    if simulate:
        measured = _simulate(
            weights,
            layers,
            {"unit": unit, "beta": beta, "sigma": sigma, "row_correlation": row_correlation},
            sizes=(width, networks, inputs, seed),
            ring=(window, places),
            device=device,
        )
        content |= _measured_record(measured)
    _show(content, as_json)


@function_space.command()
def max_entropy(
    error: Annotated[float, typer.Option(help="Probability of an output bit to differ, between 0 and 1/2.")],
    weights: WeightsOption = "continuous",
    depth: DepthOption = 4,
    alignment: Annotated[
        bool, typer.Option(help="Also the errors below which another first layer of binary weights stays untouched.")
    ] = False,
    simulate: SimulateOption = False,
    width: WidthOption = 1001,
    networks: NetworksOption = 8,
    inputs: InputsOption = 64,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """The most numerous perturbation at a given error of sign networks: eta_l* or p_l* of every layer."""
    from mcmc.errors import UsageError

    if alignment and weights != "binary":
        raise UsageError(f"--alignment is for binary weights: continuous ones have no such points, found {weights}.")
    found = _most_numerous(weights, error, depth)
    content: dict[str, Any] = {
        "perturbation": found.perturbation.tolist(),
        "entropy_density": found.entropy_density,
        "overlap": found.overlap.tolist(),
        "error": found.error,
        "conjugate": found.conjugate,
    }
    if alignment:
        from mcmc.theory.function_space.max_entropy_binary import alignment_error

        content["alignment_errors"] = [alignment_error(n) for n in range(depth, 1, -1)]
    if simulate:
        measured = _simulate(
            weights, tuple(found.perturbation.tolist()), {}, sizes=(width, networks, inputs, seed), device=device
        )
        content |= _measured_record(measured)
    _show(content, as_json)


@function_space.command()
def generalization(
    load: Annotated[float, typer.Option(help="alpha, one-bit examples per weight: P = alpha L N^2.")],
    depth: DepthOption = 4,
    as_json: JsonOption = False,
) -> None:
    """Annealed generalisation error of continuous weights, and the load at which learning sets in."""
    from mcmc.theory.function_space.generalization import asymptotic_error, generalization_error, jump

    found = jump(depth)
    content = {
        "error": generalization_error(load, depth),
        "jump_load": found.load,
        "jump_error": found.error,
        "asymptotic_error": asymptotic_error(load, depth),
    }
    _show(content, as_json)


@function_space.command()
def sparse(
    k: Annotated[int, typer.Option("--k", help="Inputs of a majority gate, odd.")] = 3,
    flip: Annotated[float, typer.Option(help="Probability p of a weight to be flipped.")] = 0.05,
    layers: Annotated[int | None, typer.Option(help="Also the first layers, one by one.")] = None,
    start: Annotated[float, typer.Option(help="Mean spin of the input, for --layers.")] = 0.2,
    simulate: Annotated[bool, typer.Option("--simulate", help="Measure the layers in explicit networks too.")] = False,
    width: Annotated[int, typer.Option(help="Units of a simulated layer.")] = 200_000,
    networks: NetworksOption = 1,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Majority gates of k random inputs: what is left of a magnetised input after many layers, with flipped weights."""
    from mcmc.errors import UsageError
    from mcmc.theory.function_space.sparse import critical_flip, stationary, transient

    if simulate and layers is None:
        raise UsageError("--simulate needs --layers: how many layers to measure, as in --layers 60.")
    final = stationary(k, flip)
    content: dict[str, Any] = {
        "magnetization": final.magnetization,
        "overlap": final.overlap,
        "error": final.error,
        "critical_flip": critical_flip(k),
    }
    if layers is not None:
        states = transient(k, flip, start, layers)
        content["transient"] = {
            "reference": [state.reference for state in states],
            "magnetization": [state.magnetization for state in states],
            "overlap": [state.overlap for state in states],
            "error": [state.error for state in states],
        }
    if simulate:
        from mcmc.compare.function_space import compare_majority
        from mcmc.run.build import resolve_device

        assert layers is not None
        measured = compare_majority(
            k,
            flip,
            start=start,
            width=width,
            n_layers=layers,
            n_networks=networks,
            seed=seed,
            device=resolve_device(device),
        )
        names = ("reference", "magnetization", "overlap")
        for key, values in (("measured", measured.measured), ("stderr", measured.stderr), ("z", measured.z)):
            content[key] = {name: values[:, i].tolist() for i, name in enumerate(names)}
    _show(content, as_json)


def _most_numerous(weights: str, error: float, depth: int) -> "MaxEntropy":
    from mcmc.theory.function_space.max_entropy import max_entropy_continuous
    from mcmc.theory.function_space.overlap import check_weights

    check_weights(weights)
    if weights == "continuous":
        return max_entropy_continuous(error, depth)
    from mcmc.theory.function_space.max_entropy_binary import max_entropy_binary

    return max_entropy_binary(error, depth)


def _simulate(
    weights: str,
    perturbation: tuple[float, ...],
    unit: dict[str, Any],
    *,
    sizes: tuple[int, int, int, int],
    device: str,
    ring: tuple[int | None, int] = (None, 0),
) -> "MeasuredOverlaps":
    from mcmc.compare.function_space import SimulationSize, compare_overlaps, ensemble_of
    from mcmc.run.build import resolve_device
    from mcmc.systems.function_space.ensemble import Layout

    width, networks, inputs, seed = sizes
    window, places = ring
    layout = Layout(width) if window is None else Layout(width, places, window)
    ensemble = ensemble_of(weights, perturbation, layout=layout, **unit)
    return compare_overlaps(ensemble, SimulationSize(networks, inputs, seed), resolve_device(device))


def _measured_record(measured: "MeasuredOverlaps") -> dict[str, Any]:
    return {
        "measured": measured.measured.tolist(),
        "stderr": measured.stderr.tolist(),
        "z": measured.z.tolist(),
        "stderr_is_derived": measured.is_derived,
        "wrong_units": measured.wrong_units.tolist(),
    }


def _show(content: dict[str, Any], as_json: bool) -> None:
    """One JSON object; or numbers by name, then lists of one length as columns."""
    if as_json:
        print_json(content)
        return
    flat = {key: value for key, value in content.items() if not isinstance(value, dict)}
    for name, group in content.items():
        if isinstance(group, dict):
            flat |= {f"{name} {key[:4]}": value for key, value in group.items()}
    columns = {key: value for key, value in flat.items() if isinstance(value, list)}
    for key, value in flat.items():
        if not isinstance(value, list):
            typer.echo(f"{key} = {_text(value)}")
    for length in sorted({len(values) for values in columns.values()}):
        chosen = {key: values for key, values in columns.items() if len(values) == length}
        first = 0 if "transient" in content else 1
        rows = [[str(first + i), *(_text(values[i]) for values in chosen.values())] for i in range(length)]
        print_table(["layer", *chosen], rows)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if isinstance(value, float) and not math.isfinite(value) else f"{value:.6g}"
