"""The axes of a phase diagram: what `--scan beta=0.5:8:16`, `depth=1:4:4` or `width_ratio=1,8,inf` mean."""

import math
from dataclasses import dataclass

import numpy as np

from mcmc.errors import UsageError
from mcmc.names import ACTIVATION_PARAMETERS, nearest

MODEL_KEYS = ("beta", "sigma_w", "sigma_b", "width_ratio", "depth")
MAX_VALUES = 10_000  # of one axis: more is a slip of the pen
EXAMPLE = "as in sigma_w=0.5:3:26 (from:to:how many) or width_ratio=1,8,inf (a list)"


@dataclass(frozen=True)
class Axis:
    """One axis: the key of the model that changes and the values it takes, increasing."""

    key: str
    values: tuple[float, ...]


def parse_axis(text: str, activation: str) -> Axis:
    """The axis that one `--scan` means; values are sorted.

    Args:
        text:       key=from:to:n, ends included, or key=value,value,...
        activation: its name; its parameters may be scanned too.
    Raises:
        UsageError: no such key, no such syntax, n < 1, values out of range or twice.
    """
    key, equals, spread = text.partition("=")
    key = key.strip()
    known = (*MODEL_KEYS, *ACTIVATION_PARAMETERS.get(activation, ()))
    if not equals or not spread.strip():
        raise UsageError(f"--scan expects KEY=VALUES, {EXAMPLE}, found '{text}'.")
    if key not in known:
        raise UsageError(f"--scan {text}: unknown key '{key}'.{nearest(key, known)}", key=key)
    values = _range(text, spread) if ":" in spread else [_number(text, part) for part in spread.split(",")]
    for value in values:
        _check(text, key, value)
    if len(set(values)) < len(values):
        raise UsageError(f"--scan {text}: a value occurs twice.", key=key)
    return Axis(key, tuple(sorted(values)))


def _range(text: str, spread: str) -> list[float]:
    parts = spread.split(":")
    if len(parts) != 3:
        raise UsageError(f"--scan expects from:to:n with two colons, {EXAMPLE}, found '{text}'.")
    first, last = _number(text, parts[0]), _number(text, parts[1])
    try:
        n = int(parts[2])
    except ValueError:
        raise UsageError(f"--scan {text}: expected a whole number of values, found '{parts[2]}'.") from None
    if not 1 <= n <= MAX_VALUES:
        raise UsageError(f"--scan {text}: expected 1 to {MAX_VALUES} values, found n={n}.", n=n)
    if not (math.isfinite(first) and math.isfinite(last)):
        raise UsageError(f"--scan {text}: expected finite ends; inf goes into a list, as in width_ratio=1,8,inf.")
    if n == 1 and first != last:
        raise UsageError(f"--scan {text}: one value cannot span {first:g} to {last:g}. Give n >= 2.", n=n)
    # rounded: 0.1 * 3 is 0.30000000000000004, and the same axis typed as a list must be the same diagram
    return [float(f"{value:.12g}") for value in np.linspace(first, last, n)]


def _number(text: str, part: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise UsageError(f"--scan {text}: '{part.strip()}' is not a number; expected {EXAMPLE}.") from None


def _check(text: str, key: str, value: float) -> None:
    """What can be told without building the model."""
    if key == "beta" and not (value > 0 and math.isfinite(value)):
        raise UsageError(f"--scan {text}: expected finite beta > 0, found {value:g}.", beta=value)
    if key == "depth" and not (value >= 1 and value == int(value)):
        raise UsageError(f"--scan {text}: expected whole numbers of layers >= 1, found {value:g}.", depth=value)
    if math.isnan(value) or (math.isinf(value) and key != "width_ratio"):
        raise UsageError(f"--scan {text}: expected finite numbers, found {value:g}.", value=value)
