"""log Z of every network along its ladder, three ways that must agree (equations.md, section 8).

thermodynamic integration    uses the mean and variance of H at each temperature
stepping stones              exponential averages between neighbours, forward and backward: a bracket in expectation
MBAR                         all temperatures at once, by `pymbar`
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import t

from mcmc.analysis.estimate import network_average
from mcmc.analysis.mbar import mbar_log_z
from mcmc.errors import DisagreementError, InsufficientDataError
from mcmc.io.reader import RunData

N_BLOCKS = 20
MIN_DRAWS = 2 * N_BLOCKS
MIN_WEIGHT_ESS = 50.0  # effective draws of an exponential average below which its error cannot be told
FALSE_ALARM = 1e-3  # nominal, that estimates of one truth are called different anywhere in a run; 1 of 310 measured
TI, FORWARD, BACKWARD, MBAR = "thermodynamic_integration", "stepping_forward", "stepping_backward", "mbar"


@dataclass(frozen=True)
class FreeEnergies:
    """log Z(beta_k) of each network, with Z(0) = 1.

    Attributes:
        beta:       (K,) from 0.
        n_inputs:   N_0; log Z is extensive.
        networks:   (D,) numbers of the quenched draws.
        log_z:      {estimator: (D, K)}.
        stderr:     {estimator: (D, K)}, sampling error within a network, by a jackknife over N_BLOCKS blocks of draws.
        systematic: (D, K) what the integration over the ladder may be off by for its finite steps (see `integrate`).
        differences: {estimator: (D, K)} estimate minus MBAR, its bias of order 1/draws removed by the jackknife.
        difference_stderr: {estimator: (D, K)}; both use the same draws, so this is less than the single errors.
        weight_ess: (D, K-1) the fewer effective draws of the two exponential averages of each neighbouring pair.
    """

    beta: np.ndarray
    n_inputs: int
    networks: np.ndarray
    log_z: dict[str, np.ndarray]
    stderr: dict[str, np.ndarray]
    systematic: np.ndarray
    differences: dict[str, np.ndarray]
    difference_stderr: dict[str, np.ndarray]
    weight_ess: np.ndarray

    @property
    def free_entropy_density(self) -> np.ndarray:
        """(D, K) log Z/N_0 of each network, by MBAR."""
        return self.log_z[MBAR] / self.n_inputs

    def disagreements(self) -> list[str]:
        """Where two estimates differ by more than their errors allow, worst first; empty if they agree."""
        found = []
        n_tests = len(self.differences) * self.systematic[:, 1:].size
        bound = float(t.isf(0.5 * FALSE_ALARM / n_tests, N_BLOCKS - 1))
        for name, difference in self.differences.items():
            slack = self.systematic if name == TI else np.zeros_like(self.systematic)
            allowed = bound * self.difference_stderr[name] + slack
            excess = np.abs(difference) - allowed
            d, k = np.unravel_index(int(excess[:, 1:].argmax()), excess[:, 1:].shape)
            k += 1
            if excess[d, k] > 0:
                n_bad = int((excess[:, 1:] > 0).any(1).sum())
                found.append(
                    (
                        float(excess[d, k] / allowed[d, k]),
                        f"{name} and mbar differ in {n_bad} of {len(self.networks)} networks, most in network "
                        f"{self.networks[d]} at beta = {self.beta[k]:.3g}: log Z by {difference[d, k]:+.3g} "
                        f"(allowed {allowed[d, k]:.2g})",
                    )
                )
            found += _average_disagreement(self, name, slack)
        return [text for _, text in sorted(found, reverse=True)]

    def require_agreement(self) -> None:
        """Raises DisagreementError if the estimates are not of one free energy."""
        found = self.disagreements()
        if found:
            raise DisagreementError(
                "the free-energy estimates do not agree: " + "; ".join(found) + ". The chains are not in equilibrium "
                "(see `mlp-gibbs health`), or the ladder is too coarse: run longer, or with more temperatures.",
                disagreements=found,
            )


def free_energies(data: RunData) -> FreeEnergies:
    """log Z of every network of a run.

    Raises:
        InsufficientDataError: one temperature, no beta = 0, too few draws, or neighbours that do not overlap.
        UsageError: `pymbar` is not installed.
    """
    first = data.config.model.first_network
    networks = first + np.arange(data.energy.shape[1])
    return ladder_free_energies(
        data.beta, data.energy * data.config.model.n_inputs, data.config.model.n_inputs, networks
    )


def ladder_free_energies(beta: np.ndarray, energy: np.ndarray, n_inputs: int, networks: np.ndarray) -> FreeEnergies:
    """log Z from the extensive energies (n, D, K, R) of any ladder; see `free_energies`."""
    _check(beta, len(energy))
    weight_ess = _weight_ess(beta, energy)
    _check_overlap(beta, weight_ess, networks)
    sums = _leave_one_out(np.stack([energy, energy**2, np.ones_like(energy)]))
    mean = sums[0] / sums[2]
    variance = sums[1] / sums[2] - mean**2
    integrated, systematic = integrate(beta, mean, variance)
    forward, backward = stepping_stones(beta, energy)
    blocks = np.searchsorted(_block_starts(len(energy)), np.arange(len(energy)), side="right") - 1
    start = 0.5 * (forward + backward)[0]
    by_mbar = np.stack([mbar_log_z(beta, energy[:, d], blocks, start[d]) for d in range(energy.shape[1])], axis=1)
    all_of = {TI: integrated, FORWARD: forward, BACKWARD: backward, MBAR: by_mbar}
    differences = {name: values - by_mbar for name, values in all_of.items() if name != MBAR}
    return FreeEnergies(
        beta,
        n_inputs,
        networks,
        {name: values[0] for name, values in all_of.items()},
        {name: _jackknife_error(values) for name, values in all_of.items()},
        systematic[0],
        {name: _jackknife_value(values) for name, values in differences.items()},
        {name: _jackknife_error(values) for name, values in differences.items()},
        weight_ess,
    )


def integrate(beta: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log Z(beta_k) = -int <H> dbeta by the trapezoid rule with its end corrections, since d<H>/dbeta = -Var H.

    Args:
        mean, variance: (..., K) of H.
    Returns:
        (..., K) log Z, and what its finite steps may have cost: a fifteenth of the change when pairs of steps are
        taken as one, because the rule is of fourth order; with a single step, the size of the correction.
    """
    pieces, correction = _pieces(beta, mean, variance)
    if len(beta) == 2:
        return _cumulated(pieces), _cumulated(np.abs(correction))
    doubled = np.empty_like(pieces[..., 1:])
    for first in (0, 1):
        every = slice(first, None, 2)
        doubled[..., every] = _pieces(beta[every], mean[..., every], variance[..., every])[0]
    lost = np.abs(doubled - pieces[..., 1:] - pieces[..., :-1]) / 15
    return _cumulated(pieces), _cumulated(0.5 * np.concatenate([lost, lost[..., -1:]], axis=-1))


