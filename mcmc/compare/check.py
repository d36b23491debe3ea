"""One line of a table of checks: a measured number against an exact one, with a verdict."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, t

N_SIGMA = 4.5  # about 50 checks: one false alarm in 3000 tables


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        stderr: of the measured value; for a deterministic check, the largest error that rounding allows.
        passed: within N_SIGMA errors, as the tail of Student's t for the number of independent replicas.
    """

    name: str
    measured: float
    stderr: float
    exact: float
    passed: bool

    @property
    def n_sigma(self) -> float:
        """(measured - exact) / stderr."""
        return (self.measured - self.exact) / self.stderr if self.stderr > 0 else math.inf

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "n_sigma": self.n_sigma}


def replica_check(name: str, values: np.ndarray, exact: float) -> Check:
    """(n_draws, n_replicas) of independent replicas (or networks) against an exact mean."""
    means = values.mean(0)
    n = len(means)
    return statistical_check(name, float(means.mean()), float(means.std(ddof=1) / math.sqrt(n)), exact, n)


def statistical_check(name: str, measured: float, stderr: float, exact: float, n: int) -> Check:
    """A mean of n independent numbers with its error against an exact one."""
    bound = float(t.isf(norm.sf(N_SIGMA), n - 1))
    return Check(name, measured, stderr, exact, bool(stderr > 0 and abs(measured - exact) <= bound * stderr))
