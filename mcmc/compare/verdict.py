"""A comparison in words: equilibrium, agreement of the means, phases, the law of q^0, where the widths come from."""

from collections.abc import Sequence

from mcmc.analysis.equilibration import Equilibration
from mcmc.compare.distance import LawDistance
from mcmc.compare.finite_size import GINZBURG_MINIMUM, OverlapKernel
from mcmc.compare.match import AGREEMENT_SIGMA, Match
from mcmc.compare.prediction import Prediction
from mcmc.theory.ansatz import phase_name

EQUILIBRIUM_SIGMA = 4.0  # identity A is tried at every temperature, and the sentence that it fails is a strong one


def verdict(
    matches: Sequence[Match],
    predictions: Sequence[Prediction],
    kernels: Sequence[OverlapKernel],
    distances: Sequence[LawDistance],
    n_inputs: int,
    equilibrium: Equilibration,
) -> str:
    """What the rows say."""
    identity = [m for m in matches if m.observable == "identity_a"]
    means = [m for m in matches if m.observable != "identity_a" and "width" not in m.observable]
    is_broken = any(prediction.solution is not None for prediction in predictions)
    sentences = [_equilibrium(identity), *_other_checks(equilibrium), _agreement(means, n_inputs, is_broken)]
    if is_broken:
        sentences += [_phases(predictions), *_law(distances)]
    sentences += _stand_ins(predictions)
    unstable = [p.beta for p in predictions if p.solution is None and not p.stable]
    if unstable:
        sentences.append(f"The replica-symmetric solution is unstable from beta = {min(unstable):.3g} on.")
    return " ".join([*sentences, *_widths(predictions, kernels, n_inputs)])


def _equilibrium(identity: list[Match]) -> str:
    worst = max(identity, key=lambda m: m.distance)
    allowed = worst.measured.bound(EQUILIBRIUM_SIGMA)
    where = (
        f"largest deviation {worst.n_sigma or 0:+.1f} sigma of {allowed:.1f} allowed for {worst.measured.n_networks} "
        f"networks, at beta = {worst.beta:.3g}"
    )
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


def _agreement(means: list[Match], n_inputs: int, is_broken: bool) -> str:
    theory = "replica theory" if is_broken else "replica-symmetric theory"
    extreme = max(means, key=lambda m: m.distance)
    largest = f"largest {extreme.n_sigma or 0:+.1f}: {extreme.observable} at beta = {extreme.beta:.3g}"
    n_networks = extreme.measured.n_networks
    within = f"that is {extreme.measured.bound(AGREEMENT_SIGMA):.1f} standard errors of {n_networks} networks"
    off = [m for m in means if not m.agrees]
    if not off:
        return (
            f"All {len(means)} energies and overlaps agree with the {theory} within "
            f"{AGREEMENT_SIGMA:g} sigma, {within} ({largest})."
        )
    return (
        f"{len(off)} of {len(means)} energies and overlaps differ from the {theory} by more than "
        f"{AGREEMENT_SIGMA:g} sigma, {within}, from beta = {min(m.beta for m in off):.3g} on ({largest}). "
        f"At N_0 = {n_inputs}, corrections of order 1/N_0 come beside the statistical error."
    )


def _phases(predictions: Sequence[Prediction]) -> str:
    """The phases from hot to cold, each with the temperatures of the ladder that it holds."""
    runs: list[list[Prediction]] = []
    for prediction in predictions:
        if runs and runs[-1][-1].phase == prediction.phase:
            runs[-1].append(prediction)
        else:
            runs.append([prediction])
    parts = [f"{run[0].phase} from beta = {run[0].beta:.3g} to {run[-1].beta:.3g}" for run in runs]
    return f"Predicted: {', '.join(parts)}."


def _law(distances: Sequence[LawDistance]) -> list[str]:
    """Which of both laws P(q^0) follows where symmetry is broken: at the coldest such temperature, and how often."""
    broken = [d for d in distances if d.ansatz != "rs"]
    if not broken:
        return []
    last = broken[-1]
    phase = phase_name(last.ansatz)
    winner = {True: f"{phase} is nearer", False: "RS is nearer", None: "they are not told apart"}[last.is_better]
    better, worse = (sum(d.is_better is answer for d in broken) for answer in (True, False))
    return [
        f"At beta = {last.beta:.3g} P(q^0) is at W_1 = {last.value:.4f} +- {last.stderr:.4f} from the smeared {phase} "
        f"law and {last.symmetric_value:.4f} +- {last.symmetric_stderr:.4f} from the smeared RS one (the scatter of "
        f"networks alone makes {last.noise:.4f}): {winner}. Of {len(broken)} broken temperatures the broken law is "
        f"nearer at {better}, the RS one at {worse}."
    ]


def _stand_ins(predictions: Sequence[Prediction]) -> list[str]:
    noted = [p for p in predictions if p.note is not None]
    if not noted:
        return []
    last = noted[-1]
    return [
        f"Replica-symmetric rows stand in for the ansatz asked for at {len(noted)} temperatures, beta = "
        f"{noted[0].beta:.3g} to {last.beta:.3g}. At the coldest of them: {last.note}"
    ]


def _widths(predictions: Sequence[Prediction], kernels: Sequence[OverlapKernel], n_inputs: int) -> list[str]:
    fitted = [p for p, kernel in zip(predictions, kernels, strict=True) if kernel.origin == "fitted"]
    symmetric = [p.beta for p in fitted if p.solution is None]
    broken = [p.beta for p in fitted if p.solution is not None]
    sentences = []
    if symmetric:
        sentences.append(
            f"From beta = {min(symmetric):.3g} on the width of P(q) is fitted, not predicted: Gaussian fluctuations "
            f"about the saddle point need N_0 lambda^3 > {GINZBURG_MINIMUM:g}, and N_0 = {n_inputs} is too small."
        )
    if broken:
        sentences.append(
            f"Where symmetry is broken (beta = {min(broken):.3g} to {max(broken):.3g}) places and weights of the "
            "levels are predicted, their widths fitted."
        )
    return sentences
