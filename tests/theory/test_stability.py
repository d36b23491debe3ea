"""The pivots of the replicon sector against the determinant and the signs of its full Hessian.

The Hessian of `fluctuations` is built from the replicated action in (Q^l, Qhat^l); the pivots come from the recursion
over the layers. Both must give  det = (-1)^{L+1} prod_l alpha_l^2 prod(pivots) / (1 - q_0)^2.
"""

import math

import numpy as np
import pytest

from mcmc.theory.fluctuations import _hessian
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs

CASES = [
    ("tanh", {"depth": 2, "width_ratios": (0.7, 1.6), "sigma_w": (1.2, 0.9), "sigma_b": 0.3}, 1.0),
    ("sin", {"depth": 1, "width_ratios": 0.7, "sigma_w": 1.2}, 2.0),
    ("relu", {"depth": 2, "sigma_w": math.sqrt(2)}, 4.0),
    ("relu", {"depth": 2, "sigma_w": math.sqrt(2)}, 8.0),
    ("relu", {"depth": 3, "sigma_w": math.sqrt(2), "width_ratios": (0.6, 1.2, 2.0)}, 2.0),
]


def replicon_hessian(model, saddle):
    return _hessian(model, saddle, saddle.quadrature).replicon


def assert_stability_is_that_of_the_hessian(model, saddle, claimed):
    """Stable as long as the Hessian has the signature it has at high temperature (L positive, L + 1 negative)."""
    n_positive = int((np.linalg.eigvalsh(replicon_hessian(model, saddle)) > 0).sum())
    assert claimed == (n_positive == model.depth)


@pytest.mark.parametrize(
    ("name", "arguments", "beta"), CASES, ids=lambda v: str(v) if isinstance(v, str | float) else ""
)
def test_pivots_are_those_of_the_hessian(name, arguments, beta):
    model = TheoryModel.build(name, **arguments)
    saddle = solve_rs(model, beta)
    determinant = np.linalg.det(replicon_hessian(model, saddle)) * (1 - saddle.overlap[0]) ** 2
    expected = (-1) ** (model.depth + 1) * np.prod(np.square(model.width_ratios)) * np.prod(saddle.pivots)
    assert determinant == pytest.approx(expected, rel=1e-9)
    assert_stability_is_that_of_the_hessian(model, saddle, saddle.stable)


def test_lambda_alone_misleads():
    """relu, L = 2, beta = 8: lambda is 7 after the hidden layer's pivot has gone through zero."""
    model = TheoryModel.build("relu", depth=2, sigma_w=math.sqrt(2))
    saddle = solve_rs(model, 8.0)
    assert saddle.pivots[-1] > 1
    assert saddle.pivots[0] < 0
    assert not saddle.stable
    with pytest.raises(AssertionError):
        assert_stability_is_that_of_the_hessian(model, saddle, saddle.pivots[-1] > 0)


def test_sin_becomes_unstable_and_tanh_does_not():
    """One hidden layer at beta = 8; lambda > 0 for both at beta = 4 (equations.md, section 9)."""
    assert not solve_rs(TheoryModel.build("sin"), 8.0).stable
    assert solve_rs(TheoryModel.build("tanh"), 8.0).stable
