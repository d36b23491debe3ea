"""What an independent value of the energy or of the overlap costs, in gradients and in seconds, for one way of moving.

Exchange is off and every chain starts where burn-in with exchange left it, so that what is measured is how fast the
kernel itself decorrelates at each temperature. A chain counts around its own mean: which valley it is in is the
business of exchange.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from mcmc.analysis.effective import effective_sample_size
from mcmc.config import RunConfig, SamplerConfig
from mcmc.run.adaptation import learn_from_sweep
from mcmc.run.build import resolve_device
from mcmc.run.rounds import Round, burn_in_rounds
from mcmc.run.simulation import Simulation

TUNING_SWEEPS = 100  # in which the step sizes of a candidate settle
FEWEST_DRAWS = 50  # of a candidate; a chain whose effective draws are far below one in ten is slow, whatever its value


@dataclass(frozen=True)
class Cost:
    """What an effective draw costs with one candidate.

    Attributes:
        sampler:   the candidate.
        energy:    (K,) draws of a chain for one effective draw of the energy, averaged over networks.
        overlap:   (K,) the same for the overlap of two replicas; NaN where there is one replica only.
        gradients_per_draw: (K,).
        seconds_per_draw:   of one chain, all temperatures alike since they move together.
        step_size: (K,), tuned to the target acceptance.
    """

    sampler: SamplerConfig
    energy: np.ndarray
    overlap: np.ndarray
    gradients_per_draw: np.ndarray
    seconds_per_draw: float
    step_size: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        """(K,) of one chain, for one effective draw of the slower of the two."""
        return self.seconds_per_draw * np.fmax(self.energy, self.overlap)


def equilibrate(config: RunConfig) -> Simulation:
    """A simulation after its burn-in: ladder and step sizes as the run itself would have them."""
    simulation = Simulation.start(config, resolve_device(config.run.device))
    for burn_in_round in burn_in_rounds(config.run.n_burn_in):
        for sweep in range(burn_in_round.start, burn_in_round.stop):
            learn_from_sweep(simulation, simulation.advance(), burn_in_round, sweep)
    return simulation


def restarted(base: Simulation, sampler: SamplerConfig, *, exchange: bool) -> Simulation:
    """The chains of `base`, in temperature order, at sweep 0 of a run with another sampler on the same ladder."""
    tempering = base.config.tempering.model_copy(
        update={"betas": list(base.ladder.betas), "adapt": False, "exchange": exchange}
    )
    config = base.config.model_copy(update={"sampler": sampler, "tempering": tempering})
    simulation = Simulation.start(config, base.system.device)
    n_replicas = base.shape[2]
    for i, (block, chains) in enumerate(zip(base.blocks, base.chains, strict=True)):
        slots = base.exchange.slot_of_temp[block.start : block.stop]
        x = chains.x.view(len(slots), -1, n_replicas, chains.x.shape[-1])
        x = torch.take_along_dim(x, slots.unsqueeze(-1), dim=1).view(chains.x.shape)
        simulation.chains[i] = simulation.kernel.init(block.streams, block.system, x)
    return simulation


def measure_cost(base: Simulation, sampler: SamplerConfig, *, n_gradients: int) -> Cost:
    """Run a candidate from the chains of `base` for about `n_gradients` gradients of each chain, and count.

    Raises:
        NonFiniteEnergyError: as a run would.
    """
    simulation = restarted(base, sampler, exchange=False)
    tuning = Round(0, TUNING_SWEEPS, TUNING_SWEEPS, is_last=True)
    for sweep in range(TUNING_SWEEPS):
        learn_from_sweep(simulation, simulation.advance(), tuning, sweep)
    gradients_per_draw = sampler.steps_per_sweep * np.array(simulation.n_leapfrog)
    n_draws = max(FEWEST_DRAWS, n_gradients // int(gradients_per_draw.max()))
    energies, overlaps, seconds = [], [], 0.0
    for _ in range(n_draws):
        start = time.perf_counter()
        simulation.advance()
        seconds += time.perf_counter() - start
        measurement = simulation.measure()
        energies.append(measurement.energy)
        if measurement.overlaps is not None:
            overlaps.append(measurement.overlaps.between[..., 0])
    return Cost(
        sampler,
        _draws_per_effective_draw(energies),
        _draws_per_effective_draw(overlaps) if overlaps else np.full(simulation.shape[1], np.nan),
        gradients_per_draw,
        seconds / (n_draws * math.prod(simulation.shape)),
        simulation.tuner.step_size.cpu().numpy(),
    )


def _draws_per_effective_draw(series: list[torch.Tensor]) -> np.ndarray:
    """(draws) of (D, K, ...) -> (K,): mean over networks, each with the mean effective size of its chains."""
    size = effective_sample_size(torch.stack(series).double().cpu().numpy()).mean(axis=-1)
    return (len(series) / size).mean(axis=0)
