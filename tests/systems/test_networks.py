"""The weights are a function of (seed, number) alone, and have the variances of the model."""

import math

import pytest
import torch

from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.networks import Networks


def draw(ids, widths=(12, 9, 7), seed=3, **kwargs):
    return Networks.draw(
        widths, make_activation("tanh", depth=len(widths) - 1), ids=torch.tensor(ids), seed=seed, **kwargs
    )


def test_weights_depend_on_seed_and_number_only():
    together = draw([0, 1, 2, 3, 4], sigma_b=0.5)
    alone = draw([3], sigma_b=0.5)
    shuffled = draw([4, 3, 0], sigma_b=0.5)
    for a, b, c in zip(together.weights, alone.weights, shuffled.weights, strict=True):
        assert torch.equal(a[3], b[0])
        assert torch.equal(a[3], c[1])
    assert torch.equal(together.readout[3], alone.readout[0])
    assert torch.equal(together.biases[1][3], alone.biases[1][0])


def test_networks_layers_and_seeds_differ():
    a, other_seed = draw([0, 1], widths=(8, 8, 8)), draw([0, 1], widths=(8, 8, 8), seed=4)
    assert not torch.equal(a.weights[0][0], a.weights[0][1])
    assert not torch.equal(a.weights[0], a.weights[1])
    assert not torch.equal(a.weights[0], other_seed.weights[0])


def test_scales_of_the_model():
    """Var of h^1 weights is sigma_w^2/N_0, of the readout N_0/N_L; 5 sigma of the sample variance."""
    sigma_w, widths = (1.5, 0.5), (60, 50, 40)
    net = draw(list(range(20)), widths=widths, sigma_w=sigma_w, sigma_b=(0.0, 0.3))
    expected = [(net.weights[i], sigma_w[i] ** 2 / widths[i]) for i in (0, 1)]
    expected += [(net.readout, widths[0] / widths[2]), (net.biases[1], 0.09)]
    for values, variance in expected:
        n = values.numel()
        assert abs(values.var().item() / variance - 1) < 5 * math.sqrt(2 / n)
        assert abs(values.mean().item()) < 5 * math.sqrt(variance / n)
    assert net.biases[0] is None


def test_narrow_and_precision():
    net = draw([5, 6, 7])
    assert torch.equal(net.narrow(1, 2).weights[1], draw([6]).weights[1])
    assert torch.equal(net.to(torch.float32).readout, draw([5, 6, 7], dtype=torch.float32).readout)
    assert net.widths == (12, 9, 7)


def test_wrong_number_of_sigmas_is_told():
    with pytest.raises(ValueError, match=r"one number or 2 .* found 3"):
        draw([0], sigma_w=[1.0, 1.0, 1.0])


@pytest.mark.parametrize(("name", "r1"), [("relu", 1.0), ("linear", 2.0), ("sin", (1 - math.exp(-4)) / 2)])
def test_typical_norms(name, r1):
    """E relu^2 = s^2/2, E h^2 = s^2, E sin^2 = (1 - exp(-2 s^2))/2 at s^2 = 2."""
    net = Networks.draw((4, 4), make_activation(name, depth=1), ids=torch.tensor([0]), seed=0, sigma_w=math.sqrt(2))
    # the kink of relu costs Gauss-Hermite its exponential accuracy
    assert net.typical_norms()[1] == pytest.approx(r1, rel=1e-9 if name != "relu" else 2e-2)
