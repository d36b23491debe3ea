"""Majority gates against published numbers, the polynomials of k = 3, and an enumeration of all inputs."""

from itertools import pairwise, product

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.function_space.sparse import (
    SparseState,
    covariance,
    critical_flip,
    majority,
    next_layer,
    stationary,
    transient,
)


@pytest.mark.parametrize(("k", "expected"), [(3, 1 / 6), (5, 7 / 30), (7, 0.271429), (9, 0.296825)])
def test_critical_flip(k, expected):
    assert critical_flip(k) == pytest.approx(expected, abs=5.1e-7)
    step = 1e-7  # a small magnetisation neither grows nor decays there
    assert majority(k, (1 - 2 * critical_flip(k)) * step) == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize(
    ("flip", "expected"),
    [(0.01, 0.999367), (0.05, 0.979908), (0.10, 0.883883), (0.15, 0.539949), (0.16, 0.356670), (0.166, 0.115842)],
)
def test_stationary_magnetization(flip, expected):
    found = stationary(3, flip)
    assert found.magnetization == pytest.approx(expected, abs=5.1e-7)
    assert found.magnetization == pytest.approx(np.sqrt((1 - 6 * flip) / (1 - 2 * flip) ** 3), abs=1e-9)
    assert found.overlap == found.magnetization
    again = next_layer(3, flip, found)
    assert again.vector() == pytest.approx(found.vector(), abs=1e-12)


@pytest.mark.parametrize("k", [3, 5, 9])
def test_stationary_state_is_fixed_and_vanishes_at_the_critical_flip(k):
    for flip in (0.0, 0.7 * critical_flip(k), critical_flip(k) * (1 - 1e-6)):
        found = stationary(k, flip)
        assert found.magnetization > 0
        assert next_layer(k, flip, found).vector() == pytest.approx(found.vector(), abs=1e-12)
    assert stationary(k, 0.0).magnetization == pytest.approx(1)
    assert stationary(k, critical_flip(k)).magnetization == 0
    assert stationary(k, 0.4).error == 0.5


@pytest.mark.parametrize(
    ("flip", "worst", "at"),
    [
        (0.05, 0.19294, (0.14528, 0.01124, 0.01005, 0.01005)),
        (0.10, 0.30672, (0.27878, 0.11884, 0.05859, 0.05806)),
        (0.15, 0.38580, (0.38049, 0.35217, 0.30172, 0.2318)),
    ],
)
def test_transient(flip, worst, at):
    errors = [state.error for state in transient(3, flip, 0.2, 60)]
    assert max(errors) == pytest.approx(worst, abs=5.1e-6)
    assert errors.index(max(errors)) == 4
    assert [errors[layer] for layer in (5, 10, 20, 60)] == pytest.approx(at, abs=5.1e-6)


def test_transient_above_the_critical_flip_is_monotone():
    errors = [state.error for state in transient(3, 0.2, 0.2, 60)]
    assert np.all(np.diff(errors) > 0)
    assert errors[-1] == pytest.approx(0.49982, abs=5.1e-6)


def enumerated(k, flip, state):
    """(m^', m', q') over all inputs, references and flips: 2^k pairs of spins a side."""
    u = 1 - 2 * flip
    total = np.zeros(3)
    for pairs in product(product((1, -1), repeat=2), repeat=k):
        weight = np.prod([(1 + state.reference * a + u * state.magnetization * b + u * state.overlap * a * b) / 4
                          for a, b in pairs])  # fmt: skip
        reference, perturbed = np.sign(np.sum(pairs, axis=0))
        total += weight * np.array([reference, perturbed, reference * perturbed])
    return total


@pytest.mark.parametrize("k", [3, 5])
def test_layer_by_enumeration(k):
    state = SparseState(0.3, -0.2, 0.5)
    assert next_layer(k, 0.07, state).vector() == pytest.approx(enumerated(k, 0.07, state), abs=1e-12)


def test_polynomials_of_three_inputs():
    """Equations (13) and (14) as printed."""
    m_ref, m, q, u = 0.35, 0.2, 0.55, 0.9
    big_m, big_q = u * m, u * q
    joint = (3 * big_q + 6 * m_ref * big_m - 3 * big_q * (big_m**2 + m_ref**2) + big_q**3) / 4
    expected = [1.5 * m_ref - m_ref**3 / 2, 1.5 * big_m - big_m**3 / 2, joint]
    assert next_layer(3, 0.05, SparseState(m_ref, m, q)).vector() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("k", [3, 7])
def test_covariance_uses_the_jacobian_of_the_map(k):
    """Finite differences of the map in place of the analytic derivatives."""
    states, step = transient(k, 0.08, 0.25, 4), 1e-6
    by_differences = [np.zeros((3, 3))]
    for below, above in pairwise(states):
        jacobian = np.array(
            [
                (next_layer(k, 0.08, SparseState(*(below.vector() + step * e))).vector()
                 - next_layer(k, 0.08, SparseState(*(below.vector() - step * e))).vector()) / (2 * step)
                for e in np.eye(3)
            ]
        ).T  # fmt: skip
        m_ref, m, q = above.vector()
        own = np.array([[1, q, m], [q, 1, m_ref], [m, m_ref, 1]]) - np.outer(above.vector(), above.vector())
        by_differences.append(own + jacobian @ by_differences[-1] @ jacobian.T)
    for found, expected in zip(covariance(k, 0.08, states), by_differences, strict=True):
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: critical_flip(4), "odd number"),
        (lambda: stationary(3, 0.6), "from 0 to 0.5"),
        (lambda: transient(3, 0.1, 1.5, 3), "-1 to 1"),
        (lambda: transient(3, 0.1, 0.5, 0), "at least 1"),
    ],
)
def test_errors(call, why):
    with pytest.raises(UsageError, match=why):
        call()
