"""The replica prediction at every temperature of a run, under the ansatz that was asked for or that the phase needs.

P(q) has no mirror image to add: an odd activation makes H odd, so that x and -x have opposite energies, and the two
replicas of a pair choose the same side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from mcmc.config import ModelConfig
from mcmc.errors import ConvergenceError
from mcmc.theory.ansatz import check_ansatz, phase_name
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb.classify import classify
from mcmc.theory.rsb.full import solve_full
from mcmc.theory.rsb.k_step import solve_k_step
from mcmc.theory.saddle import SaddlePoint

N_CONTINUOUS = 101  # points of the curve of a continuous part


@dataclass(frozen=True)
class Prediction:
    """The law of the overlaps and the thermodynamics at one temperature.

        P(q^l) = sum_i (x_{i+1} - x_i) delta(q^l - q^l[i])

    Attributes:
        symmetric: the replica-symmetric saddle point.
        solution:  the broken solution that replaces it, or None.
        note:      why the ansatz that was asked for is not the one given here, or None.
    """

    symmetric: SaddlePoint
    solution: BrokenSolution | None = None
    note: str | None = None

    @property
    def beta(self) -> float:
        """Inverse temperature."""
        return self.symmetric.beta

    @property
    def _given(self) -> SaddlePoint | BrokenSolution:
        return self.solution or self.symmetric

    @property
    def ansatz(self) -> str:
        """rs, 1rsb, 2rsb, ... or full."""
        return "rs" if self.solution is None else self.solution.ansatz

    @property
    def phase(self) -> str:
        """The same in words: RS, 1RSB, ..., full RSB."""
        return phase_name(self.ansatz)

    @property
    def levels(self) -> np.ndarray:
        """(L+1, k+1) q^l[i]; of full breaking, the steps that stand for the continuous part too."""
        return np.array(self._given.overlap).reshape(len(self._given.overlap), -1)

    @property
    def weights(self) -> np.ndarray:
        """(k+1,) x_{i+1} - x_i, the probability of each level."""
        return np.ones(1) if self.solution is None else np.array(self.solution.weights)

    @property
    def mean_overlap(self) -> np.ndarray:
        """(L+1,) sum_i (x_{i+1} - x_i) q^l[i]."""
        return self.levels @ self.weights

    @property
    def level_spread(self) -> np.ndarray:
        """(L+1,) standard deviation of P(q^l), which N_0 -> infinity leaves."""
        return np.sqrt((self.levels - self.mean_overlap[:, None]) ** 2 @ self.weights)

    @property
    def self_overlap(self) -> tuple[float, ...]:
        """(1, r_1, ..., r_L)."""
        return self._given.self_overlap

    @property
    def energy_density(self) -> float:
        """e = -beta (r_L - sum_i (x_{i+1} - x_i) q_L[i])."""
        return self._given.energy_density

    @property
    def free_entropy_density(self) -> float:
        """Phi."""
        return self._given.free_entropy_density

    @property
    def entropy_density(self) -> float:
        """s = Phi + beta e."""
        return self._given.entropy_density

    @property
    def stable(self) -> bool:
        """No pivot of the solution given is negative."""
        return self._given.stable

    def deltas(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Places and weights of the delta functions of P(q^l); of full breaking, at q[0] and at q_EA only."""
        if self.solution is None or self.ansatz != "full":
            return self.levels[layer], self.weights
        evidence = self.solution.evidence
        return self.levels[layer][[0, -1]], np.array([evidence["x_min"], 1 - evidence["x_max"]])

    def continuous(self, layer: int) -> tuple[np.ndarray, np.ndarray] | None:
        """(q^l, P) of the continuous part, P = dx/dq through the middles of the steps; None where there is none."""
        if self.solution is None or self.ansatz != "full":
            return None
        levels, evidence = self.levels[layer], self.solution.evidence
        q = np.array([levels[0], *(levels[1:] + levels[:-1]) / 2, levels[-1]])
        x = np.array([evidence["x_min"], *self.solution.breaking_points, evidence["x_max"]])
        grid = np.linspace(q[0], q[-1], N_CONTINUOUS)
        return grid, PchipInterpolator(q, x).derivative()(grid)

    def to_json(self) -> dict[str, Any]:
        """An element of "predictions" of `mlp-gibbs compare --json`."""
        points = () if self.solution is None else self.solution.breaking_points
        return {
            "beta": self.beta,
            "ansatz": self.ansatz,
            "phase": self.phase,
            "overlap": self.levels.tolist(),
            "weights": self.weights.tolist(),
            "breaking_points": list(points),
            "self_overlap": list(self.self_overlap),
            "free_entropy_density": self.free_entropy_density,
            "energy_density": self.energy_density,
            "replicon": float(self.symmetric.pivots[-1] if self.solution is None else self.solution.replicon),
            "stable": bool(self.stable),
            "note": self.note,
        }


