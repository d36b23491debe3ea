"""Every kernel, alone and with exchange, against exact draws of the chain of layers; broken twins fail the checks."""

import numpy as np
import pytest
import torch

from mcmc.compare.layers import layer_checks, observable_names
from mcmc.kernels.registry import KERNELS
from mcmc.names import KERNEL_NAMES
from mcmc.run.chains import ChainPlan
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.mlp.activations import make_activation
from tests.support.broken import (
    accept_everything,
    correction_times_beta,
    full_first_kick,
    no_flip_on_rejection,
    no_hastings_term,
    swap_sign,
)

pytestmark = pytest.mark.statistical

STEPS = {"hmc": 1, "mala": 4, "langevin": 5, "random_walk": 8}
# at relu and beta != 1 even <z^l> is not zero; every layer has another variance
FIRST = torch.tensor([[2.0]], dtype=torch.float64)
TWO = torch.tensor([[1.5, -0.4], [-0.4, 0.6]], dtype=torch.float64)


def chain_of(activation="relu", first=FIRST, width=5, depth=4, system=LayerChain, **others):
    phi = make_activation(activation, depth=1)
    return system(torch.arange(1), phi, width, depth, 1.2**0.5, 0.3**0.5, first, **others)


def checks_of(chain, kernel, betas=(0.75, 1.0, 1.2), *, n_exact=50_000, n_draws=120, step_size=None, **plan):
    plan = {"steps_per_sweep": STEPS[kernel], **plan}
    plan = ChainPlan(betas, n_burn_in=120, n_draws=n_draws, step_size=step_size, **plan)
    checks, draws = layer_checks(chain, KERNELS[kernel](), plan, seed=8, n_exact=n_exact)
    return [check.check for check in checks if check.check], draws


def failed(checks):
    return [check.name for check in checks if not check.passed]


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_kernel_with_exchange(kernel):
    """Three temperatures, 13 numbers each, every one with an independent exact answer."""
    chain = chain_of()
    checks, draws = checks_of(chain, kernel)
    assert failed(checks) == []
    assert len(checks) == 3 * len(observable_names(chain))
    z = np.array([check.n_sigma for check in checks])
    assert 0.1 < (z**2).mean() < 3, "errors are what they say"
    assert (draws.swap_rejection > 0.1).all()
    assert (draws.swap_rejection < 0.9).all()


@pytest.mark.parametrize("kernel", ["hmc", "langevin"])
def test_kernel_alone(kernel):
    checks, _ = checks_of(chain_of("tanh", width=8, depth=3), kernel, (1.0,), exchange=False)
    assert failed(checks) == []


def test_two_inputs():
    checks, _ = checks_of(chain_of("sin", TWO, width=6, depth=3), "hmc", (0.9, 1.0))
    assert failed(checks) == []


def test_float32_positions():
    checks, _ = checks_of(chain_of("erf", dtype=torch.float32), "hmc", (1.0,))
    assert failed(checks) == []


@pytest.mark.parametrize(
    ("fault", "step_size"),
    [
        (no_hastings_term, 0.7),
        (correction_times_beta, 0.7),
        (full_first_kick, 0.3),  # larger steps leave flat space for infinity, which stops the run
        (accept_everything, 0.5),
        (swap_sign, 0.7),
    ],
)
def test_fault_is_caught(fault, step_size, monkeypatch):
    fault(monkeypatch)
    checks, _ = checks_of(chain_of(), "mala", step_size=step_size)
    assert len(failed(checks)) >= 3


def test_missing_flip_is_caught(monkeypatch):
    no_flip_on_rejection(monkeypatch)
    checks, _ = checks_of(chain_of(), "langevin", step_size=0.7)
    assert failed(checks)


class NoDeterminant(LayerChain):
    """N ln det Sigma forgotten: each layer no longer knows how large the one before made it."""

    def _energy(self, layers):
        return super()._energy(layers._replace(log_det=torch.zeros_like(layers.log_det)))


class Factorial(LayerChain):
    """The mean-field approximation in place of the chain: every Sigma_l is the first one."""

    def _covariances(self, phi):
        return self.first.expand(*phi.shape[:-2], -1, -1)


@pytest.mark.parametrize("system", [NoDeterminant, Factorial])
def test_wrong_energy_is_caught(system):
    """The exact draws do not ask the energy, so an energy that is another model's disagrees with them."""
    chain = chain_of("tanh", width=8, depth=3, system=system)
    checks, _ = checks_of(chain, "hmc", (1.0,))
    assert len(failed(checks)) >= 3
