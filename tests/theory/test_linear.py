"""The closed form of linear networks, field by field, against the generic solver."""

import pytest

from mcmc.errors import UsageError
from mcmc.theory.linear import is_linear, solve_linear
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs

FIELDS = (
    "overlap",
    "self_overlap",
    "conjugate_overlap",
    "conjugate_self_overlap",
    "free_entropy_density",
    "energy_density",
    "energy_density_readout",
    "entropy_density",
    "pivots",
)


@pytest.mark.parametrize(
    "model",
    [
        TheoryModel.build("linear", width_ratios=2.5, sigma_w=1.3),
        TheoryModel.build("linear", depth=3, width_ratios=(0.5, 3.0, 1.5), sigma_w=(1.2, 0.7, 1.1)),
        TheoryModel.build("leaky_relu", depth=2, sigma_w=1.6, activation_params={"negative_slope": 1.0}),
    ],
    ids=("L1", "L3", "leaky"),
)
def test_every_order_parameter(model):
    assert is_linear(model)
    for beta in (0.0, 0.7, 3.0):
        closed, generic = solve_linear(model, beta), solve_rs(model, beta)
        for field in FIELDS:
            assert getattr(generic, field) == pytest.approx(getattr(closed, field), rel=3e-8, abs=1e-8), field
        assert closed.n_iter == 0, "nothing is iterated"


def test_what_is_not_linear_is_refused():
    for model in (TheoryModel.build("relu"), TheoryModel.build("tanh"), TheoryModel.build("linear", sigma_b=0.1)):
        assert not is_linear(model)
        with pytest.raises(UsageError, match="linear"):
            solve_linear(model, 1.0)
