"""The input sphere: overlaps q_0[i] from the fields M_i that the first layer exerts, and its share of Phi.

D_k = 1 - q[k],   D_{i-1} = D_i + x_i (q[i] - q[i-1])
Phi_sphere = 1/2 [ log D_k + sum_i (1/x_i) log(D_{i-1}/D_i) + q[0]/D_0 ]
M_0 = q[0]/D_0^2,   M_i - M_{i-1} = (1/x_i) (1/D_i - 1/D_{i-1})                     (equations.md, section 10)
"""

import math

from scipy.optimize import brentq

Levels = tuple[float, ...]


def sphere_overlaps(fields: Levels, x: Levels) -> Levels:
    """q[0] ... q[k] at which the sphere balances the fields M_0 <= ... <= M_k: one scalar root, D_0.

    Given D_0 the second line gives every D_i and hence every q[i]; D_0 is where D_k + q[k] = 1.
    """
    fields = tuple(max(m, 0.0) for m in fields)

    def overlaps(d_0: float) -> tuple[list[float], float]:
        levels, d, inverse = [fields[0] * d_0**2], d_0, 1 / d_0
        for x_i, low, high in zip(x, fields[:-1], fields[1:], strict=True):
            rise = x_i * max(high - low, 0.0)
            inverse += rise
            # (D_{i-1} - D_i) / x_i without cancellation: D_{i-1} D_i (M_i - M_{i-1})
            levels.append(levels[-1] + d / inverse * (rise / x_i))
            d = 1 / inverse
        return levels, d

    def excess(d_0: float) -> float:
        levels, d = overlaps(d_0)
        return levels[-1] + d - 1

    # D_0 = 1 - sum_i (x_{i+1} - x_i) q[i] <= 1, where the excess is >= 0; it is negative at D_0 -> 0
    low = 1.0
    while excess(low) > 0 and low > 1e-15:
        low /= 4
    d_0 = low if low == 1.0 else float(brentq(excess, low, min(4 * low, 1.0), xtol=1e-300, rtol=1e-15))
    return tuple(overlaps(d_0)[0])


def sphere_gaps(q: Levels, x: Levels) -> Levels:
    """D_0 ... D_k."""
    gaps = [1 - q[-1]]
    for i in range(len(x), 0, -1):
        gaps.append(gaps[-1] + x[i - 1] * (q[i] - q[i - 1]))
    return tuple(reversed(gaps))


def sphere_free_entropy(q: Levels, x: Levels) -> float:
    """The share of the input sphere in Phi."""
    d = sphere_gaps(q, x)
    total = math.log(d[-1]) + q[0] / d[0]
    for i, x_i in enumerate(x, start=1):
        total += math.log1p((d[i - 1] - d[i]) / d[i]) / x_i
    return 0.5 * total


def sphere_breaking_derivatives(q: Levels, x: Levels) -> Levels:
    """d Phi_sphere / dx_i at fixed q, i = 1 ... k."""
    d = sphere_gaps(q, x)
    result = []
    outer = q[0] / d[0] ** 2  # M_{i-1}
    for i, x_i in enumerate(x, start=1):
        rise = q[i] - q[i - 1]
        log_ratio = math.log1p((d[i - 1] - d[i]) / d[i])
        result.append(0.5 * (rise / (x_i * d[i - 1]) - log_ratio / x_i**2 - outer * rise))
        outer += (1 / d[i] - 1 / d[i - 1]) / x_i
    return tuple(result)
