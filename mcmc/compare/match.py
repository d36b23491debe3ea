"""Measured against predicted: every observable at every temperature, with the difference in units of its error."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcmc.analysis.equilibration import Equilibration, equilibration
from mcmc.analysis.estimate import Estimate, controlled_average, network_average
from mcmc.analysis.measured import NetworkMeans, OverlapLaw, network_means, overlap_law
from mcmc.compare.finite_size import GINZBURG_MINIMUM, OverlapKernel, overlap_kernel
from mcmc.config import ModelConfig
from mcmc.io.reader import RunData
from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.model import TheoryModel
from mcmc.theory.saddle import SaddlePoint

AGREEMENT_SIGMA = 3.0
EQUILIBRIUM_SIGMA = 4.0  # identity A is tried at every temperature, and the sentence that it fails is a strong one
N_CURVE = 41


@dataclass(frozen=True)
class Match:
    """One observable at one temperature.

    Attributes:
        observable: energy_density, overlap_l, self_overlap_l, overlap_width_l, identity_a.
        measured:   disorder average with its error.
        predicted:  in the limit N_0 -> infinity; overlap_width_l scaled to this N_0; identity_a exactly 0.
    """

    beta: float
    observable: str
    measured: Estimate
    predicted: float

    @property
    def n_sigma(self) -> float | None:
        """(measured - predicted) / stderr; None where all networks agree exactly, as r^0 = 1 does."""
        return self.measured.n_sigma(self.predicted)

    @property
    def distance(self) -> float:
        """|n_sigma|, 0 where there is none."""
        return abs(self.n_sigma or 0.0)

    @property
    def agrees(self) -> bool:
        """Within AGREEMENT_SIGMA, counting how well the error is known."""
        return self.measured.agrees(self.predicted, n_sigma=AGREEMENT_SIGMA)

    def to_json(self) -> dict[str, Any]:
        """A row of `mlp-gibbs compare --json`."""
        return {
            "beta": self.beta,
            "observable": self.observable,
            "measured": self.measured.value,
            "stderr": self.measured.stderr,
            "n_networks": self.measured.n_networks,
            "predicted": self.predicted,
            "n_sigma": self.n_sigma,
        }


@dataclass(frozen=True)
class Comparison:
    """A run beside its theory.

    Attributes:
        matches: rows, temperature by temperature.
        saddles: (K,) saddle points.
        curve:   saddle points on a finer grid of temperatures, for drawing.
        laws, kernels: [temperature][layer] measured P(q^l), and [temperature] the smeared prediction.
        verdict: in words.
    """

    data: RunData
    matches: list[Match]
    saddles: list[SaddlePoint]
    curve: list[SaddlePoint]
    laws: list[list[OverlapLaw]]
    kernels: list[OverlapKernel]
    verdict: str

    def select(self, observable: str) -> list[Match]:
        """The rows of one observable, in the order of the temperatures."""
        return [match for match in self.matches if match.observable == observable]


def theory_model(model: ModelConfig) -> TheoryModel:
    """The theory's model of a run: the width ratios that the integer widths really have."""
    n_inputs, *hidden = model.widths
    return TheoryModel.build(
        model.activation,
        depth=model.depth,
        width_ratios=[n / n_inputs for n in hidden],
        sigma_w=model.sigma_w,
        sigma_b=model.sigma_b,
        activation_params=model.activation_params,
    )


def compare_with_rs(data: RunData) -> Comparison:
    """Hold a run against the replica-symmetric solution at each of its temperatures.

    Energies and overlaps use the difference of identity A as a control variate (`estimate.controlled_average`).

    Raises:
        InsufficientDataError: fewer than 2 networks, or no overlaps.
        ConvergenceError, QuadratureError: of the theory.
    """
    means = network_means(data)
    network_average(means.energy[:, 0])  # tells of a single network before the theory is solved
    model = theory_model(data.config.model)
    saddles = solve_rs_curve(model, [float(beta) for beta in data.beta])
    n_layers, n_inputs = means.overlap.shape[-1], data.config.model.n_inputs
    matches, kernels = [], []
    for k, saddle in enumerate(saddles):
        widths = [_overlap_width(means, k, layer) for layer in range(n_layers)]
        kernel = overlap_kernel(model, saddle, n_inputs, np.array([width.value for width in widths]))
        kernels.append(kernel)
        matches += _matches_at(means, k, saddle)
        if kernel.origin == "predicted":
            matches += [
                Match(saddle.beta, f"overlap_width_{layer}", width, float(kernel.width[layer]))
                for layer, width in enumerate(widths)
            ]
    laws = [[overlap_law(data, k, layer) for layer in range(n_layers)] for k in range(len(saddles))]
    curve = solve_rs_curve(model, np.linspace(data.beta[0], data.beta[-1], N_CURVE).tolist())
    verdict = _verdict(equilibration(data), matches, saddles, kernels, n_inputs)
    return Comparison(data, matches, saddles, curve, laws, kernels, verdict)


