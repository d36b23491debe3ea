"""Stability of the replica-symmetric saddle point: the replicon of every layer (equations.md, section 5)."""

from mcmc.theory.layer import LayerAverage
from mcmc.theory.model import TheoryModel


def replicon_pivots(model: TheoryModel, input_overlap: float, layers: list[LayerAverage]) -> tuple[float, ...]:
    """Pivots of the replicon sector, 1 - C_l g_l for l = 1 ... L-1 and then lambda = 1 - (1 - q_0)^2 g_0.

        A_l = sigma_w^4 E (d_omega^2 f)^2,   B_l = sigma_w^2 E (d_omega d_u f)^2,   C_l = E (d_u^2 f)^2
        g_{l-1} = (alpha_l/alpha_{l-1}) [ A_l + B_l^2 g_l / (1 - C_l g_l) ],   g_L = 0

    The saddle point is stable iff all are positive. lambda alone misleads: it changes sign twice once another pivot
    has passed through zero.

    Args:
        input_overlap: q_0.
        layers:        averages of the hidden layers 1 ... L at the saddle point.
    """
    g = 0.0
    pivots: list[float] = []
    for layer in range(model.depth, 0, -1):
        average = layers[layer - 1]
        weight = model.weight_variance(layer)
        a = weight**2 * average.d_omega2_squared
        b = weight * average.d_omega_u_squared
        c = average.d_u2_squared
        pivot = 1 - c * g
        if layer < model.depth:
            pivots.insert(0, pivot)
        g = model.width_gain(layer) * (a + b**2 * g / pivot)
    return (*pivots, 1 - (1 - input_overlap) ** 2 * g)
