"""How hard a ladder is to climb, and where its temperatures should be.

Notation of Syed, Bouchard-Côté, Deligiannidis & Doucet, "Non-reversible parallel tempering: a scalable highly parallel
MCMC scheme", J. R. Stat. Soc. B 84 (2022) 321 (arXiv:1905.02939): r_k is the mean rejection of the swap between the
temperatures k and k + 1; the cumulative barrier is Lambda(beta_k) = r_0 + ... + r_{k-1}; its last value is the global
barrier Lambda, which hardly depends on the ladder once neighbours communicate.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import erf, erfinv

from mcmc.errors import InsufficientDataError, NonFiniteEnergyError, UsageError
from mcmc.exchange.ladder import BetaLadder
from mcmc.exchange.state import ExchangeState

REJECTION_FLOOR = 1e-3  # keeps Lambda(beta) strictly increasing, hence invertible; adds at most 1e-3 K to it
NEARLY_BEST = 0.9  # of the most round trips for the work: the maximum is flat, and fewer temperatures leave more draws
SATURATION = 1.0 - 1e-3  # a rejection above it says that the pair does not communicate and Lambda is too small


def rejection_by_network(state: ExchangeState) -> np.ndarray:
    """Mean swap rejection 1 - <min(1, exp(log r))> of each neighbouring pair, over replicas and attempts -> (D, K - 1).

    Raises:
        InsufficientDataError: a pair has not been tried yet.
        NonFiniteEnergyError: a log r was NaN; names the network (position in the batch) and the pair.
    """
    if state.n_attempts.size and state.n_attempts.min() < 1:
        pair = int(state.n_attempts.argmin())
        raise InsufficientDataError(
            f"swap rejection needs attempts of every pair; temperatures {pair} and {pair + 1} have none. Sweep twice, "
            "once with each parity, before reading it.",
            pair=pair,
        )
    total = state.accept_sum.cpu().numpy()
    bad = np.argwhere(~np.isfinite(total))
    if bad.size:
        network, pair, replica = (int(v) for v in bad[0])
        raise NonFiniteEnergyError(
            f"the swap ratio of temperatures {pair} and {pair + 1} was NaN in network {network} of the batch, replica "
            f"{replica}: an energy there is NaN, or both are infinite ({len(bad)} such pairs in all)",
            network=network,
            pair=pair,
            replica=replica,
        )
    return np.clip(1.0 - (total / state.n_attempts[:, None]).mean(axis=2), 0.0, 1.0)


def rejection_rates(state: ExchangeState) -> np.ndarray:
    """Mean swap rejection of each neighbouring pair over networks, replicas and attempts -> (K - 1,)."""
    return rejection_by_network(state).mean(axis=0)


@dataclass(frozen=True, eq=False)
class Barrier:
    """The communication barrier of a ladder, measured by its rejections.

    Fields:
        ladder:      the temperatures it was measured on.
        rejection:   (K - 1,) float64, as measured.
        cumulative:  (K,) float64, Lambda at each beta: 0 first, the rejections (floored) summed after that.
        n_floored:   pairs with rejection below REJECTION_FLOOR, taken as that: they are closer than needed.
        n_saturated: pairs with rejection above SATURATION: Lambda is a lower bound there, so adapt again.
    """

    ladder: BetaLadder
    rejection: np.ndarray
    cumulative: np.ndarray
    n_floored: int
    n_saturated: int

    @property
    def global_barrier(self) -> float:
        """Lambda = sum of the measured r_k."""
        return float(self.rejection.sum())

    @property
    def round_trip_rate(self) -> float:
        """Predicted round trips hot -> cold -> hot a sweep, all walkers of a ladder together; 0 if a pair never swaps.

            1 / (2 + 2 sum_k r_k / (1 - r_k))        [Syed et al. 2022, for alternating parities]

        It assumes that a walker forgets its energy between swaps at one temperature; real chains are slower.
        """
        if (self.rejection >= 1.0).any():
            return 0.0
        return float(1.0 / (2.0 + 2.0 * (self.rejection / (1.0 - self.rejection)).sum()))

    def cumulative_at(self, beta: np.ndarray | float) -> np.ndarray:
        """Lambda(beta) between the temperatures, by monotone cubic interpolation."""
        return np.asarray(self._interpolant()(beta))

    def local(self, beta: np.ndarray | float) -> np.ndarray:
        """The local barrier lambda(beta) = dLambda/dbeta: where it is large, temperatures must be close."""
        return np.asarray(self._interpolant().derivative()(beta))

    def report(self) -> str:
        """One sentence for a person: barrier, predicted round trips, how many temperatures would do, what to doubt."""
        k = self.ladder.n_temperatures
        n_wanted = recommended_n_temperatures(self.global_barrier)
        text = (
            f"{k} temperatures, Lambda = {self.global_barrier:.2f}, predicted round trips a sweep "
            f"{self.round_trip_rate:.3g}; {n_wanted} temperatures are recommended"
        )
        if self.n_saturated:
            text += f"; {self.n_saturated} pairs never swap, so Lambda is a lower bound: add temperatures"
        if self.n_floored:
            text += f"; {self.n_floored} pairs always swap (floored at {REJECTION_FLOOR:g})"
        return text

    def _interpolant(self) -> PchipInterpolator:
        if self.ladder.n_temperatures < 2:
            raise UsageError("a single temperature has no barrier to interpolate; use a ladder of at least two")
        return PchipInterpolator(self.ladder.numpy(), self.cumulative, extrapolate=False)


def measure_barrier(ladder: BetaLadder, rejection: np.ndarray) -> Barrier:
    """The barrier of a ladder from the rejections (K - 1,) of its neighbouring pairs.

    Raises:
        UsageError: wrong shape, or a rejection outside [0, 1].
    """
    r = np.asarray(rejection, dtype=np.float64)
    if r.shape != (ladder.n_temperatures - 1,):
        raise UsageError(f"rejection must have shape ({ladder.n_temperatures - 1},), found {r.shape}")
    if not ((r >= 0.0) & (r <= 1.0)).all():
        pair = int(np.argmin((r >= 0.0) & (r <= 1.0)))
        raise UsageError(f"rejections must lie in [0, 1], found rejection[{pair}] = {r[pair]}", pair=pair)
    return Barrier(
        ladder=ladder,
        rejection=r,
        cumulative=np.concatenate(([0.0], np.cumsum(np.maximum(r, REJECTION_FLOOR)))),
        n_floored=int((r < REJECTION_FLOOR).sum()),
        n_saturated=int((r > SATURATION).sum()),
    )


def equalise(ladder: BetaLadder, rejection: np.ndarray, n_temperatures: int | None = None) -> BetaLadder:
    """The ladder with the same two ends whose pairs are predicted to be rejected equally often.

        Lambda(beta_k) = k Lambda / (K - 1)        [Syed et al. 2022]

    Lambda(beta) is measured on the old ladder and interpolated, so a few rounds of measuring and moving are needed. The
    number of temperatures stays as it is, or becomes `n_temperatures` (at least 2).
    """
    barrier = measure_barrier(ladder, rejection)
    n_new = ladder.n_temperatures if n_temperatures is None else n_temperatures
    if ladder.n_temperatures == 1 and n_new == 1:
        return ladder
    if n_new < 2:
        raise UsageError(f"n_temperatures must be at least 2, found {n_new}", n_temperatures=n_new)
    cumulative_at = barrier._interpolant()
    target = np.linspace(0.0, barrier.cumulative[-1], n_new)[1:-1]
    low = np.full_like(target, ladder.betas[0])
    high = np.full_like(target, ladder.betas[-1])
    for _ in range(100):  # bisection: Lambda is monotone, and this ends at the last bit
        middle = 0.5 * (low + high)
        is_below = cumulative_at(middle) < target
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return BetaLadder((ladder.betas[0], *high.tolist(), ladder.betas[-1]))


def recommended_n_temperatures(global_barrier: float) -> int:
    """ceil(2 Lambda) + 1: the number of temperatures that gives the most round trips for the work.

    With n = K - 1 equal rejections r = Lambda / n, the work of one round trip grows as n (2 + 2 n r / (1 - r)); for
    large Lambda that is 2 Lambda n^2 / (n - Lambda), smallest at n = 2 Lambda, where r = 1/2 [Syed et al. 2022].
    """
    if not (math.isfinite(global_barrier) and global_barrier >= 0):
        raise UsageError(f"Lambda must be finite and >= 0, found {global_barrier}", global_barrier=global_barrier)
    return math.ceil(2.0 * global_barrier) + 1


def dense_barrier(rejection: np.ndarray) -> float:
    """Lambda as a ladder of infinitely many temperatures would show it, from rejections (K - 1,) that may be large.

    Two Gaussian energies of standard deviation sigma exchange with probability erfc(sigma (beta_{k+1} - beta_k) / 2),
    and a dense ladder has sigma d beta / sqrt(pi) of Lambda in d beta; so a pair that is rejected with probability r
    covers

        Delta Lambda = (2 / sqrt(pi)) erfinv(r)

    of it, which is r where r is small. Rejections above SATURATION are taken as that: Lambda is a lower bound then.
    """
    return float(2.0 / math.sqrt(math.pi) * erfinv(np.minimum(rejection, SATURATION)).sum())


def round_trips_for_work(dense: float, n_temperatures: int) -> float:
    """Predicted round trips of a ladder of equal rejections, for the work of a sweep of one walker.

    `Barrier.round_trip_rate` over K, with r = erf(sqrt(pi) Lambda / (2 (K - 1))) for K temperatures and Lambda =
    `dense_barrier`.
    """
    if n_temperatures < 2:
        raise UsageError(f"n_temperatures must be at least 2, found {n_temperatures}", n_temperatures=n_temperatures)
    n = n_temperatures - 1
    r = float(erf(0.5 * math.sqrt(math.pi) * dense / n))
    return 0.0 if r >= 1.0 else 1.0 / (n_temperatures * (2.0 + 2.0 * n * r / (1.0 - r)))


def fewest_temperatures(dense: float) -> int:
    """The smallest number of temperatures with NEARLY_BEST of the most round trips for the work.

    Where walkers need exchange only now and then, draws of the coldest temperature are what is wanted, and their number
    for the work falls as 1 / K.
    """
    if not (math.isfinite(dense) and dense >= 0):
        raise UsageError(f"Lambda must be finite and >= 0, found {dense}", global_barrier=dense)
    candidates = range(2, 2 * math.ceil(2.0 * dense) + 4)  # the best is near 2 Lambda at most
    trips = [round_trips_for_work(dense, n) for n in candidates]
    return next(n for n, found in zip(candidates, trips, strict=True) if found >= NEARLY_BEST * max(trips))
