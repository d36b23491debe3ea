"""A model that cannot be solved is refused at once, with every problem named."""

import pytest

from mcmc.errors import ConfigError
from mcmc.systems.mlp.activations import Activation
from mcmc.theory.model import TheoryModel


def test_one_number_stands_for_every_layer():
    model = TheoryModel.build("tanh", depth=3, width_ratios=(1, 2, 6), sigma_w=1.5)
    assert model.sigma_w == (1.5, 1.5, 1.5)
    assert model.sigma_b == (0.0, 0.0, 0.0)
    assert [model.width_gain(layer) for layer in (1, 2, 3)] == [1, 2, 3]
    assert model.weight_variance(2) == 2.25


def test_every_problem_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        TheoryModel.build("tahn", depth=2, width_ratios=(1, 2, 3), sigma_w=(1,))
    assert len(caught.value.problems) == 3
    for word in ("tanh", "width_ratios", "sigma_w"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"width_ratios": 0.0}, "width_ratios"),
        ({"sigma_w": -1.0}, "sigma_w"),
        ({"sigma_b": float("nan")}, "sigma_b"),
        ({"depth": 0}, "depth"),
    ],
)
def test_values_out_of_range(arguments, word):
    with pytest.raises(ConfigError, match=word):
        TheoryModel.build("sin", **arguments)


def test_unbounded_smooth_activation_is_refused():
    cubic = Activation("cubic", lambda h: h**3, lambda h, a: 3 * h**2)
    with pytest.raises(ConfigError, match="bounded"):
        TheoryModel(cubic, (1.0,), (1.0,), (0.0,))
