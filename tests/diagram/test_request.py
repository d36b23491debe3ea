"""The pieces of work that a diagram is cut into, and the diagrams that cannot be."""

import json
import math

import pytest

from mcmc.diagram.axes import Axis
from mcmc.diagram.request import DiagramRequest, ModelOptions
from mcmc.errors import ConfigError, UsageError
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.model import TheoryModel

BETA = Axis("beta", (1.0, 2.0))
SIGMA = Axis("sigma_w", (0.5, 1.0, 2.0))


def test_one_item_for_each_value_beside_beta():
    items = DiagramRequest(ModelOptions("tanh"), (SIGMA, BETA)).items()
    assert [item.model.sigma_w for item in items] == [0.5, 1.0, 2.0]
    assert all(item.betas == (1.0, 2.0) and item.has_lines for item in items)
    assert len({item.digest() for item in items}) == 3


def test_the_order_of_the_axes_does_not_matter_for_the_work():
    first, second = (DiagramRequest(ModelOptions(), axes) for axes in ((SIGMA, BETA), (BETA, SIGMA)))
    assert first.items() == second.items()


def test_two_axes_at_one_temperature():
    request = DiagramRequest(ModelOptions(), (SIGMA, Axis("depth", (1.0, 2.0))), 3.0)
    assert [(item.model.sigma_w, item.model.depth) for item in request.items()] == [
        (s, n) for s in (0.5, 1.0, 2.0) for n in (1, 2)
    ]
    assert all(item.betas == (3.0,) and not item.has_lines for item in request.items())


def test_beta_alone_is_one_item():
    (item,) = DiagramRequest(ModelOptions(), (BETA,)).items()
    assert item.coordinates == {}
    assert item.has_lines


def test_parameters_of_the_activation_and_infinite_width():
    request = DiagramRequest(ModelOptions("leaky_relu"), (Axis("negative_slope", (0.1, 0.2)), BETA))
    assert request.items()[1].model.build().activation.slopes == (0.2, 1.0)
    mixed = DiagramRequest(ModelOptions(), (Axis("width_ratio", (1.0, math.inf)), BETA))
    assert [type(item.model.build()) for item in mixed.items()] == [TheoryModel, NetworkCovariance]


@pytest.mark.parametrize(
    "request_",
    [
        DiagramRequest(ModelOptions(), (Axis("width_ratio", (1.0, math.inf)), BETA)),
        DiagramRequest(ModelOptions("sin", 2, (1.0, 2.0), (1.0, 1.5)), (BETA,)),
        DiagramRequest(ModelOptions("shaped_tanh", activation_params={"shape": 2.0}), (SIGMA,), 1.5),
    ],
)
def test_identity_is_plain_json_and_comes_back(request_):
    text = json.dumps(request_.identity(), allow_nan=False)
    again = DiagramRequest.from_identity(json.loads(text))
    assert again == request_
    assert [item.digest() for item in again.items()] == [item.digest() for item in request_.items()]


@pytest.mark.parametrize(
    ("axes", "beta", "words"),
    [
        ((), None, "one or two"),
        ((BETA, BETA), None, "different"),
        ((BETA, SIGMA, Axis("depth", (1.0,))), None, "found 3"),
        ((BETA, SIGMA), 2.0, "scanned and given"),
        ((SIGMA,), None, "no temperature"),
        ((SIGMA,), -1.0, "beta > 0, found -1"),
        ((SIGMA,), math.nan, "beta > 0, found nan"),
    ],
)
def test_requests_that_mean_nothing(axes, beta, words):
    with pytest.raises(UsageError, match=words):
        DiagramRequest(ModelOptions(), axes, beta)


@pytest.mark.parametrize(
    ("model", "axis", "words"),
    [
        (ModelOptions("sine"), BETA, "Did you mean 'sin'"),
        (ModelOptions(), Axis("sigma_w", (-1.0, 1.0)), "sigma_w: expected finite numbers > 0"),
        (ModelOptions("sin", 2, sigma_w=(1.0, 2.0)), Axis("depth", (1.0, 2.0)), "expected one number or 1"),
        (ModelOptions("sin", 2, width_ratio=(1.0, math.inf)), BETA, "all finite or all infinite"),
    ],
)
def test_models_that_do_not_exist(model, axis, words):
    beta = None if axis.key == "beta" else 1.0
    with pytest.raises((ConfigError, UsageError), match=words):
        DiagramRequest(model, (axis,), beta)
