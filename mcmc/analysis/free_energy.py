"""log Z of every network along its ladder, three ways that must agree (equations.md, section 8).

thermodynamic integration    uses the mean and variance of H at each temperature
stepping stones              exponential averages between neighbours, forward and backward: a bracket in expectation
MBAR                         all temperatures at once, by `pymbar`
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import t

from mcmc.analysis.blocks import blocks_of, over_blocks
from mcmc.analysis.estimate import network_average
from mcmc.analysis.mbar import mbar_log_z, thinning
from mcmc.errors import DisagreementError, InsufficientDataError
from mcmc.io.reader import RunData
from mcmc.io.schema import Key
from mcmc.io.series import Series

N_BLOCKS = 20
MIN_DRAWS = 2 * N_BLOCKS
COPIES = 10  # of the energies of a block, measured: their exponentials, and what `logsumexp` makes of these
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
    first, n_inputs = data.config.model.first_network, data.config.model.n_inputs
    networks = first + np.arange(data.n_networks)
    return ladder_free_energies(data.beta, data.series(Key.ENERGY), n_inputs, networks, unit=n_inputs)


def ladder_free_energies(
    beta: np.ndarray, energy: Series, n_inputs: int, networks: np.ndarray, *, unit: float = 1.0
) -> FreeEnergies:
    """log Z from the energies (n, D, K, R) of any ladder, extensive if multiplied by `unit`; see `free_energies`.

    Block by block of networks and temperatures (see `blocks`); MBAR needs all temperatures, of its thinned draws.
    """
    _check(beta, len(energy))
    blocks = blocks_of(energy.shape, COPIES * energy.dtype.itemsize * energy.shape[3])

    def over_energies(of_block: Callable[..., dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return over_blocks(blocks, lambda block: of_block(*_steps(beta, block[1]), unit * energy[:, *block]))

    weight_ess = _weight_ess(over_energies(_weights))
    _check_overlap(beta, weight_ess, networks)
    found = over_energies(_sums)
    sums = _leave_one_out(found["moments"])
    mean = sums[0] / sums[2]
    variance = sums[1] / sums[2] - mean**2
    integrated, systematic = integrate(beta, mean, variance)
    forward, backward = _stepping_stones(found)
    start = 0.5 * (forward + backward)[0]
    by_mbar = np.stack(_mbar(beta, energy, unit, start), axis=1)
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


def _steps(beta: np.ndarray, temperatures: slice) -> tuple[np.ndarray, np.ndarray]:
    """(k, 1) steps to the next colder and from the next hotter temperature, zero where there is none."""
    step = np.diff(beta)
    return np.append(step, 0.0)[temperatures, None], np.append(0.0, step)[temperatures, None]


def _mbar(beta: np.ndarray, energy: Series, unit: float, start: np.ndarray) -> list[np.ndarray]:
    """(B+1, K) of each network."""
    n_draws, n_networks, n_temperatures, n_replicas = energy.shape
    kept = thinning(n_draws, n_replicas)
    blocks = (np.searchsorted(_block_starts(n_draws), np.arange(n_draws), side="right") - 1)[kept]
    found = []
    for networks, _ in blocks_of((len(blocks), n_networks, 1), 2 * 8 * n_temperatures * n_replicas):
        thinned = unit * energy[kept, networks]
        found += [mbar_log_z(beta, thinned[:, d], blocks, guess) for d, guess in enumerate(start[networks])]
    return found


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
    return _stepping_stones(_sums(*_steps(beta, slice(None)), energy))


def _stepping_stones(found: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    forward = _log_mean(found["up"], found["up_largest"])[..., :-1]
    backward = -_log_mean(found["down"], found["down_largest"])[..., 1:]
    return _cumulated(forward), _cumulated(backward)


def _sums(up: np.ndarray, down: np.ndarray, energy: np.ndarray) -> dict[str, np.ndarray]:
    """Of energies (n, d, k, R), sums over the replicas and draws of each block.

    Args:
        up, down: (k, 1) steps to the next colder and from the next hotter temperature.
    Returns:
        moments (3, B, d, k) of H, H^2 and 1; up, down (2, B, d, k) of exp(-step H), exp(step H) over the `_largest`
        (d, k) of them, and of 1.
    """
    n_each = np.diff([*_block_starts(len(energy)), len(energy)]) * energy.shape[3]
    ones = np.broadcast_to(n_each[:, None, None], (N_BLOCKS, *energy.shape[1:3]))
    found = {"moments": np.stack([_block_sums(energy), _block_sums(energy**2), ones])}
    for name, step in (("up", -up), ("down", down)):
        exponent = step * energy
        largest = exponent.max((0, 3), keepdims=True)
        exponent -= largest
        found[name] = np.stack([_block_sums(np.exp(exponent, out=exponent)), ones])
        found[f"{name}_largest"] = largest[0, ..., 0]
    return found


def _log_mean(blocks: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """log of the mean of exp over draws and replicas, of all draws and without each block, (B+1, D, K)."""
    sums = _leave_one_out(blocks)
    return np.log(np.maximum(sums[0], np.finfo(float).tiny) / sums[1]) + largest


def _block_sums(values: np.ndarray) -> np.ndarray:
    """(n, d, k, R) -> (B, d, k)."""
    return np.add.reduceat(values.sum(-1), _block_starts(len(values)), axis=0)


def _leave_one_out(blocks: np.ndarray) -> np.ndarray:
    """Sums of blocks (S, B, D, K): all of them, then without each, (S, B+1, D, K)."""
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


def _weights(up: np.ndarray, down: np.ndarray, energy: np.ndarray) -> dict[str, np.ndarray]:
    """(d, k) effective draws of the exponential averages of `_sums`: (sum w)^2 / sum w^2 [Kish]."""
    sizes = {}
    for name, step in (("up", -up), ("down", down)):
        exponent = step * energy
        sizes[name] = np.exp(2 * logsumexp(exponent, axis=(0, 3)) - logsumexp(2 * exponent, axis=(0, 3)))
    return sizes


def _weight_ess(sizes: dict[str, np.ndarray]) -> np.ndarray:
    """(D, K-1) the smaller of both directions of each neighbouring pair."""
    return np.minimum(sizes["up"][:, :-1], sizes["down"][:, 1:])


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
