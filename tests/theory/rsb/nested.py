"""A second, independent evaluation of Phi for L = 1 and one breaking point: three nested quadratures, no grid in omega.

G = E_{v,t} (1/x) log E_z ( E_xi exp(u phi(h)) )^x,   u = beta v / sqrt(alpha),
h = sigma_w ( sqrt(q_0) t + sqrt(q_1 - q_0) z + sqrt(1 - q_1) xi )
"""

import math

import numpy as np


def gaussian(n_nodes: int, cutoff: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Trapezoid nodes and normalised weights of a standard normal variable."""
    z = np.linspace(-cutoff, cutoff, n_nodes)
    weights = np.exp(-0.5 * z**2)
    return z, weights / weights.sum()


def layer_free_entropy(phi, beta, *, alpha, sigma_w, q, x, n=(161, 41, 61, 121), cutoffs=(8, 8, 8, 8)):
    """G at the levels q = (q_0, q_1), by brute force; n nodes and cutoffs of v, t, z, xi (tilts move z and xi)."""
    (v, w_v), (t, w_t), (z, w_z), (xi, w_xi) = (gaussian(*rule) for rule in zip(n, cutoffs, strict=True))
    parts = [math.sqrt(q[0]) * t, math.sqrt(q[1] - q[0]) * z, math.sqrt(1 - q[1]) * xi]
    h = sigma_w * (parts[0][:, None, None] + parts[1][:, None] + parts[2])
    activated = phi(h)
    total = 0.0
    for v_i, w_i in zip(v, w_v, strict=True):
        log_weight = beta * v_i / math.sqrt(alpha) * activated
        f = _log_mean(log_weight, w_xi)
        total += w_i * float(w_t @ (_log_mean(x * f, w_z) / x))
    return total


def free_entropy(phi, beta, *, alpha, sigma_w, q, x, **nodes):
    """Phi of one breaking point at the levels q, not necessarily at the saddle point."""
    inner, outer = 1 - q[1], 1 - q[1] + x * (q[1] - q[0])
    sphere = 0.5 * (math.log(inner) + math.log(outer / inner) / x + q[0] / outer)
    return sphere + alpha * layer_free_entropy(phi, beta, alpha=alpha, sigma_w=sigma_w, q=q, x=x, **nodes)


def _log_mean(exponent: np.ndarray, weights: np.ndarray) -> np.ndarray:
    top = exponent.max(-1)
    return top + np.log(np.exp(exponent - top[..., None]) @ weights)
