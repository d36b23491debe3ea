"""Classical tests of random numbers [Knuth, TAOCP 2, section 3.3.2; L'Ecuyer and Simard 2007], each some p-values.

All take u (n,), which should be independent and uniform in (0, 1) with 52 bits each; n is tens of thousands or more.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr
from scipy.stats import binom, chi2, norm, poisson

from tests.nightly.pvalues import chi_square, kolmogorov, two_sided

N_BITS = 52


def bits_of(u: np.ndarray) -> np.ndarray:
    """(n,) uint64, the 52 bits of each number."""
    return (u * 2.0**N_BITS).astype(np.uint64)


def law(u: np.ndarray) -> np.ndarray:
    """Kolmogorov and Smirnov, on the number and on its lower half, which the upper bits do not see."""
    return np.append(kolmogorov(u), kolmogorov((u * 2.0**26) % 1.0))


def every_bit(u: np.ndarray) -> np.ndarray:
    """How often each bit is set."""
    counts = [int(((bits_of(u) >> np.uint64(b)) & np.uint64(1)).sum()) for b in range(N_BITS)]
    return two_sided(np.array(counts), len(u), np.full(N_BITS, 0.5))


def weights(u: np.ndarray) -> np.ndarray:
    """The number of bits that are set is binomial; that of two neighbours is independent."""
    n_set = np.bitwise_count(bits_of(u)).astype(np.int64)
    places = np.arange(N_BITS + 1)
    p = binom.pmf(places, N_BITS, 0.5)
    signs = np.where(n_set[: len(u) // 2 * 2] > N_BITS // 2, 1, 0).reshape(-1, 2)
    above = p[N_BITS // 2 + 1 :].sum()
    four = np.outer([1 - above, above], [1 - above, above]).ravel()
    return np.array([chi_square(n_set, places, p), chi_square(signs @ [2, 1], np.arange(4), four)])


def serial(u: np.ndarray) -> np.ndarray:
    """Neighbours, and numbers four apart, in a square of 32 x 32 cells."""
    found = []
    for lag in (1, 4):
        blocks = (32 * u[: len(u) // (2 * lag) * 2 * lag]).astype(np.int64).reshape(-1, 2, lag)
        cells = (32 * blocks[:, 0] + blocks[:, 1]).ravel()
        found.append(chi_square(cells, np.arange(1024), np.full(1024, 1 / 1024)))
    return np.array(found)


def permutations(u: np.ndarray) -> np.ndarray:
    """The order of five numbers."""
    fives = u[: len(u) // 5 * 5].reshape(-1, 5)
    lower = [(fives[:, :i] < fives[:, i : i + 1]).sum(1) for i in range(1, 5)]
    cells = lower[0] + 2 * (lower[1] + 3 * (lower[2] + 4 * lower[3]))
    return np.array([chi_square(cells, np.arange(120), np.full(120, 1 / 120))])


def runs(u: np.ndarray) -> np.ndarray:
    """Lengths of runs up, the number that ends a run thrown away: P(r) = 1/r! - 1/(r + 1)!, independent."""
    falls = np.flatnonzero(u[1:] < u[:-1])
    lengths, at = [], -1  # at: the last number that was thrown away
    for fall in falls.tolist():
        if fall > at:
            lengths.append(fall - at)
            at = fall + 1
    r = np.arange(1, 21)
    factorial = np.cumprod(np.arange(1.0, 22.0))
    return np.array([chi_square(np.array(lengths), r, 1 / factorial[r - 1] - 1 / factorial[r])])


def gaps(u: np.ndarray) -> np.ndarray:
    """Waiting times for an interval of one eighth: geometric; the last time is not seen, so a fixed number is taken."""
    found = []
    for low in (0.0, 0.25, 0.875):
        hits = np.flatnonzero((u >= low) & (u < low + 0.125))
        n = int(len(u) / 8 - 6 * math.sqrt(len(u) / 8))  # always there, so that their number says nothing of the times
        waits = np.minimum(np.diff(hits, prepend=-1)[:n], 100)
        places = np.arange(1, 101)
        p = 0.125 * 0.875 ** (places - 1)
        p[-1] /= 0.125
        found.append(chi_square(waits, places, p))
    return np.array(found)


def birthday_spacings(u: np.ndarray) -> np.ndarray:
    """Equal spacings of 4096 birthdays in 2^34 days: Poisson of mean m^3/4n, from the upper and from the lower bits."""
    m, n_bits = 4096, 34
    samples = bits_of(u[: len(u) // m * m]).reshape(-1, m)
    found = []
    for shift in (N_BITS - n_bits, 0):
        days = np.sort((samples >> np.uint64(shift)) & np.uint64(2**n_bits - 1), axis=1)
        spacings = np.sort(np.diff(days, axis=1), axis=1)
        n_equal = int((spacings[:, 1:] == spacings[:, :-1]).sum())
        mean = len(samples) * m**3 / (4 * 2.0**n_bits)
        found.append(min(1.0, 2 * min(poisson.cdf(n_equal, mean), poisson.sf(n_equal - 1, mean))))
    return np.array(found)


def ranks(u: np.ndarray) -> np.ndarray:
    """Ranks over GF(2) of matrices of 32 x 32 bits, upper and lower."""
    samples = bits_of(u[: len(u) // 32 * 32]).reshape(-1, 32)
    r = np.arange(28, 33)
    p = np.array([2.0 ** (k * (64 - k) - 1024) for k in r.tolist()])
    for place, k in enumerate(r):
        i = np.arange(k)
        p[place] *= ((1 - 2.0 ** (i - 32)) ** 2 / (1 - 2.0 ** (i - k))).prod()
    p[0] = 1 - p[1:].sum()
    found = []
    for shift in (20, 0):
        rank = _rank((samples >> np.uint64(shift)) & np.uint64(2**32 - 1))
        found.append(chi_square(np.maximum(rank, 28), r, p))
    return np.array(found)


def _rank(rows: np.ndarray) -> np.ndarray:
    """(n, 32) rows of 32 bits -> (n,) ranks, by elimination of all matrices at once."""
    rows, rank = rows.copy(), np.zeros(len(rows), dtype=np.int64)
    every, place = np.arange(len(rows)), np.arange(32)
    for bit in range(32):
        mask = np.uint64(1 << bit)
        usable = ((rows & mask) != 0) & (place >= rank[:, None])
        has = usable.any(1)
        pivot = np.where(has, usable.argmax(1), np.minimum(rank, 31))
        top = np.minimum(rank, 31)
        held = rows[every, pivot].copy()
        rows[every, pivot] = rows[every, top]
        rows[every, top] = held
        below = ((rows & mask) != 0) & (place > rank[:, None]) & has[:, None]
        rows ^= np.where(below, held[:, None], np.uint64(0))
        rank += has
    return rank


def collisions(u: np.ndarray) -> np.ndarray:
    """1024 balls into 2^14 urns: the number of urns hit, whose exact law is a recursion over balls."""
    n_balls, n_urns = 1024, 2**14
    p = np.zeros(n_balls + 1)
    p[0] = 1.0
    k = np.arange(n_balls + 1)
    for _ in range(n_balls):
        p = p * k / n_urns + np.concatenate([[0.0], (p * (1 - k / n_urns))[:-1]])
    samples = np.sort(bits_of(u[: len(u) // n_balls * n_balls]).reshape(-1, n_balls) & np.uint64(n_urns - 1), axis=1)
    n_hit = 1 + (np.diff(samples, axis=1) != 0).sum(1)
    return np.array([chi_square(n_hit, k, p / p.sum())])


UNIFORM: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    test.__name__: test
    for test in (
        *(law, every_bit, weights, serial, permutations),
        *(runs, gaps, birthday_spacings, ranks, collisions),
    )
}


def normal_law(z: np.ndarray) -> np.ndarray:
    """Kolmogorov and Smirnov on numbers, on products of neighbours' signs by size, and on squared lengths of eight."""
    eights = (z[: len(z) // 8 * 8].reshape(-1, 8) ** 2).sum(1)
    return np.array([kolmogorov(ndtr(z)), kolmogorov(chi2.cdf(eights, 8))])


def spectrum(z: np.ndarray) -> np.ndarray:
    """The periodogram of independent normal numbers is exponential, independent at all frequencies."""
    power = np.abs(np.fft.rfft(z)[1 : len(z) // 2]) ** 2 / len(z)
    return np.array([kolmogorov(-np.expm1(-power)), _largest(-np.expm1(-power))])


def angles(z: np.ndarray) -> np.ndarray:
    """The direction of two neighbours, and of numbers two apart, which Box and Muller make from different words."""
    fours = z[: len(z) // 4 * 4].reshape(-1, 4)
    turns = [np.arctan2(fours[:, j], fours[:, i]) / (2 * math.pi) + 0.5 for i, j in ((0, 1), (0, 2), (1, 3))]
    return np.array([kolmogorov(turn) for turn in turns])


NORMAL: dict[str, Callable[[np.ndarray], np.ndarray]] = {test.__name__: test for test in (normal_law, spectrum, angles)}


def neighbours(z: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """p-values that streams z (A, B, n) are independent of their neighbour at z[a + i, b + j], (i, j) the step.

    t = z.z'/|z'| is standard normal given z' and every stream further on, so all t are independent and exactly normal.
    """
    i, j = step
    here = z[: len(z) - i, max(0, -j) : z.shape[1] - max(0, j)]
    there = z[i:, max(0, j) : z.shape[1] + min(0, j)]
    t = ((here * there).sum(-1) / np.linalg.norm(there, axis=-1)).ravel()
    chi = chi2.cdf((t**2).sum(), t.size)
    return np.array([kolmogorov(ndtr(t)), _largest(2 * norm.cdf(np.abs(t)) - 1), 2 * min(chi, 1 - chi)])


def _largest(u: np.ndarray) -> float:
    """p-value of the largest of independent uniform numbers."""
    return float(-np.expm1(u.size * np.log1p(-np.maximum(1 - u.max(), 1e-300))))