def _matches_at(means: NetworkMeans, k: int, saddle: SaddlePoint) -> list[Match]:
    control = means.identity_difference()[:, k]

    def row(observable: str, per_network: np.ndarray, predicted: float) -> Match:
        # at beta = 0 the control is the energy itself and would leave nothing to measure
        average = controlled_average(per_network, control) if saddle.beta > 0 else network_average(per_network)
        return Match(saddle.beta, observable, average, predicted)

    rows = [row("energy_density", means.energy[:, k], saddle.energy_density)]
    for layer, (q, r) in enumerate(zip(saddle.overlap, saddle.self_overlap, strict=True)):
        rows.append(row(f"overlap_{layer}", means.overlap[:, k, layer], q))
        if layer:
            rows.append(row(f"self_overlap_{layer}", means.self_overlap[:, k, layer], r))
    return [*rows, Match(saddle.beta, "identity_a", network_average(control), 0.0)]


def _overlap_width(means: NetworkMeans, k: int, layer: int) -> Estimate:
    """Standard deviation of q^l over replicas and networks, with its jackknife error over networks."""
    q, q2 = means.overlap[:, k, layer], means.overlap_square[:, k, layer]
    n = len(q)

    def width(q: np.ndarray, q2: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(q2 - q**2, 0))

    left_out = width((q.sum() - q) / (n - 1), (q2.sum() - q2) / (n - 1))
    stderr = np.sqrt((n - 1) * left_out.var())
    return Estimate(float(width(q.mean(), q2.mean())), float(stderr), n)


def _verdict(
    equilibrium: Equilibration,
    matches: list[Match],
    saddles: list[SaddlePoint],
    kernels: list[OverlapKernel],
    n_inputs: int,
) -> str:
    """What the rows say, in words: equilibrium, agreement of the means, stability, where the widths come from."""
    identity = [m for m in matches if m.observable == "identity_a"]
    means = [m for m in matches if m.observable != "identity_a" and "width" not in m.observable]
    sentences = [
        _equilibrium_sentence(identity),
        *_other_checks(equilibrium),
        _agreement_sentence(means, n_inputs),
    ]
    unstable = [saddle.beta for saddle in saddles if not saddle.stable]
    if unstable:
        sentences.append(f"The replica-symmetric solution is unstable from beta = {min(unstable):.3g} on.")
    fitted = [saddle.beta for saddle, kernel in zip(saddles, kernels, strict=True) if kernel.origin == "fitted"]
    if fitted:
        sentences.append(
            f"From beta = {min(fitted):.3g} on the width of P(q) is fitted, not predicted: Gaussian fluctuations about "
            f"the saddle point need N_0 lambda^3 > {GINZBURG_MINIMUM:g}, and N_0 = {n_inputs} is too small."
        )
    return " ".join(sentences)


def _equilibrium_sentence(identity: list[Match]) -> str:
    worst = max(identity, key=lambda m: m.distance)
    where = f"largest deviation {worst.n_sigma or 0:+.1f} sigma, at beta = {worst.beta:.3g}"
    if all(m.measured.agrees(m.predicted, n_sigma=EQUILIBRIUM_SIGMA) for m in identity):
        return f"Identity A holds ({where})."
    return f"Identity A is violated ({where}): the run is not in equilibrium; trust no other number of it."


def _other_checks(equilibrium: Equilibration) -> list[str]:
    """A sentence if the run fails a check of equilibrium other than identity A."""
    failed = [finding.check for finding in equilibrium.findings if not finding.ok and finding.check != "identity A"]
    if not failed:
        return []
    n_hard = len(equilibrium.hard_networks())
    return [
        f"Equilibrium is not shown (failed: {', '.join(failed)}; {n_hard} of {len(equilibrium.networks)} networks are "
        "hard, see `mlp-gibbs health`)."
    ]


def _agreement_sentence(means: list[Match], n_inputs: int) -> str:
    extreme = max(means, key=lambda m: m.distance)
    largest = f"largest {extreme.n_sigma or 0:+.1f}: {extreme.observable} at beta = {extreme.beta:.3g}"
    n_networks = extreme.measured.n_networks
    within = f"that is {extreme.measured.bound(AGREEMENT_SIGMA):.1f} standard errors of {n_networks} networks"
    off = [m for m in means if not m.agrees]
    if not off:
        return (
            f"All {len(means)} energies and overlaps agree with the replica-symmetric theory within "
            f"{AGREEMENT_SIGMA:g} sigma, {within} ({largest})."
        )
    return (
        f"{len(off)} of {len(means)} energies and overlaps differ from the replica-symmetric theory by more than "
        f"{AGREEMENT_SIGMA:g} sigma, {within}, from beta = {min(m.beta for m in off):.3g} on ({largest}). "
        f"At N_0 = {n_inputs}, corrections of order 1/N_0 come beside the statistical error."
    )
