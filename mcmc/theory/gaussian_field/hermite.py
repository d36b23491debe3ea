"""The dual activation of any smooth activation as a Hermite series, by one-dimensional quadrature.

    phi(sqrt(S) z) = sum_n a_n he_n(z),   he_n = He_n / sqrt(n!),   a_n = E phi(sqrt(S) z) he_n(z)
    K(C; S) = sum_n a_n^2 (C/S)^n                                                               [Mehler]

All terms are positive, and sum_n a_n^2 = E phi^2 is a quadrature of its own: what is missing from it is the error of
the truncated series at C = S, the worst point. A kink makes a_n^2 fall like a power of n, which no number of terms
resolves in the derivatives; such activations need a closed form (`dual_activation`).
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from mcmc.errors import QuadratureError
from mcmc.systems.mlp.activations import Activation
from mcmc.theory.gaussian_average import even_moment
from mcmc.theory.gaussian_field.covariance import MAX_ORDER, Array

TOL = 1e-12  # wanted: error of K and of C-derivatives up to MAX_ORDER, relative to their size
WORST_TAIL = 1e-8  # accepted of the fourth derivative at C = S; lower derivatives and C < S are far better
MAX_TERMS = 8192
REACH = 13.0  # the Gaussian weight left for he_n, exp(-z^2/4), is 4e-19 there
BLOCK = 64
PARITY = 1e-30


def hermite_coefficients(activation: Activation, variance: float, n_terms: int, step: float) -> Array:
    """a_0 ... a_{n_terms - 1} by the trapezoid rule, which converges geometrically for an analytic phi.

    Args:
        step: spacing of z; he_n oscillates with wave number sqrt(n), so step << pi / sqrt(n_terms).
    """
    half = math.ceil(REACH / step)
    z = step * np.arange(-half, half + 1)
    phi = activation.phi(torch.from_numpy(math.sqrt(variance) * z)).numpy()
    weight = step * np.exp(-(z**2) / 4) * (2 * math.pi) ** -0.25
    # Hermite functions he_n(z) exp(-z^2/4): bounded, so that the recurrence neither over- nor underflows
    before, current = np.zeros_like(z), np.exp(-(z**2) / 4) * (2 * math.pi) ** -0.25
    coefficients = np.empty(n_terms)
    for n in range(n_terms):
        coefficients[n] = np.sum(weight * phi * current)
        before, current = current, (z * current - math.sqrt(n) * before) / math.sqrt(n + 1)
    return coefficients


def hermite_dual(activation: Activation, variance: float) -> tuple[Callable[[Array, int], Array], float]:
    """The dual activation as a Hermite series long enough for its fourth derivative, and its estimated error.

    Returns:
        ((C, order) -> (order + 1, *C.shape), error); the error compares with half the step and with E phi^2.
    Raises:
        QuadratureError: more than MAX_TERMS terms are wanted (a kink, or a variance too large); variance, error.
    """
    n_terms = 64
    while True:
        step = min(0.1, 0.15 / math.sqrt(variance), 1 / math.sqrt(n_terms))
        squares = hermite_coefficients(activation, variance, n_terms, step) ** 2
        tail = _relative_tail(squares)
        if tail <= TOL or (2 * n_terms > MAX_TERMS and tail <= WORST_TAIL):
            break
        if 2 * n_terms > MAX_TERMS:
            raise QuadratureError(
                f"Hermite series of '{activation.name}' at pre-activation variance {variance:.4g}: after {n_terms} "
                f"terms {tail:.1e} of the fourth derivative is missing (wanted <= {WORST_TAIL:.0e}). Use a smaller "
                "sigma_w, or an activation without kinks, or one with a closed form (linear, relu, leaky_relu, "
                "shaped_relu, erf, sin).",
                variance=variance,
                error=tail,
                n_terms=n_terms,
            )
        n_terms *= 2
    finer = hermite_coefficients(activation, variance, n_terms, step / 2) ** 2
    # an independent rule for E phi^2
    error = float(np.sum(np.abs(finer - squares)) + abs(even_moment(activation, variance, 2) - np.sum(finer)))
    if error > math.sqrt(TOL) * np.sum(finer):
        raise QuadratureError(
            f"Hermite series of '{activation.name}' at pre-activation variance {variance:.4g}: halving the step "
            f"changes the dual activation by {error:.1e}. Use a smaller sigma_w or a smooth activation.",
            variance=variance,
            error=error,
        )
    # what parity makes zero comes out as 1e-34, and xi'(0) > 0 would be a field that is not there
    finer[finer < PARITY * np.sum(finer)] = 0.0
    return _PowerSeries(_trimmed(finer), variance), error


class _PowerSeries:
    """(C, order) -> derivatives in C of sum_n a_n^2 (C/S)^n, (order + 1, *C.shape).

    Powers are taken in blocks, rho^(n B + m) = (rho^B)^n rho^m: two small tables of powers and one matrix product.
    """

    def __init__(self, squares: Array, variance: float):
        self.variance = variance
        self.n_blocks = -(-len(squares) // BLOCK)
        padded = np.zeros(self.n_blocks * BLOCK)
        padded[: len(squares)] = squares
        self.tables = _derivative_coefficients(padded).reshape(MAX_ORDER + 1, self.n_blocks, BLOCK)

    def __call__(self, c: Array, order: int) -> Array:
        rho = np.clip(c / self.variance, -1.0, 1.0).ravel()
        low = np.vander(rho, BLOCK, increasing=True)
        high = np.vander(rho**BLOCK, self.n_blocks, increasing=True)
        inner = low @ self.tables[: order + 1].reshape(-1, BLOCK).T  # (points, (order + 1) * n_blocks)
        sums = np.einsum("pon,pn->op", inner.reshape(len(rho), order + 1, self.n_blocks), high)
        scale = self.variance ** -np.arange(order + 1.0)
        return (scale[:, None] * sums).reshape(order + 1, *c.shape)


def _derivative_coefficients(squares: Array) -> Array:
    """Power series of sum_n a_n^2 rho^n and its derivatives, (MAX_ORDER + 1, n_terms)."""
    rows = [squares]
    for _ in range(MAX_ORDER):
        rows.append(np.append(rows[-1][1:] * np.arange(1, len(squares)), 0.0))
    return np.array(rows)


def _trimmed(squares: Array) -> Array:
    """Without the last terms that together are below a tenth of the tolerance in every derivative."""
    fourth = _derivative_coefficients(squares)[MAX_ORDER]
    left = np.cumsum(fourth[::-1])[::-1]  # what is lost by cutting at each n
    scale = max(float(left[0]), 1e-12 * float(np.sum(squares)))
    n_kept = int(np.count_nonzero(left > 0.1 * TOL * scale))
    return squares[: n_kept + MAX_ORDER]


def _relative_tail(squares: Array) -> float:
    """What the last eighth of the terms adds to the fourth derivative at rho = 1, relative to the whole."""
    fourth = _derivative_coefficients(squares)[MAX_ORDER]
    total = float(np.sum(fourth))
    last = float(np.sum(fourth[-len(fourth) // 8 :]))
    # rounding leaves a_n^2 ~ 1e-33, which n^4 magnifies: a polynomial phi has no tail to compare with
    return last / max(total, 1e-12 * float(np.sum(squares)))
