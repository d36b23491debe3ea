"""The verdict at one point of a diagram: a phase with its evidence, or the reason why there is none."""

import math
from dataclasses import dataclass, field
from typing import Any

NOT_SOLVED = "not solved"


@dataclass(frozen=True)
class Point:
    """One temperature of one model.

    Attributes:
        beta:                 inverse temperature.
        label:                "RS", "1RSB", "2RSB", ..., "full RSB", "1RSB + full", ... or "not solved".
        error:                why it is not solved; else empty.
        seconds:              time taken.
        free_entropy_density, free_entropy_error, energy_density, energy_error: Phi and e; NaN where not solved.
        replicon:             innermost replicon of the solution.
        pivots:               of replica symmetry, hidden layers first; for infinite width its replicon.
        overlap:              for each layer 0 ... L (infinite width: too) the levels q^l[0] ... q^l[k].
        breaking_points:      x_1 ... x_k.
        evidence:             what the verdict was judged by.
    """

    beta: float
    label: str
    seconds: float = 0.0
    error: str = ""
    free_entropy_density: float = math.nan
    free_entropy_error: float = math.nan
    energy_density: float = math.nan
    energy_error: float = math.nan
    replicon: float = math.nan
    pivots: tuple[float, ...] = ()
    overlap: tuple[tuple[float, ...], ...] = ()
    breaking_points: tuple[float, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert (self.label == NOT_SOLVED) == bool(self.error), "either a phase or a reason why not"
