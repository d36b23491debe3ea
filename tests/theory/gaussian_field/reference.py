"""Second answers, written apart from the package: sums of the literature, closed equations, a brute-force minimum."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq


def k_step_free_entropy(xi, beta, levels, points):
    """Crisanti-Sommers sum for levels q[0..k] and breaking points x_1..x_k.

    1/2 { beta^2 [xi(1) - sum_i (x_{i+1}-x_i) xi(q[i])] + log D_k + sum_i (1/x_i) log(D_{i-1}/D_i) + q[0]/D_0 }
    """
    x = [0.0, *points, 1.0]
    k = len(points)
    d = [0.0] * (k + 1)
    d[k] = 1 - levels[k]
    for i in range(k, 0, -1):
        d[i - 1] = d[i] + x[i] * (levels[i] - levels[i - 1])
    total = beta**2 * (xi(1.0) - sum((x[i + 1] - x[i]) * xi(levels[i]) for i in range(k + 1)))
    total += math.log(d[k]) + levels[0] / d[0]
    total += sum(math.log(d[i - 1] / d[i]) / x[i] for i in range(1, k + 1))
    return total / 2


def k_step_energy(xi, beta, levels, points):
    """-beta [xi(1) - sum_i (x_{i+1}-x_i) xi(q[i])]."""
    return -beta * (xi(1.0) - np.dot(np.diff([0.0, *points, 1.0]), [xi(q) for q in levels]))


def pure_p_z(p):
    """z = (1-q_1)/(1-q_1+x q_1) of the 1RSB solution of a pure p-spin, the same at every temperature.

    2/p = -2 z (1 - z + log z)/(1-z)^2     [Crisanti and Sommers 1992]
    """
    return brentq(lambda z: 2 / p + 2 * z * (1 - z + math.log(z)) / (1 - z) ** 2, 1e-12, 1 - 1e-6, xtol=1e-15)


def pure_p_one_step(p, beta):
    """(q_1, x) of the 1RSB of xi = q^p/2 below its static temperature, from z; q_0 = 0."""
    z = pure_p_z(p)

    def excess(q):
        return beta**2 * p / 2 * q ** (p - 2) * (1 - q) ** 2 - z

    top = (p - 2) / p  # the left side is largest there: the larger root is the physical one
    q = brentq(excess, top, 1 - 1e-12, xtol=1e-15)
    return q, (1 - q) * (1 / z - 1) / q


def pure_p_static_temperature(p):
    """x = 1: q_1 = 1 - z."""
    z = pure_p_z(p)
    return math.sqrt(p / 2 * (1 - z) ** (p - 2) * z)


def pure_p_dynamic_temperature(p):
    """Marginal states: q = (p-2)/(p-1), T^2 = p (p-2)^(p-2) / (2 (p-1)^(p-1)) for xi = q^p/2."""
    return math.sqrt(p * (p - 2) ** (p - 2) / (2 * (p - 1) ** (p - 1)))


def pure_p_ground_state(p):
    """e_0 of xi = q^p/2 at T = 0: chi = sqrt(2 z/p), alpha = chi (1/z - 1), e_0 = -int alpha xi' - chi xi'(1)."""
    z = pure_p_z(p)
    chi = math.sqrt(2 * z / p)
    return -(chi * (1 / z - 1) * 0.5 + chi * p / 2)


def full_rsb_two_plus_four(a, b, beta):
    """xi = a q^2 + b q^4 in its full-RSB phase: (q_EA, Phi, e) by quadrature over x(q) = xi'''/(2 beta xi''^(3/2))."""

    def curvature(q):
        return 2 * a + 12 * b * q**2

    def x(q):
        return 24 * b * q / (2 * beta * curvature(q) ** 1.5)

    q_ea = brentq(lambda q: beta**2 * (1 - q) ** 2 * curvature(q) - 1, 1e-9, 1 - 1e-9, xtol=1e-15)

    def d(q):
        return (1 - q_ea) + quad(x, q, q_ea, epsabs=1e-14)[0]

    coupling = quad(lambda q: x(q) * (2 * a * q + 4 * b * q**3), 0, q_ea, epsabs=1e-14)[0]
    coupling += a * (1 - q_ea**2) + b * (1 - q_ea**4)
    phi = 0.5 * (beta**2 * coupling + quad(lambda q: 1 / d(q), 0, q_ea, epsabs=1e-13)[0] + math.log(1 - q_ea))
    return q_ea, phi, -beta * coupling


def staircase_minimum(xi, beta, n_cells=40):
    """Smallest Phi over non-decreasing staircases x(q) on a fixed grid: convex, an upper bound of the true minimum."""
    edges = np.concatenate([np.linspace(0, 0.9, n_cells // 2), 1 - np.geomspace(0.1, 1e-3, n_cells // 2)[1:]])
    widths = np.diff(edges)
    rises = np.array([xi(q) for q in edges])

    def phi_and_gradient(x):
        top = 1 - edges[-1]
        d = np.append(np.cumsum((x * widths)[::-1])[::-1], 0) + top
        ratio = np.maximum(x * widths / d[:-1], 1e-6)
        stretch = -np.log1p(-ratio) / ratio
        phi = beta**2 * (np.dot(x, np.diff(rises)) + xi(1.0) - rises[-1])
        phi += np.sum(widths / d[:-1] * stretch) + math.log(top)
        # d/dx_j: everything below cell j sees D move by widths_j; inside the cell by half of that and more
        inverse = widths / (d[1:] * d[:-1])
        below = np.concatenate([[0], np.cumsum(inverse)[:-1]])
        own = (widths / d[:-1]) ** 2 * (stretch * ratio - ratio) / ratio**2
        return phi / 2, (beta**2 * np.diff(rises) - below * widths - own) / 2

    n = len(widths)

    def slopes(weights):
        """d Phi / d weight of each of n + 1 weights that add up to 1, x_j being the sum of the first j + 1."""
        return np.append(np.cumsum(phi_and_gradient(np.cumsum(weights[:-1]))[1][::-1])[::-1], 0)

    weights = np.full(n + 1, 1 / (n + 1))
    for _ in range(300):  # pairwise Frank-Wolfe: weight goes from the worst place to the best
        present = slopes(weights)
        best = int(np.argmin(present))
        worst = int(np.argmax(np.where(weights > 0, present, -np.inf)))
        if present[worst] - present[best] < 1e-9:
            break
        direction = np.zeros(n + 1)
        direction[best], direction[worst] = 1, -1
        low, high = 0.0, weights[worst]
        for _ in range(25):
            step = 0.5 * (low + high)
            low, high = (step, high) if slopes(weights + step * direction) @ direction < 0 else (low, step)
        weights = weights + high * direction
        weights[weights < 1e-15] = 0
    return phi_and_gradient(np.cumsum(weights[:-1]))[0]
