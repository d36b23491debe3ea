"""Trajectories of a run that are checked while it goes: one of each temperature, every so many sweeps, in turn.

They start at positions of the chains with momenta of their own, so the chains never notice.
"""

import numpy as np
import torch

from mcmc.exchange.state import ExchangeState
from mcmc.io.schema import Key
from mcmc.kernels.base import ChainState
from mcmc.kernels.reversal import TrajectoryCheck, check_trajectories
from mcmc.rng import Purpose
from mcmc.run.build import Block

CHECK_EVERY = 200  # sweeps; two trajectories of K chains then cost less than 1 % even of a run with one network
MAX_REVERSAL = 1e-3  # of |x|; reversible forces stay below 1e-5 but where the dynamics amplifies roundings
MAX_ENERGY_ERROR = 32.0  # roundings; float32 gives up to 1.5, TF32 and bfloat16 more than 100


def check_one_of_each_temperature(
    block: Block,
    chains: ChainState,
    exchange: ExchangeState,
    *,
    network: int,
    sweep: int,
    beta: torch.Tensor,
    step_size: torch.Tensor,
    n_leapfrog: list[int],
) -> TrajectoryCheck:
    """The replica whose turn it is at every temperature of one network of the run: all (1, K)."""
    n_replicas = exchange.slot_of_temp.shape[-1]
    replica = sweep // CHECK_EVERY % n_replicas
    chain = exchange.slot_of_temp[network, :, replica] * n_replicas + replica
    place = network - block.start
    system = block.system.narrow(place, place + 1)
    streams = block.streams.for_networks(slice(place, place + 1)).for_chains(chain)
    x = chains.x[place : place + 1, chain]
    noise = streams.normal(Purpose.CHECK, sweep, system.n_sites, system.dtype)
    momentum = system.manifold.project_tangent(x, noise)
    steps = torch.tensor(n_leapfrog, device=x.device).unsqueeze(0)
    return check_trajectories(system, x, momentum, beta.unsqueeze(0), step_size.to(system.dtype).unsqueeze(0), steps)


def defect_of(check: TrajectoryCheck) -> str | None:
    """What is wrong with the trajectories of one check, in words; None if they are what exactness needs.

    Medians: near a kink of the activation single trajectories part by more than a rounding, whatever the precision.
    """
    if not bool(check.is_repeatable.all()):
        return "force or energy at one place came out different when computed twice"
    cold = check.reversal[:, check.reversal.shape[1] // 2 :]
    reversal, energy_error = float(cold.median()), float(check.energy_error.median())
    if not reversal <= MAX_REVERSAL:
        return f"trajectories come back to {reversal:.1e} |x| from where they began (allowed {MAX_REVERSAL:g})"
    if not energy_error <= MAX_ENERGY_ERROR:
        return f"energies are off by {energy_error:.0f} roundings of float32 (allowed {MAX_ENERGY_ERROR:g})"
    return None


class CheckRecord:
    """The checks of a segment.

    Attributes:
        arrays: `reversal`, `energy_error` and `decision_error` (n, K) float64, `is_repeatable` (n, K) int8, `network`
            and `sweep` (n,).
    """

    def __init__(self, n_temperatures: int):
        self.n_temperatures = n_temperatures
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new segment begins."""
        empty = (0, self.n_temperatures)
        self.arrays: dict[str, np.ndarray] = {
            "reversal": np.zeros(empty),
            "energy_error": np.zeros(empty),
            "decision_error": np.zeros(empty),
            "is_repeatable": np.zeros(empty, dtype=np.int8),
            "network": np.zeros(0, dtype=np.int64),
            "sweep": np.zeros(0, dtype=np.int64),
        }

    def __len__(self) -> int:
        return len(self.arrays["sweep"])

    def append(self, check: TrajectoryCheck, *, network_id: int, sweep: int) -> None:
        """Take in a check that was made after so many sweeps."""
        rows = {
            "reversal": check.reversal.cpu().numpy(),
            "energy_error": check.energy_error.cpu().numpy(),
            "decision_error": check.decision_error.cpu().numpy(),
            "is_repeatable": check.is_repeatable.cpu().numpy().astype(np.int8),
            "network": np.array([network_id]),
            "sweep": np.array([sweep]),
        }
        self.arrays = {name: np.concatenate([array, rows[name]]) for name, array in self.arrays.items()}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over `arrays` of a checkpoint; earlier versions measured no decision errors.

        Raises:
            KeyError: anything else is missing.
        """
        unknown = {"decision_error": np.full_like(arrays["reversal"], np.nan)}
        self.arrays = {name: (unknown | arrays)[name] for name in self.arrays}

    def result(self) -> dict[str, np.ndarray]:
        """Datasets of the segment."""
        return {
            Key.REVERSAL: self.arrays["reversal"],
            Key.CHECKED_ENERGY_ERROR: self.arrays["energy_error"],
            Key.DECISION_ERROR: self.arrays["decision_error"],
            Key.IS_REPEATABLE: self.arrays["is_repeatable"],
            Key.CHECKED_NETWORK: self.arrays["network"],
        }
