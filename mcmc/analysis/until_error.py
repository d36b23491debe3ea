"""When may a run stop: its errors have reached what was asked for, or more sweeps would never bring them there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcmc.analysis.blocks import blocks_of, pieces
from mcmc.analysis.bootstrap import MIN_NETWORKS, NetworkBootstrap
from mcmc.config import RunConfig
from mcmc.errors import InsufficientDataError, UsageError
from mcmc.io.reader import RunData, read_run
from mcmc.io.schema import Key

SERIES = 8  # of a network in memory at once: energies, control, residual, and parts before they are joined
MIN_SEGMENTS = 2  # earlier, drift and quenched spread cannot be told apart
SURE_SIGMA = 2.0  # the quenched spread alone must exceed the target by this much before a run is given up


@dataclass(frozen=True)
class ErrorTarget:
    """A standard error asked for, of one average at the coldest temperature.

    Attributes:
        name:  as it was given: e, or q of the input, or q1, q2, ... of a layer.
        layer: of the overlap; None for e.
        error: at most this.
    """

    name: str
    layer: int | None
    error: float


@dataclass(frozen=True)
class Precision:
    """How well a target is met so far.

    Attributes:
        stderr:     from the bootstrap over networks, with identity A as control where it was recorded.
        spread:     variance over networks that more sweeps would leave: the covariance of the first and the last third.
        spread_error: of that, from the same bootstrap.
        n_networks_needed: that would meet the target at the configured n_sweeps.
    """

    target: ErrorTarget
    beta: float
    stderr: float
    spread: float
    spread_error: float
    n_networks_needed: int

    @property
    def is_met(self) -> bool:
        return self.stderr <= self.target.error

    def is_hopeless(self, n_networks: int) -> bool:
        """The networks differ by more than the target allows, whatever is known about each."""
        least = (self.spread - SURE_SIGMA * self.spread_error) / n_networks
        return least > self.target.error**2

    def text(self) -> str:
        return (
            f"error of {self.target.name} at beta = {self.beta:.3g} is {self.stderr:.2g} (target {self.target.error:g})"
        )


class ErrorTargets:
    """The targets of a run; called with its directory at the end of each segment (`mcmc.run.driver.Until`)."""

    def __init__(self, texts: Sequence[str], config: RunConfig):
        """Targets as `e=0.002`, `q=0.01`, `q1=0.01`, each text one or several with commas.

        Raises:
            UsageError: not of that form, or the configuration cannot give such an error.
        """
        self.targets = [_parse(part, config) for text in texts for part in text.split(",")]
        if config.model.n_networks < MIN_NETWORKS:
            raise UsageError(
                f"--until-error needs at least {MIN_NETWORKS} networks for an error, found model.n_networks = "
                f"{config.model.n_networks}."
            )
        if config.n_segments < MIN_SEGMENTS:
            raise UsageError(
                "--until-error looks at the end of each segment, and this run has a single one: set "
                f"output.segment_sweeps below run.n_sweeps = {config.run.n_sweeps}."
            )

    def __call__(self, path: Path, *, is_last: bool) -> dict[str, Any]:
        """What `until_error.json` will hold: is_reached, reason, and the numbers.

        Raises:
            InsufficientDataError: more sweeps will not do, unless this was the last; says how many networks would.
        """
        data = read_run(path)
        found = [precision(data, target) for target in self.targets]
        is_early = data.n_segments < MIN_SEGMENTS
        is_reached = not is_early and all(one.is_met for one in found)
        if not (is_reached or is_early or is_last):
            _refuse_hopeless(found, data.n_networks)
        state = "target reached" if is_reached else "n_sweeps reached, target not" if is_last else "goes on"
        return {
            "is_reached": is_reached,
            "reason": f"{state}: {'; '.join(one.text() for one in found)}",
            "targets": [
                {
                    "observable": one.target.name,
                    "target": one.target.error,
                    "beta": one.beta,
                    "stderr": one.stderr,
                    "n_networks_needed": one.n_networks_needed,
                }
                for one in found
            ],
        }


def precision(data: RunData, target: ErrorTarget) -> Precision:
    """The error of an average of a run at its coldest temperature, and what of it is between the networks."""
    bootstrap = NetworkBootstrap(data.n_networks)
    n_networks, third = bootstrap.n_networks, max(1, data.n_draws // 3)
    blocks = [networks for networks, _ in blocks_of((data.n_draws, n_networks, 1), 8 * SERIES)]
    means = [[values.mean(0) for values in _coldest(data, target, networks)] for networks in blocks]
    y, z = (np.concatenate(parts) for parts in zip(*means, strict=True))
    average = bootstrap.controlled(y, z) if data.beta[-1] > 0 else bootstrap.mean(y)
    spread_of_control = float(z.var())
    slope = float(np.cov(y, z, ddof=0)[0, 1]) / spread_of_control if spread_of_control > 0 else 0.0
    parts = []
    for networks in blocks:
        series, control = _coldest(data, target, networks)
        residual = series - slope * control
        parts.append((residual[:third].mean(0), residual[-third:].mean(0), residual.mean(0)))
    first, last, whole = (np.concatenate(part) for part in zip(*parts, strict=True))
    shared = bootstrap.estimate(_covariance, first, last, first * last)
    unbiased = n_networks / (n_networks - 1)
    spread = max(float(shared.value) * unbiased, 0.0)
    sampled = max(float(whole.var(ddof=1)) - spread, 0.0) * data.n_sweeps / data.config.run.n_sweeps
    needed = math.ceil((spread + sampled) / target.error**2)
    return Precision(
        target, float(data.beta[-1]), float(average.stderr), spread, float(shared.stderr) * unbiased, max(needed, 1)
    )


def _coldest(data: RunData, target: ErrorTarget, networks: slice) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) series at the coldest temperature of what the target is an average of, and of its control."""
    index, energy = (networks, slice(-1, None)), data.series(Key.ENERGY)
    series = energy[:, *index].mean(3)[..., 0]
    if not data.config.output.overlaps:
        return series, np.zeros_like(series)
    overlap, self_overlap, depth = data.series(Key.OVERLAP), data.series(Key.SELF_OVERLAP), data.config.model.depth
    measured, control = [], []
    for draws in pieces(overlap):
        q = overlap[draws, *index].mean(3, dtype=np.float64)[:, :, 0]
        r = self_overlap[draws, *index, :, depth:].mean(3, dtype=np.float64)[:, :, 0, 0]
        control.append(series[draws] + data.beta[-1] * (r - q[..., -1]))
        measured.append(series[draws] if target.layer is None else q[..., target.layer])
    return np.concatenate(measured), np.concatenate(control)


