"""Every kernel, with and without exchange, against exact laws; every fault of `broken.py` fails the same assertion."""

import pytest
import torch

from mcmc import native
from mcmc.names import KERNEL_NAMES
from mcmc.run import simulation
from tests.support.broken import FAULTS, no_flip_on_rejection
from tests.support.chains import assert_exact, simulate
from tests.support.coarse import emulate

pytestmark = pytest.mark.statistical


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "alone"])
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_von_mises_fisher(kernel, exchange):
    """Linear network, L = 1, N_0 = 8, at five temperatures: <e>, Var e, third moment, <q> within 4 sigma."""
    assert_exact(simulate(kernel=kernel, exchange=exchange))


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("width_ratios", [(1.0, 1.5), (1.5, 0.75, 1.25)], ids=["L2", "L3"])
def test_von_mises_fisher_deep(kernel, width_ratios):
    assert_exact(simulate(kernel=kernel, width_ratios=width_ratios, seed=21))


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("activation", ["sin", "relu"])
@pytest.mark.parametrize("n_inputs", [2, 3])
def test_whole_density_by_quadrature(n_inputs, activation, kernel):
    """N_0 = 2 and 3 with biases, so that no symmetry hides a sign."""
    assert_exact(
        simulate(
            activation=activation,
            n_inputs=n_inputs,
            width_ratios=(3.0,),
            kernel=kernel,
            sigma_b=0.8,
            seed=22,
            betas=(0.0, 0.7, 1.5, 2.5),
            step_size={"hmc": 0.3, "mala": 0.7, "langevin": 0.5, "random_walk": 0.9}[kernel],
        )
    )


def test_leapfrog_steps_per_temperature():
    """Chains whose trajectories end early stand still exactly, and the law stays exact."""
    assert_exact(simulate(n_leapfrog=[1, 2, 3, 4, 6], seed=23))


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "alone"])
def test_von_mises_fisher_with_bfloat16_forces(exchange, monkeypatch):
    """Rounding a force changes which proposals are accepted, not the law."""
    if 1 not in native.coarse_parts(native.fused_engine() or ""):
        emulate(monkeypatch)
    draws = simulate(exchange=exchange, dtype="float32", force_dtype="bfloat16", seed=24)
    assert draws.simulation.forces == "bfloat16"
    assert_exact(draws)


def test_whole_density_with_bfloat16_forces(monkeypatch):
    """Trajectories of unequal length that share tiles, with other forces at their ends than between."""
    if 1 not in native.coarse_parts(native.fused_engine() or ""):
        emulate(monkeypatch)
    draws = simulate(
        activation="sin",
        n_inputs=3,
        width_ratios=(3.0, 2.0),
        sigma_b=0.8,
        seed=25,
        betas=(0.0, 0.7, 1.5, 2.5),
        step_size=0.4,
        n_leapfrog=[1, 2, 3, 5],
        dtype="float32",
        force_dtype="bfloat16",
    )
    assert draws.simulation.forces == "bfloat16"
    assert_exact(draws)


def test_coarse_energies_are_caught(monkeypatch):
    """Positions of 4 bits in the energy, everything else as it was: the law is another one."""
    emulate(monkeypatch, energies=torch.float8_e4m3fn)
    monkeypatch.setattr(simulation, "CHECK_EVERY", 10**9)  # the run would notice and say so
    draws = simulate(dtype="float32", force_dtype="bfloat16", seed=24)
    with pytest.raises(AssertionError, match="sigma"):
        assert_exact(draws)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_caught(fault, monkeypatch):
    """MALA has the largest Hastings term and HMC would hide it: a fault of the sampler must fail the exact test."""
    FAULTS[fault](monkeypatch)
    draws = simulate(kernel="mala", step_size=0.7)
    with pytest.raises(AssertionError, match=r"sigma|effective samples"):
        assert_exact(draws)


def test_missing_flip_is_caught(monkeypatch):
    no_flip_on_rejection(monkeypatch)
    draws = simulate(kernel="langevin", step_size=0.8)
    with pytest.raises(AssertionError, match="sigma"):
        assert_exact(draws)
