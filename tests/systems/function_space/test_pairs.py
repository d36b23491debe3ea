"""Explicit pairs of networks: addresses, laws of the weights, and layers by hand."""

import math

import numpy as np
import pytest
import torch

from mcmc.errors import UsageError
from mcmc.rng import Streams
from mcmc.systems.function_space.ensemble import Layout, PairEnsemble
from mcmc.systems.function_space.majority import magnetized_input, measure_majority, next_spins
from mcmc.systems.function_space.overlaps import measure_overlaps

IDS = torch.arange(3)


def test_overlaps_do_not_depend_on_the_batch():
    ensemble = PairEnsemble(Layout(51), "continuous", (0.3, 0.2))
    whole = measure_overlaps(ensemble, n_networks=5, n_inputs=7, seed=3)
    assert torch.equal(measure_overlaps(ensemble, n_networks=2, n_inputs=7, seed=3, first_network=3), whole[3:])
    assert torch.equal(measure_overlaps(ensemble, n_networks=5, n_inputs=4, seed=3), whole[:, :4])
    assert not torch.equal(measure_overlaps(ensemble, n_networks=5, n_inputs=7, seed=4), whole)


def test_unperturbed_networks_are_equal():
    for weights in ("continuous", "binary"):
        overlaps = measure_overlaps(PairEnsemble(Layout(31), weights, (0.0,) * 3), n_networks=2, n_inputs=3)
        assert torch.equal(overlaps, torch.ones_like(overlaps))


@pytest.mark.parametrize("gamma", [0.0, -0.8, 1.0])
def test_law_of_continuous_weights(gamma):
    """Variance 1, covariance kappa with the reference, and gamma/N between weights of a row."""
    n, eta = 200, 0.6
    ensemble = PairEnsemble(Layout(n), "continuous", (eta,), "relu", row_correlation=gamma)
    first, second = (w.double() for w in ensemble.draw_layer(1, torch.arange(20), 1))
    total = first.sum(-1)  # variance n (1 + gamma)
    error = math.sqrt(2 / total.numel())
    assert float(total.var()) / n == pytest.approx(1 + gamma, abs=5 * error * (1 + gamma))
    assert float((first * second).mean()) == pytest.approx(0.8 * (1 + gamma / n), abs=5 / math.sqrt(first.numel()))
    assert float((second**2).mean()) == pytest.approx(1 + gamma / n, abs=10 / math.sqrt(first.numel()))


def test_law_of_binary_weights():
    first, second = PairEnsemble(Layout(301), "binary", (0.07,)).draw_layer(1, IDS, 1)
    assert set(first.unique().tolist()) == set(second.unique().tolist()) == {-1.0, 1.0}
    error = 1 / math.sqrt(first.numel())
    assert float(first.mean()) == pytest.approx(0, abs=5 * error)
    assert float((first != second).double().mean()) == pytest.approx(0.07, abs=5 * error * math.sqrt(0.07))
    assert float(first[first != second].mean()) == pytest.approx(0, abs=5 * error / math.sqrt(0.07))


def test_convolution_by_hand():
    layout = Layout(5, places=7, window=3)
    weights, state = torch.randn(2, 5, 15), torch.randn(2, 4, 35)
    fields = layout.fields(weights, state).view(2, 4, 5, 7)
    kernels, rings = weights.view(2, 5, 5, 3), state.view(2, 4, 5, 7)
    for place in (0, 3, 6):
        seen = rings[..., [(place + shift) % 7 for shift in (-1, 0, 1)]]
        expected = torch.einsum("dock,dmck->dmo", kernels, seen) / math.sqrt(15)
        assert torch.allclose(fields[..., place], expected, atol=1e-5)


def test_thermal_units_follow_their_field():
    ensemble = PairEnsemble(Layout(3), "continuous", (0.1,), "thermal", beta=1.5, sigma=0.7)
    fields = torch.full((1, 1, 20_000), 0.4)
    spins = ensemble.activate(fields, torch.rand(fields.shape, dtype=torch.float64, generator=torch.manual_seed(0)))
    assert float(spins.double().mean()) == pytest.approx(math.tanh(1.5 * 0.7 * 0.4), abs=5 / math.sqrt(20_000))


def test_magnetized_input_is_exact():
    spins = magnetized_input(1000, 0.2)
    assert float(spins.double().mean()) == pytest.approx(0.2, abs=1e-12)
    assert float(magnetized_input(1001, -1.0).double().mean()) == -1.0


def test_majority_gates_by_hand():
    """The same wiring for both networks, and flips in the copy alone."""
    streams, spins = Streams.of(2, [4], [0]), magnetized_input(501, 0.3)
    first, second = next_spins(streams, 1, 5, 0.0, spins, spins)
    assert torch.equal(first, second)
    unchanged, flipped = next_spins(streams, 1, 5, 0.2, spins, spins)
    assert torch.equal(unchanged, first)
    assert not torch.equal(flipped, first)
    assert torch.equal(next_spins(streams, 1, 5, 1.0, spins, spins)[1], -first)


def test_majority_networks_are_addressed():
    sizes = {"start": 0.2, "width": 301, "n_layers": 3, "n_networks": 3}
    whole = measure_majority(3, 0.1, **sizes)
    assert whole.shape == (3, 4, 3)
    assert torch.equal(measure_majority(3, 0.1, **{**sizes, "n_networks": 2}), whole[:2])
    assert np.ptp(whole[:, 0].numpy(), axis=0) == pytest.approx(0)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: PairEnsemble(Layout(1000), "binary", (0.1,)), "Use a width of 1001"),
        (lambda: PairEnsemble(Layout(4, 8, 3), "binary", (0.1,)), "odd number of inputs"),
        (lambda: Layout(0), "at least 1 unit"),
        (lambda: Layout(5, places=4, window=2), "odd number up to"),
        (lambda: Layout(5, places=4, window=5), "odd number up to"),
        (
            lambda: measure_overlaps(PairEnsemble(Layout(5), "continuous", (0.1,)), n_networks=0, n_inputs=1),
            "at least one",
        ),
        (lambda: measure_majority(3, 0.1, start=0.2, width=0, n_layers=1, n_networks=1), "at least one"),
    ],
)
def test_errors(call, why):
    with pytest.raises(UsageError, match=why):
        call()
