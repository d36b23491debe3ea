"""Networks whose numbers are known: (activation, sigma_w^2, sigma_b^2) and what the theory gives for them."""

from mcmc.theory.layers.model import LayerTheory

NETWORKS = {  # Sigma*, chi, N Var Sigma, correlation length
    ("linear", 0.9, 0.1): (1.0, 0.9, 8.526316, 9.4912),
    ("linear", 0.5, 0.5): (1.0, 0.5, 0.666667, 1.4427),
    ("relu", 1.8, 0.1): (1.0, 0.9, 21.315789, 9.4912),
    ("relu", 1.0, 0.5): (1.0, 0.5, 1.666667, 1.4427),
    ("tanh", 1.5, 0.05): (0.418037, 0.551983, 0.182097, 1.6828),
    ("sin", 1.5, 0.05): (0.550692, 0.498616, 0.296160, 1.4369),
}


def theory_of(activation: str, weight_variance: float, bias_variance: float) -> LayerTheory:
    return LayerTheory.build(activation, sigma_w=weight_variance**0.5, sigma_b=bias_variance**0.5)
