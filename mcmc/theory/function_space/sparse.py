"""Layers of sparse majority gates: each unit takes the sign of k units of the layer below, chosen at random.

The reference network has weights +1, the perturbed one flips each with probability p [Li and Saad, PRL 120, 248301
(2018), equations (13) and (14) for k = 3]. Order parameters: the mean spins m^ and m of both networks and their overlap
q. With u = 1-2p, M = u m, Q = u q the k inputs of a unit are independent pairs (s^, s) of means m^, M and E s^ s = Q:

    m^' = E sgn(sum s^),   m' = E sgn(sum s),   q' = E sgn(sum s^) sgn(sum s)
    k = 3:  m' = 3M/2 - M^3/2,   q' = [3Q + 6 m^ M - 3Q M^2 - 3Q m^^2 + Q^3]/4

m = 0 is stable above  1 - 2 p_c = 2^{k-1} / (k C(k-1, (k-1)/2)).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from mcmc.errors import UsageError
from mcmc.theory.function_space.units import Array

MAX_K = 31  # terms of the joint law grow like k^3/6


@dataclass(frozen=True)
class SparseState:
    """Order parameters of a layer.

    Attributes:
        reference:     m^, mean spin of the reference network.
        magnetization: m, mean spin of the perturbed network.
        overlap:       q.
    """

    reference: float
    magnetization: float
    overlap: float

    @property
    def error(self) -> float:
        """(1-q)/2."""
        return (1 - self.overlap) / 2

    def vector(self) -> Array:
        """(m^, m, q)."""
        return np.array([self.reference, self.magnetization, self.overlap])


def check_gate(k: int, flip: float) -> None:
    """Raises UsageError unless k is odd, 3..MAX_K, and 0 <= flip <= 1/2."""
    if k % 2 == 0 or not 3 <= k <= MAX_K:
        raise UsageError(f"k: expected an odd number of inputs from 3 to {MAX_K} (no ties), found {k}.", k=k)
    if not 0 <= flip <= 0.5:
        raise UsageError(f"flip: expected a probability from 0 to 0.5, found {flip:g}.", flip=flip)


def critical_flip(k: int) -> float:
    """p_c, above which the perturbed network forgets its input: 1/6, 7/30, .271429, .296825 for k = 3, 5, 7, 9."""
    check_gate(k, 0.0)
    return (1 - 2 ** (k - 1) / (k * math.comb(k - 1, (k - 1) // 2))) / 2


def majority(k: int, mean: float) -> float:
    """E sgn of the sum of k independent spins of this mean."""
    up, down = (1 + mean) / 2, (1 - mean) / 2
    half = (k + 1) // 2
    # odd in the mean: terms with n ups and with n downs in pairs, so that nothing cancels near zero
    return sum(math.comb(k, n) * (up**n * down ** (k - n) - down**n * up ** (k - n)) for n in range(half, k + 1))


def stationary(k: int, flip: float) -> SparseState:
    """The state that a magnetised input settles into after many layers: q = m because m^ -> 1.

    k = 3:  m = sqrt((1-6p)/(1-2p)^3) below p_c = 1/6, and 0 above it.
    """
    check_gate(k, flip)
    if flip >= critical_flip(k):
        return SparseState(1.0, 0.0, 0.0)
    u = 1 - 2 * flip

    def growth(log_m: float) -> float:
        m = math.exp(log_m)
        return majority(k, u * m) / m - 1  # falls from its positive value at m -> 0

    m = 1.0 if growth(0.0) >= 0 else math.exp(brentq(growth, -18.0, 0.0, xtol=1e-15)) if growth(-18.0) > 0 else 0.0
    return SparseState(1.0, m, m)


def next_layer(k: int, flip: float, state: SparseState) -> SparseState:
    """The order parameters one layer up."""
    return SparseState(*(float(value) for value in _map(k, flip, state.vector())))


def transient(k: int, flip: float, start: float, n_layers: int) -> list[SparseState]:
    """Layers 0..n of both networks, fed with one input of mean spin `start`.

    Raises:
        UsageError: a gate that does not exist, a mean outside [-1, 1], or fewer than one layer.
    """
    check_gate(k, flip)
    if not -1 <= start <= 1:
        raise UsageError(f"initial magnetization: expected -1 to 1, found {start:g}.", start=start)
    if n_layers < 1:
        raise UsageError(f"layers: expected at least 1, found {n_layers}.", n_layers=n_layers)
    states = [SparseState(start, start, 1.0)]
    for _ in range(n_layers):
        states.append(next_layer(k, flip, states[-1]))
    return states


def covariance(k: int, flip: float, states: list[SparseState]) -> list[Array]:
    """N Cov of (m^, m, q) in each layer of a transient, (3, 3) each, for an input of exact magnetisation.

    Given the layer below, the units are independent:  C_{l+1} = Cov(s^, s, s^ s) + J C_l J^T,  J that of the map.
    """
    found = [np.zeros((3, 3))]
    for below, above in pairwise(states):
        m_ref, m, q = above.vector()
        single = np.array([[1.0, q, m], [q, 1.0, m_ref], [m, m_ref, 1.0]]) - np.outer(above.vector(), above.vector())
        jacobian = _jacobian(k, flip, below.vector())
        found.append(single + jacobian @ found[-1] @ jacobian.T)
    return found


@lru_cache(maxsize=8)
def _joint_terms(k: int) -> tuple[Array, Array, Array]:
    """Numbers (terms, 4) of pairs (++, +-, -+, --) among k, multinomial coefficients, products of signs."""
    counts = np.array(
        [(a, b, c, k - a - b - c) for a in range(k + 1) for b in range(k + 1 - a) for c in range(k + 1 - a - b)]
    )
    ways = np.array([math.factorial(k) / math.prod(math.factorial(int(n)) for n in row) for row in counts])
    signs = np.sign(2 * (counts[:, 0] + counts[:, 1]) - k) * np.sign(2 * (counts[:, 0] + counts[:, 2]) - k)
    return counts, ways, signs.astype(float)


def _map(k: int, flip: float, vector: Array) -> Array:
    u = 1 - 2 * flip
    m_ref, m, q = vector[0], u * vector[1], u * vector[2]
    pairs = np.array([1 + m_ref + m + q, 1 + m_ref - m - q, 1 - m_ref + m - q, 1 - m_ref - m + q]) / 4
    counts, ways, signs = _joint_terms(k)
    joint = float(np.sum(ways * signs * np.prod(np.maximum(pairs, 0.0) ** counts, axis=1)))
    return np.array([majority(k, m_ref), majority(k, m), joint])


def _jacobian(k: int, flip: float, vector: Array) -> Array:
    """d(m^', m', q')/d(m^, m, q) by the polynomial itself: each derivative is k times the map with one input fixed."""
    u = 1 - 2 * flip
    scale = np.array([1.0, u, u])
    m_ref, m, q = vector * scale
    pairs = np.maximum(np.array([1 + m_ref + m + q, 1 + m_ref - m - q, 1 - m_ref + m - q, 1 - m_ref - m + q]) / 4, 0.0)
    counts, ways, signs = _joint_terms(k)
    # d/dpair_j of prod pair^n
    gradient = np.empty(4)
    for j in range(4):
        lowered = counts.copy()
        lowered[:, j] = np.maximum(lowered[:, j] - 1, 0)
        gradient[j] = np.sum(ways * signs * counts[:, j] * np.prod(pairs**lowered, axis=1))
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 4
    slope = k * math.comb(k - 1, (k - 1) // 2) / 2 ** (k - 1)
    result = np.zeros((3, 3))
    result[0, 0] = slope * (1 - m_ref**2) ** ((k - 1) // 2)
    result[1, 1] = u * slope * (1 - m**2) ** ((k - 1) // 2)
    result[2] = gradient @ corners * scale
    return result