def _pieces(beta: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integral over each step, and the correction to the trapezoid in it."""
    step = np.diff(beta)
    correction = -(step**2) / 12 * np.diff(variance, axis=-1)
    return -0.5 * step * (mean[..., 1:] + mean[..., :-1]) + correction, correction


def stepping_stones(beta: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B+1, D, K) forward and backward: by Jensen, E forward <= log Z <= E backward for finite samples."""
    step = np.diff(beta)[:, None]
    forward = _log_mean(-step * energy[:, :, :-1])
    backward = -_log_mean(step * energy[:, :, 1:])
    return _cumulated(forward), _cumulated(backward)


def _log_mean(exponent: np.ndarray) -> np.ndarray:
    """log of the mean of exp over draws and replicas, of all draws and without each block, (B+1, D, K)."""
    largest = exponent.max((0, 3), keepdims=True)
    sums = _leave_one_out(np.stack([np.exp(exponent - largest), np.ones_like(exponent)]))
    return np.log(np.maximum(sums[0], np.finfo(float).tiny) / sums[1]) + largest[0, ..., 0]


def _leave_one_out(values: np.ndarray) -> np.ndarray:
    """Sums over draws and replicas of (S, n, D, K, R): all of them, then without each block, (S, B+1, D, K)."""
    blocks = np.add.reduceat(values.sum(-1), _block_starts(values.shape[1]), axis=1)
    total = blocks.sum(1, keepdims=True)
    return np.concatenate([total, total - blocks], axis=1)


def _block_starts(n_draws: int) -> np.ndarray:
    return np.arange(N_BLOCKS) * n_draws // N_BLOCKS


def _jackknife_error(values: np.ndarray) -> np.ndarray:
    left_out = values[1:]
    return np.sqrt((N_BLOCKS - 1) * left_out.var(0))


def _jackknife_value(values: np.ndarray) -> np.ndarray:
    return N_BLOCKS * values[0] - (N_BLOCKS - 1) * values[1:].mean(0)


def _cumulated(pieces: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((*pieces.shape[:-1], 1)), pieces.cumsum(-1)], axis=-1)


