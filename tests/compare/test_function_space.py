"""Explicit networks against theory with the derived errors; every broken twin fails the same assertion."""

import math

import numpy as np
import pytest
import torch

from mcmc.compare.function_space import (
    ENOUGH_WRONG_UNITS,
    SimulationSize,
    compare_majority,
    compare_overlaps,
    ensemble_of,
)
from mcmc.errors import UsageError
from mcmc.systems.function_space import majority, overlaps
from mcmc.systems.function_space.ensemble import DTYPE, Layout, PairEnsemble
from mcmc.theory.function_space.max_entropy import max_entropy_continuous
from mcmc.theory.function_space.max_entropy_binary import max_entropy_binary
from mcmc.theory.function_space.one_layer import exact_difference

pytestmark = pytest.mark.statistical
WIDTH = 1001
SIZE = SimulationSize(n_networks=8, n_inputs=64, seed=5)


def assert_agrees(measured, n_sigma=4.0):
    """Every layer with N delta_l > 10 within n_sigma derived errors; no layer may be too quiet to judge."""
    is_judged = measured.wrong_units > ENOUGH_WRONG_UNITS
    assert is_judged.any()
    z = measured.z[is_judged]
    assert np.all(np.abs(z) < n_sigma), f"z = {np.round(z, 1)}: more than {n_sigma} sigma"


def dense(weights, perturbation, width=WIDTH, **unit):
    return ensemble_of(weights, (perturbation,) * 4, layout=Layout(width), **unit)


@pytest.mark.parametrize(
    ("weights", "perturbation"), [("continuous", 0.1), ("continuous", 0.3), ("continuous", 0.8), ("binary", 0.05)]
)
def test_sign_networks(weights, perturbation):
    assert_agrees(compare_overlaps(dense(weights, perturbation), SIZE))


def test_thermal_networks():
    assert_agrees(compare_overlaps(dense("continuous", 0.3, unit="thermal", beta=2.0), SIZE))


@pytest.mark.parametrize("gamma", [-0.8, 0.0, 1.0])
def test_relu_networks(gamma):
    """No derived variance: 24 networks for a scatter that is known well enough."""
    ensemble = dense("continuous", 0.3, unit="relu", row_correlation=gamma)
    measured = compare_overlaps(ensemble, SimulationSize(24, 8, seed=6))
    assert not measured.is_derived
    assert_agrees(measured)


def test_convolutions_with_many_channels():
    """Many channels are a dense network; nine are not, by far more than the errors."""
    many, few = (
        compare_overlaps(
            ensemble_of("binary", (0.05,) * 4, layout=Layout(n_channels, 16, 3)), SimulationSize(n_networks, 8, seed=7)
        )
        for n_channels, n_networks in ((201, 8), (9, 150))
    )
    assert np.max(np.abs(many.measured - many.profile.overlap)) < 0.006
    assert few.measured == pytest.approx([0.744, 0.477, 0.296, 0.179], abs=0.03)
    assert few.z[0] > 4


@pytest.mark.parametrize(("weights", "error"), [("continuous", 0.4), ("binary", 0.2), ("binary", 0.44)])
def test_perturbations_of_maximal_entropy_have_their_error(weights, error):
    solve = max_entropy_continuous if weights == "continuous" else max_entropy_binary
    ensemble = ensemble_of(weights, tuple(solve(error, 4).perturbation), layout=Layout(WIDTH))
    assert_agrees(compare_overlaps(ensemble, SIZE))


def test_few_wrong_units_deviate_and_are_not_judged():
    """eps = .10: the first layer differs in .002 of 1001 units, and the measured error is .082, not .1."""
    eta = tuple(max_entropy_continuous(0.1, 4).perturbation)
    measured = compare_overlaps(ensemble_of("continuous", eta, layout=Layout(WIDTH)), SimulationSize(16, 64, seed=8))
    assert measured.wrong_units[0] < 0.01
    assert (1 - measured.measured[-1]) / 2 == pytest.approx(0.082, abs=0.006)


def test_scatter_of_inputs_is_the_derived_variance():
    """Not only the mean: N Var q^l of single inputs, within its own sampling error."""
    ensemble = dense("continuous", 0.3, width=501)
    found = overlaps.measure_overlaps(ensemble, n_networks=16, n_inputs=64, seed=9).flatten(0, 1).numpy()
    profile = compare_overlaps(ensemble, SimulationSize(2, 2)).profile
    ratio = 501 * found.var(0) / profile.variance
    assert np.all(np.abs(ratio - 1) < 5 * math.sqrt(2 / len(found)) + 0.06)


def test_first_correction_in_the_width():
    """At N = 51 the mean is off by 1/N: the derived shift removes what the recursion leaves."""
    ensemble = dense("continuous", 0.3, width=51)
    measured = compare_overlaps(ensemble, SimulationSize(400, 64, seed=10))
    assert np.max(np.abs(measured.z[1:])) > 8
    corrected = measured.measured - measured.profile.overlap - measured.profile.shift / 51
    assert np.all(np.abs(corrected / measured.stderr) < 4)


