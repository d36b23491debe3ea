"""The input sphere: stationarity by finite differences, the inverse map, and integer numbers of replicas."""

import numpy as np
import pytest

from mcmc.theory.rsb.sphere import sphere_breaking_derivatives, sphere_free_entropy, sphere_gaps, sphere_overlaps

Q, X = (0.2, 0.35, 0.6, 0.7), (0.15, 0.4, 0.85)


def fields_of(q, x):
    """M_0 ... M_k that balance these overlaps."""
    d = sphere_gaps(q, x)
    m = [q[0] / d[0] ** 2]
    for i, x_i in enumerate(x, start=1):
        m.append(m[-1] + (1 / d[i] - 1 / d[i - 1]) / x_i)
    return tuple(m)


@pytest.mark.parametrize(("q", "x"), [(Q, X), ((0.3,), ()), ((1e-9, 0.99999), (0.5,)), ((0.4, 0.4, 0.4), (0.2, 0.9))])
def test_overlaps_from_fields_invert_fields_from_overlaps(q, x):
    np.testing.assert_allclose(sphere_overlaps(fields_of(q, x), x), q, rtol=1e-9, atol=1e-15)


def test_no_field_means_no_overlap():
    assert sphere_overlaps((0.0, 0.0), (0.5,)) == (0.0, 0.0)


@pytest.mark.parametrize("level", range(4))
def test_the_field_of_a_level_is_the_derivative_of_phi(level):
    # d Phi_sphere / dq[i] = 1/2 (x_{i+1} - x_i) M_i
    weights = np.diff([0, *X, 1])
    shift = np.eye(4)[level] * 1e-6
    difference = sphere_free_entropy(tuple(Q + shift), X) - sphere_free_entropy(tuple(Q - shift), X)
    assert difference / 2e-6 == pytest.approx(0.5 * weights[level] * fields_of(Q, X)[level], rel=1e-6)


@pytest.mark.parametrize("i", range(3))
def test_breaking_derivatives_by_finite_differences(i):
    shift = np.eye(3)[i] * 1e-6
    difference = sphere_free_entropy(Q, tuple(X + shift)) - sphere_free_entropy(Q, tuple(X - shift))
    assert difference / 2e-6 == pytest.approx(sphere_breaking_derivatives(Q, X)[i], rel=1e-6)


def test_equal_levels_are_replica_symmetric():
    symmetric = 0.5 * (np.log(0.6) + 0.4 / 0.6)
    assert sphere_free_entropy((0.4,) * 4, X) == pytest.approx(symmetric, abs=1e-14)


def test_log_determinant_of_a_hierarchical_matrix():
    # n replicas in blocks of m, q_1 inside and q_0 outside: 1 - q_1 is (n - n/m)-fold, 1 - q_1 + m (q_1 - q_0)
    # (n/m - 1)-fold, and one eigenvalue has n q_0 more; 1/2 log det / n is analytic in n and taken at n -> 0
    q0, q1, m, n = 0.2, 0.7, 0.4, 1e-7
    inner, outer = 1 - q1, 1 - q1 + m * (q1 - q0)
    log_det = (n - n / m) * np.log(inner) + (n / m - 1) * np.log(outer) + np.log(outer + n * q0)
    assert log_det / (2 * n) == pytest.approx(sphere_free_entropy((q0, q1), (m,)), abs=1e-6)