def _weight_ess(beta: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """(D, K-1): (sum w)^2 / sum w^2 [Kish], the smaller of both directions."""
    step = np.diff(beta)[:, None]
    sizes = []
    for exponent in (-step * energy[:, :, :-1], step * energy[:, :, 1:]):
        sizes.append(np.exp(2 * logsumexp(exponent, axis=(0, 3)) - logsumexp(2 * exponent, axis=(0, 3))))
    return np.minimum(*sizes)


def _check(beta: np.ndarray, n_draws: int) -> None:
    if len(beta) < 2:
        raise InsufficientDataError(
            f"free energies need a ladder of temperatures, found the single beta = {beta[0]:g}: log Z is known at "
            "beta = 0 only, and carried from there. Set tempering.beta_min = 0 and n_temperatures higher.",
            n_temperatures=len(beta),
        )
    if beta[0] != 0:
        raise InsufficientDataError(
            f"free energies need a ladder that starts at beta = 0, where log Z = 0; found beta_min = {beta[0]:g}. "
            "Set tempering.beta_min = 0.",
            beta_min=float(beta[0]),
        )
    if n_draws < MIN_DRAWS:
        raise InsufficientDataError(
            f"free energies need at least {MIN_DRAWS} draws ({N_BLOCKS} blocks), found {n_draws}: run longer.",
            n_draws=n_draws,
        )


def _check_overlap(beta: np.ndarray, weight_ess: np.ndarray, networks: np.ndarray) -> None:
    d, k = np.unravel_index(int(weight_ess.argmin()), weight_ess.shape)
    if weight_ess[d, k] < MIN_WEIGHT_ESS:
        raise InsufficientDataError(
            f"the ladder does not overlap between beta = {beta[k]:.4g} and {beta[k + 1]:.4g}: in network "
            f"{networks[d]} {weight_ess[d, k]:.1f} effective draws carry one to the other, wanted "
            f"{MIN_WEIGHT_ESS:g} ({int((weight_ess < MIN_WEIGHT_ESS).any(1).sum())} of {len(networks)} networks have "
            "such a gap). Set tempering.n_temperatures higher, or run longer.",
            weight_ess=float(weight_ess[d, k]),
        )


def _average_disagreement(result: FreeEnergies, name: str, slack: np.ndarray) -> list[tuple[float, str]]:
    """The average over networks sees a common shift that is lost in the noise of each."""
    difference = result.differences[name]
    if len(difference) < 2:
        return []
    n_sigma = float(t.isf(0.5 * FALSE_ALARM / (len(result.differences) * (len(result.beta) - 1)), 1e9))
    found = []
    for k in range(1, len(result.beta)):
        average = network_average(difference[:, k])
        allowed = average.bound(n_sigma) * average.stderr + slack[:, k].mean() + 1e-9
        if abs(average.value) > allowed:
            found.append(
                (
                    abs(average.value) / allowed - 1,
                    f"{name} and mbar differ on average over networks at beta = {result.beta[k]:.3g}: log Z by "
                    f"{average.value:+.3g} +- {average.stderr:.1g}",
                )
            )
    return sorted(found, reverse=True)[:1]
