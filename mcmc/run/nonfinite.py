"""Non-finite energies: noted when they appear, where the device is not asked, and raised with their place."""

import torch
from torch import Tensor

from mcmc.errors import NonFiniteEnergyError


class NonFiniteRecord:
    """The first kernel step of every chain with a NaN or infinite energy.

    Attributes:
        first_step: (D, C) int64, -1 if none.
        first_beta: (D, C) float64, inverse temperature of the chain in that step.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device):
        n_networks, n_temperatures, self._n_replicas = shape
        self.first_step = torch.full((n_networks, n_temperatures * self._n_replicas), -1, device=device)
        self.first_beta = torch.zeros_like(self.first_step, dtype=torch.float64)

    def note(self, is_nonfinite: Tensor, beta: Tensor, part: slice, step: int | Tensor) -> None:
        """Take in a step of some of the networks.

        Args:
            is_nonfinite: (D', C) bool of the networks in `part`.
            beta:         (D, C) float64, of all.
        """
        if isinstance(step, int) and is_nonfinite.device.type == "cpu" and not bool(is_nonfinite.any()):
            return
        seen = self.first_step[part]
        is_first = is_nonfinite & (seen < 0)
        self.first_beta[part] = torch.where(is_first, beta[part], self.first_beta[part])
        self.first_step[part] = torch.where(is_first, step, seen)

    def raise_if_any(self, network_ids: Tensor) -> None:
        """Raise NonFiniteEnergyError with network, chain, step and beta of the first; asks the device.

        The first is that of the earliest step, whether the flag is looked at after every sweep or after several.
        """
        if not bool((self.first_step >= 0).any()):
            return
        step = int(self.first_step[self.first_step >= 0].min())
        bad = torch.nonzero(self.first_step == step)
        place, chain = (int(i) for i in bad[0])
        slot, replica = divmod(chain, self._n_replicas)
        beta = float(self.first_beta[place, chain])
        network = int(network_ids[place])
        raise NonFiniteEnergyError(
            f"energy is NaN or infinite: network {network}, chain {chain} (slot {slot}, replica {replica}), "
            f"kernel step {step}, beta = {beta:.6g} ({len(bad)} chains in all). The last checkpoint is intact. "
            "Weights that overflow (a large sigma_w with an unbounded activation) are the usual cause; "
            'try run.dtype = "float64" or a smaller sigma_w.',
            network=network,
            chain=chain,
            step=step,
            beta=beta,
        )
