"""Kernels by the name that a configuration uses."""

import math

from mcmc.config import SamplerConfig
from mcmc.kernels.base import Kernel
from mcmc.kernels.hmc import Hmc
from mcmc.kernels.langevin import Langevin, Mala
from mcmc.kernels.random_walk import RandomWalk
from mcmc.names import KERNEL_NAMES

KERNELS = {"hmc": Hmc, "mala": Mala, "langevin": Langevin, "random_walk": RandomWalk}
assert tuple(KERNELS) == KERNEL_NAMES


def make_kernel(config: SamplerConfig) -> Kernel:
    """The kernel of a configuration, with its numbers."""
    chosen = {"hmc": {"jitter": config.jitter}, "langevin": {"persistence": config.persistence}}.get(config.kernel, {})
    if config.target_acceptance is not None:
        chosen["target_acceptance"] = config.target_acceptance
    return KERNELS[config.kernel](**chosen)


def leapfrog_steps(config: SamplerConfig, n_temperatures: int) -> list[int]:
    """Leapfrog steps of a trajectory at each temperature; one for the kernels that are not HMC."""
    if config.kernel != "hmc":
        return [1] * n_temperatures
    if isinstance(config.n_leapfrog, list):
        return list(config.n_leapfrog)
    return [config.n_leapfrog] * n_temperatures


def max_step_size(n_leapfrog: int) -> float:
    """A quarter turn for the whole trajectory: at |p| ~ sqrt(N_0) the great circle has angular frequency 1."""
    return 0.5 * math.pi / n_leapfrog