def test_one_binary_layer_has_its_exact_error():
    """Two flips in a row of 101: the recursion is off by more than ten errors, the exact law is not."""
    ensemble = ensemble_of("binary", (0.02,), layout=Layout(101))
    measured = compare_overlaps(ensemble, SimulationSize(400, 64, seed=12))
    exact = 1 - 2 * exact_difference(101, 0.02)
    assert measured.z[0] > 10
    assert abs(measured.measured[0] - exact) < 4 * measured.stderr[0]


true_draw = PairEnsemble.draw_layer


def half_the_rotation(self, seed, networks, layer):
    """The copy half way back to its reference."""
    reference, perturbed = true_draw(self, seed, networks, layer)
    return reference, reference + perturbed


def other_reference(self, seed, networks, layer):
    """The copy belongs to the reference of another layer: no common weights."""
    _, perturbed = true_draw(self, seed, networks, layer)
    return true_draw(self, seed, networks, layer % len(self.perturbation) + 1)[0], perturbed


def threshold(self, fields, noise):
    """A unit that is up a little too seldom."""
    return torch.where(fields > 0.2, 1.0, -1.0).to(DTYPE)


@pytest.mark.parametrize(
    ("method", "fault"), [("draw_layer", half_the_rotation), ("draw_layer", other_reference), ("activate", threshold)]
)
def test_broken_ensembles_are_caught(method, fault, monkeypatch):
    ensemble = dense("continuous", 0.3)
    monkeypatch.setattr(PairEnsemble, method, fault)
    with pytest.raises(AssertionError, match="sigma"):
        assert_agrees(compare_overlaps(ensemble, SIZE))


def test_fresh_copy_in_every_layer_is_caught(monkeypatch):
    """The copy fed with the layer of the reference: q^l would be that of one layer."""
    true_block = overlaps._measure_block

    def each_layer_alone(ensemble, networks, n_inputs, seed):
        single = PairEnsemble(ensemble.layout, ensemble.weights, ensemble.perturbation[:1])
        return true_block(single, networks, n_inputs, seed).expand(-1, -1, len(ensemble.perturbation))

    monkeypatch.setattr(overlaps, "_measure_block", each_layer_alone)
    with pytest.raises(AssertionError, match="sigma"):
        assert_agrees(compare_overlaps(dense("binary", 0.05), SIZE))


def test_even_width_is_caught(monkeypatch):
    """Fields of zero, two in a hundred, always counted as +1: refused by name, and seen if they were not."""
    with pytest.raises(UsageError, match="odd"):
        dense("binary", 0.02, width=100)
    monkeypatch.setattr(PairEnsemble, "__post_init__", lambda self: None)
    with pytest.raises(AssertionError, match="sigma"):
        assert_agrees(compare_overlaps(dense("binary", 0.2, width=100), SimulationSize(200, 64, seed=5)))


# --- majority gates


def assert_transient_agrees(measured, width, n_sigma=4.0):
    """Means and overlaps of every layer in which at least ten units are down."""
    minority = width * (1 - np.abs(np.array([state.vector() for state in measured.states]))) / 2
    is_judged = (minority > ENOUGH_WRONG_UNITS) & np.isfinite(measured.z)
    assert is_judged.sum() > 20
    assert np.all(np.abs(measured.z[is_judged]) < n_sigma), f"more than {n_sigma} sigma"


@pytest.mark.parametrize(("k", "flip"), [(3, 0.05), (3, 0.15), (3, 0.2), (5, 0.1)])
def test_majority_networks(k, flip):
    width = 20_001
    measured = compare_majority(k, flip, start=0.2, width=width, n_layers=30, n_networks=10, seed=3)
    assert_transient_agrees(measured, width)


def test_random_magnetization_of_the_input_is_caught(monkeypatch):
    """An input drawn spin by spin has a mean that is off by 1/sqrt(N), and layers make it grow."""
    exact = majority.magnetized_input
    monkeypatch.setattr(
        majority, "magnetized_input", lambda width, mean, device="cpu": exact(width, mean + width**-0.5, device)
    )
    measured = compare_majority(3, 0.05, start=0.2, width=20_001, n_layers=30, n_networks=10, seed=3)
    with pytest.raises(AssertionError, match="sigma"):
        assert_transient_agrees(measured, 20_001)


def test_wiring_without_a_copy_is_caught(monkeypatch):
    """The copy wired on its own."""
    true_next = majority.next_spins

    def rewired(streams, layer, k, flip, reference, perturbed):
        first, _ = true_next(streams, layer, k, flip, reference, perturbed)
        return first, true_next(streams, layer + 1000, k, flip, reference, perturbed)[1]

    monkeypatch.setattr(majority, "next_spins", rewired)
    measured = compare_majority(3, 0.05, start=0.2, width=20_001, n_layers=30, n_networks=10, seed=3)
    with pytest.raises(AssertionError, match="sigma"):
        assert_transient_agrees(measured, 20_001)


def test_errors():
    with pytest.raises(UsageError, match="at least 2 networks"):
        compare_overlaps(dense("continuous", 0.3, width=11, unit="relu"), SimulationSize(1, 4))
    with pytest.raises(UsageError, match="Use a smaller width"):
        compare_overlaps(dense("continuous", 0.3, width=10**6), SIZE)
