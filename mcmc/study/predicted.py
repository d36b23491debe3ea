"""The prediction for an observable of `analysis.observables` in the limit of N_0."""

import math

from mcmc.compare.overlaps import GHIRLANDA_GUERRA
from mcmc.compare.prediction import Prediction

THERMODYNAMIC = ("energy_density", "free_entropy_density", "entropy_density")


def predicted_value(prediction: Prediction, observable: str) -> float | None:
    """A moment, width, Binder ratio or outermost level of P(q^l), its disorder, or a thermodynamic density.

    None where the limit is not defined, as the Binder ratio of q = 0, or not told by the levels, as the share of the
    disorder in a symmetric phase.
    """
    if observable in THERMODYNAMIC:
        return float(getattr(prediction, observable))
    kind, _, layer = observable.rpartition("_")
    levels, weights = prediction.levels[int(layer)], prediction.weights

    def moment(power: int) -> float:
        return float(levels**power @ weights)

    if kind == "overlap":
        value = moment(1)
    elif kind.startswith("overlap_moment_"):
        value = moment(int(kind.rpartition("_")[2]))
    elif kind == "overlap_width":
        value = float(prediction.level_spread[int(layer)])
    elif kind == "overlap_peak":
        value = float(levels[-1])
    elif kind == "overlap_disorder":
        value = GHIRLANDA_GUERRA * float(prediction.level_spread[int(layer)]) ** 2
    elif kind == "overlap_disorder_share":
        value = math.nan if prediction.solution is None else GHIRLANDA_GUERRA
    elif kind == "binder":
        second = moment(2)
        value = 0.5 * (3 - moment(4) / second**2) if second > 1e-12 else math.nan
    else:
        return None
    return value if math.isfinite(value) else None
