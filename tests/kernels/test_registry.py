"""Kernels by name take what a configuration says, and aim at an acceptance that there can be."""

import pytest

from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.registry import KERNELS, leapfrog_steps, make_kernel, max_step_size
from mcmc.kernels.spin_flip import SpinFlip
from tests.support.runs import small_config

OWN = {"hmc": ("jitter", 0.1), "langevin": ("persistence", 0.5)}


def sampler(name: str, **keys):
    return small_config(sampler={"kernel": name, **keys}).sampler


@pytest.mark.parametrize("name", KERNELS)
def test_numbers_of_the_configuration(name):
    kernel = make_kernel(sampler(name, target_acceptance=0.41))
    assert kernel.name == name
    assert kernel.target_acceptance == 0.41
    if name in OWN:
        key, value = OWN[name]
        assert getattr(make_kernel(sampler(name, **{key: value})), key) == value


def test_targets_and_gradients():
    kernels = [*(make_kernel(sampler(name)) for name in KERNELS), BlockWalk(3), SpinFlip()]
    assert all(0.2 < kernel.target_acceptance < 0.95 for kernel in kernels)
    assert [kernel.n_gradients_per_step for kernel in kernels] == [1, 1, 1, 0, 0, 0]


def test_steps_of_a_trajectory():
    assert leapfrog_steps(sampler("hmc", n_leapfrog=5), 3) == [5, 5, 5]
    assert leapfrog_steps(sampler("hmc", n_leapfrog=[1, 2, 3, 4]), 4) == [1, 2, 3, 4]
    for name in ("mala", "langevin", "random_walk"):
        assert leapfrog_steps(sampler(name), 3) == [1, 1, 1]
    assert 4 * max_step_size(4) == max_step_size(1) == pytest.approx(1.5707963267948966)