def _covariance(first: np.ndarray, last: np.ndarray, product: np.ndarray) -> np.ndarray:
    return product - first * last


def _refuse_hopeless(found: list[Precision], n_networks: int) -> None:
    hopeless = [one for one in found if one.is_hopeless(n_networks)]
    if hopeless:
        worst = max(hopeless, key=lambda one: one.n_networks_needed)
        raise InsufficientDataError(
            f"more sweeps will not reach the target: the {worst.text()}, and the spread of {n_networks} networks alone "
            f"leaves {math.sqrt(worst.spread / n_networks):.2g}. About {worst.n_networks_needed} networks would do "
            "(model.n_networks); what is there stays, and without --until-error the run goes on.",
            n_networks=n_networks,
            n_networks_needed=worst.n_networks_needed,
        )


def _parse(text: str, config: RunConfig) -> ErrorTarget:
    name, _, number = (part.strip() for part in text.partition("="))
    layers = {"q": 0, **{f"q{layer}": layer for layer in range(config.model.depth + 1)}}
    try:
        error = float(number)
    except ValueError:
        error = math.nan
    if not (error > 0 and math.isfinite(error)) or name not in ("e", *layers):
        raise UsageError(
            f"--until-error takes NAME=ERROR (e=0.002) with an error above 0 and a name of e, {', '.join(layers)}: "
            f"found '{text}'."
        )
    if name != "e" and not config.output.overlaps:
        raise UsageError(f"--until-error {text}: this run measures no overlaps (output.overlaps = false).")
    return ErrorTarget(name, layers.get(name), error)
