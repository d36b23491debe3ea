"""What a --scan means, and what is said about one that means nothing."""

import math

import pytest

from mcmc.diagram.axes import Axis, parse_axis
from mcmc.errors import UsageError


@pytest.mark.parametrize(
    ("text", "activation", "axis"),
    [
        ("sigma_w=0.5:3:6", "sin", Axis("sigma_w", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0))),
        ("beta=3,1,2", "sin", Axis("beta", (1.0, 2.0, 3.0))),
        ("depth=1:4:4", "sin", Axis("depth", (1.0, 2.0, 3.0, 4.0))),
        ("width_ratio=8,1,inf", "sin", Axis("width_ratio", (1.0, 8.0, math.inf))),
        ("negative_slope=-1:1:3", "leaky_relu", Axis("negative_slope", (-1.0, 0.0, 1.0))),
        ("beta=2:2:1", "sin", Axis("beta", (2.0,))),
        (" sigma_b = 0:1:2", "sin", Axis("sigma_b", (0.0, 1.0))),
    ],
)
def test_what_is_meant(text, activation, axis):
    assert parse_axis(text, activation) == axis


def test_a_range_has_the_values_of_a_list():
    assert parse_axis("beta=0.1:0.5:5", "sin") == parse_axis("beta=0.1,0.2,0.3,0.4,0.5", "sin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sigma_w", ["KEY=VALUES", "found 'sigma_w'"]),
        ("sigma_w=", ["KEY=VALUES"]),
        ("sigma=1:2:3", ["unknown key 'sigma'", "Did you mean 'sigma_", "width_ratio"]),
        ("negative_slope=0:1:3", ["unknown key 'negative_slope'"]),  # sin has none
        ("beta=1:2", ["two colons"]),
        ("beta=1:2:3:4", ["two colons"]),
        ("beta=1:2:many", ["whole number", "'many'"]),
        ("beta=1:2:2.5", ["whole number"]),
        ("beta=1:2:0", ["n=0"]),
        ("beta=1:2:-3", ["n=-3"]),
        ("beta=1:2:100000", ["n=100000"]),
        ("beta=1:2:1", ["n >= 2"]),
        ("beta=0:2:3", ["beta > 0", "found 0"]),
        ("beta=-1,2", ["beta > 0", "found -1"]),
        ("beta=1,inf", ["beta > 0", "found inf"]),
        ("beta=1,cold", ["'cold' is not a number"]),
        ("beta=1,1.0", ["twice"]),
        ("beta=2:2:3", ["twice"]),
        ("depth=1:2:3", ["whole numbers of layers", "1.5"]),
        ("depth=0,1", ["layers >= 1", "found 0"]),
        ("sigma_w=nan,1", ["finite", "nan"]),
        ("sigma_w=1,inf", ["finite", "inf"]),
        ("width_ratio=1:inf:3", ["finite ends", "width_ratio=1,8,inf"]),
    ],
)
def test_what_means_nothing(text, words):
    with pytest.raises(UsageError) as caught:
        parse_axis(text, "sin")
    for word in words:
        assert word in str(caught.value)