def theory_model(model: ModelConfig, *, is_limit: bool = False) -> TheoryModel:
    """The theory's model of a run: the width ratios that the integer widths really have.

    Args:
        is_limit: take the ratios that were asked for, which the integer widths approach as N_0 grows.
    """
    n_inputs, *hidden = model.widths
    return TheoryModel.build(
        model.activation,
        depth=model.depth,
        width_ratios=model.width_ratios if is_limit else [n / n_inputs for n in hidden],
        sigma_w=model.sigma_w,
        sigma_b=model.sigma_b,
        activation_params=model.activation_params,
    )


def predict(
    model: TheoryModel, betas: Sequence[float], *, ansatz: str = "auto", n_steps: int | None = None
) -> list[Prediction]:
    """The prediction at these increasing inverse temperatures.

    Where the ansatz has no solution, as 1rsb where replica symmetry holds, the replica-symmetric one stands in with a
    note. "auto" asks `classify` from the coldest temperature on; replica symmetry that is stable, and without a far
    inner level at one temperature, is taken to have none at the hotter ones, where no pivot is negative.

    Args:
        ansatz:  auto, rs, 1rsb, krsb (with n_steps) or full.
        n_steps: k of krsb.
    Raises:
        UsageError:       an unknown ansatz, or n_steps without krsb.
        ConvergenceError: replica symmetry has no solution at a beta.
    """
    check_ansatz(ansatz, n_steps)
    saddles = solve_rs_curve(model, betas)
    if ansatz == "rs":
        return [Prediction(saddle) for saddle in saddles]
    if ansatz == "auto":
        return _classified(model, saddles)
    return [_asked_for(model, saddle, ansatz, n_steps or 1) for saddle in saddles]


def _asked_for(model: TheoryModel, saddle: SaddlePoint, ansatz: str, n_steps: int) -> Prediction:
    if saddle.beta == 0:
        return Prediction(saddle, note="beta = 0: nothing breaks at infinite temperature.")
    try:
        if ansatz == "full":
            return Prediction(saddle, solve_full(model, saddle.beta, symmetric=saddle))
        return Prediction(saddle, solve_k_step(model, saddle.beta, n_steps, symmetric=saddle))
    except ConvergenceError as error:
        return Prediction(saddle, note=str(error))


def _classified(model: TheoryModel, saddles: list[SaddlePoint]) -> list[Prediction]:
    """From cold to hot; see `predict` for where the search for far levels ends."""
    hottest_unstable = min((saddle.beta for saddle in saddles if not saddle.stable), default=np.inf)
    is_far_level_possible = True
    predictions = []
    for saddle in reversed(saddles):
        if saddle.beta == 0 or (saddle.stable and not is_far_level_possible):
            predictions.append(Prediction(saddle))
            continue
        try:
            found = classify(model, saddle.beta, symmetric=saddle)
        except ConvergenceError as error:
            predictions.append(Prediction(saddle, note=str(error)))
            continue
        predictions.append(Prediction(saddle, found.solution))
        if saddle.beta < hottest_unstable and found.evidence["far_level"] is False:
            is_far_level_possible = False
    return predictions[::-1]
