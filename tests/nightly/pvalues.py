"""p-values that are true: of numbers that are independent and uniform if, and only if, the sampler is right.

A target turns every position of its exact law into independent uniform numbers [Rosenblatt 1952], so nothing is
estimated: one test of Kolmogorov and Smirnov, with its exact law, serves every target. Independence is between
replicas, never along a chain. Several p-values of one item are joined by Bonferroni's inequality.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr
from scipy.stats import binom, chi2, kstwo

FALSE_ALARM = 1e-3  # of the whole battery: one night in a thousand
MIN_EXPECTED = 20.0  # of a cell of a chi-square; smaller ones are put together
N_PARTS = 3  # kernels, exchange, streams: a third of it each


def limit(n_items: int) -> float:
    """Below it an item of a part fails: `FALSE_ALARM` over parts and items."""
    return FALSE_ALARM / N_PARTS / n_items


@dataclass(frozen=True)
class Found:
    """Several p-values, and the smallest of them.

    Attributes:
        what: the statistic of the smallest.
    """

    n: int
    smallest: float
    what: str

    @property
    def p(self) -> float:
        """Of the whole: min(1, n times the smallest)."""
        return min(1.0, self.n * self.smallest)


def joined(found: dict[str, np.ndarray | float]) -> Found:
    """All p-values by the name of their statistic; NaN counts as 0."""
    flat = {name: np.nan_to_num(np.atleast_1d(p), nan=0.0) for name, p in found.items()}
    assert all((p >= 0).all() and (p <= 1).all() for p in flat.values())
    name = min(flat, key=lambda name: flat[name].min())
    place = np.unravel_index(flat[name].argmin(), flat[name].shape)
    return Found(sum(p.size for p in flat.values()), float(flat[name].min()), f"{name} {[int(i) for i in place]}")


def kolmogorov(u: np.ndarray) -> np.ndarray:
    """p-values that the columns of (n, ...) are independent uniform numbers; exact for every n."""
    n = len(u)
    ordered = np.sort(u, axis=0)
    rank = np.arange(n).reshape(-1, *[1] * (u.ndim - 1))
    distance = np.maximum((ordered - rank / n).max(0), ((rank + 1) / n - ordered).max(0))
    return np.asarray(kstwo.sf(distance, n))


def student(values: np.ndarray) -> np.ndarray:
    """Two-sided p-values that the columns of (n, ...), n independent numbers each, have mean zero.

    Exact for Gaussian numbers; here they are bounded averages of bounded numbers and n is hundreds or thousands.
    """
    n = len(values)
    stderr = values.std(axis=0, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = values.mean(axis=0) / stderr
    return np.asarray(2 * stdtr(n - 1, -np.abs(z)))


def chi_square(seen: np.ndarray, cells: np.ndarray, probability: np.ndarray) -> float:
    """p-value of independent draws of the law (cells, probability): rare cells are one, an impossible one gives 0."""
    cells, probability = cells[probability > 0], probability[probability > 0]
    order = np.argsort(cells)
    cells, expected = cells[order], len(seen) * probability[order]
    place = np.minimum(np.searchsorted(cells, seen), len(cells) - 1)
    if (cells[place] != seen).any():
        return 0.0
    counts = np.bincount(place, minlength=len(cells))
    by_size = np.argsort(-expected)
    counts, expected = counts[by_size], expected[by_size]
    n_large = int((expected >= MIN_EXPECTED).sum())
    while 0 < n_large < len(expected) and expected[n_large:].sum() < MIN_EXPECTED:
        n_large -= 1
    groups = np.append(np.arange(n_large), n_large) if n_large < len(expected) else np.arange(n_large)
    counts, expected = np.add.reduceat(counts, groups), np.add.reduceat(expected, groups)
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(groups) - 1)) if len(groups) > 1 else 1.0


def two_sided(counts: np.ndarray, n: int, p: np.ndarray) -> np.ndarray:
    """p-values of binomial counts, never too small."""
    return np.minimum(1.0, 2 * np.minimum(binom.cdf(counts, n, p), binom.sf(counts - 1, n, p)))


def uniformity(u: np.ndarray) -> Found:
    """That snapshots u (S, D, K, R, m) hold independent uniform numbers but for the correlation of snapshots.

    Last snapshot: every number is uniform over replicas; so is, modulo 1, the difference of two numbers of one
    position, of two replicas, of neighbouring temperatures and of networks. All snapshots: time averages of u and of
    |2u - 1| are 1/2, by the scatter of replicas; both are symmetric about it, which keeps Student's law good for dozens
    of replicas.
    """
    by_replica = np.moveaxis(u, 3, 0)  # (R, S, D, K, m)
    last, centred = by_replica[:, -1], by_replica - 0.5
    n_pairs = len(last) // 2
    differences = {
        "two numbers": last[..., 1:] - last[..., :-1],
        "two replicas": last[: 2 * n_pairs : 2] - last[1 : 2 * n_pairs : 2],
        "two temperatures": last[:, :, 1:] - last[:, :, :-1],
        "two networks": last[:, 1:] - last[:, :-1],
    }
    found = {
        "law": kolmogorov(last),
        "mean": student(centred.mean(1)),
        "width": student(np.abs(2 * centred).mean(1) - 0.5),
        **{name: kolmogorov(d % 1.0) for name, d in differences.items() if d.size},
    }
    return joined(found)
