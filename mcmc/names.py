"""The names that a configuration may use, apart from the code behind them, so that checking needs no torch."""

import difflib
from collections.abc import Iterable

MAX_LENGTH = 240  # of a line

ACTIVATION_PARAMETERS: dict[str, tuple[str, ...]] = {
    "linear": (),
    "tanh": (),
    "sin": (),
    "erf": (),
    "relu": (),
    "leaky_relu": ("negative_slope",),
    "shaped_tanh": ("shape",),
    "shaped_relu": ("c_plus", "c_minus"),
}
ACTIVATION_NAMES = tuple(ACTIVATION_PARAMETERS)
KERNEL_NAMES = ("hmc", "mala", "langevin", "random_walk")


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest known name and lists them all, to end an error message."""
    known = tuple(known)
    plain = name[:100].lower().replace(" ", "_").replace("-", "_")
    match = difflib.get_close_matches(plain, known, n=1, cutoff=0.4)
    return (f" Did you mean '{match[0]}'?" if match else "") + f" Known: {', '.join(known)}."


def clipped(line: str) -> str:
    """The line, its middle left out if it is long: the end says what is known or what to try."""
    half = MAX_LENGTH // 2
    return line if len(line) <= MAX_LENGTH else f"{line[:half]} ... {line[-half:]}"
