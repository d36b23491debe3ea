"""The energy and its gradient where there is no compiled path: float32 on any CPU, in plain torch.

`MlpSystem` is the definition. Here the same operations write into memory that is used again, since touching pages that
the system has just handed out takes longer than computing what goes into them; and every product finds its second
factor in rows, the weights being kept both ways. Products go through oneDNN where torch's own BLAS does not know the
processor (`onednn.product`). A chain's numbers do not depend on the batch.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from mcmc import onednn
from mcmc.systems.mlp.networks import Networks


class Scratch:
    """Memory by name, as large as was ever asked for; what it holds is lost at the next request for the name."""

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, like: Tensor, n_units: int, dtype: torch.dtype | None = None) -> Tensor:
        """(D, C, n_units) for `like` (D, C, anything), of its dtype if no other is given."""
        shape = (*like.shape[:-1], n_units)
        n = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < n or held.dtype != (dtype or like.dtype):
            held = self._held[name] = like.new_empty(n, dtype=dtype)
        return held[:n].view(shape)


@dataclass(frozen=True, eq=False)
class PortableNetworks:
    """Networks with their weights both ways.

    Attributes:
        transposed: L tensors (D, N_{l-1}, N_l).
        is_onednn:  whether products go through oneDNN.
        scratch:    activations and derivatives of one batch; parts of these networks share it.
    """

    networks: Networks
    transposed: tuple[Tensor, ...]
    is_onednn: bool
    scratch: Scratch = field(default_factory=Scratch)

    @classmethod
    def of(cls, networks: Networks) -> Self:
        """Copies the weights."""
        is_large = all(w[0].numel() > onednn.MIN_NUMBERS for w in networks.weights)
        is_onednn = is_large and networks.readout.dtype == torch.float32 and onednn.is_float32()
        return cls(networks, tuple(w.mT.contiguous() for w in networks.weights), is_onednn)

    @classmethod
    def where_possible(cls, networks: Networks) -> Self | None:
        """In float32 on the CPU; None elsewhere."""
        is_served = networks.readout.dtype == torch.float32 and networks.readout.device.type == "cpu"
        return cls.of(networks) if is_served else None

    def narrow(self, start: int, stop: int) -> Self:
        """Networks start to stop - 1, sharing their memory."""
        return replace(
            self, networks=self.networks.narrow(start, stop), transposed=tuple(w[start:stop] for w in self.transposed)
        )

    def energy(self, x: Tensor) -> Tensor:
        """H(x): (D, C, n0) -> (D, C) float64."""
        return self._read_out(self._forward(x)[0])

    def energy_and_grad(self, x: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """H(x) and dH/dx: (D, C, n0) -> (D, C) float64, (D, C, n0)."""
        a, slopes = self._forward(x)
        grad = self._backward(slopes, x, out)
        return self._read_out(a), grad

    def grad(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """dH/dx alone, the same bits; written to `out` if that is given."""
        return self._backward(self._forward(x)[1], x, out)

    def _forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """a^L, and phi' of every layer."""
        net, a, slopes = self.networks, x, []
        for layer, w in enumerate(self.transposed):
            n_units = w.shape[2]
            a = self._product(a, w, out=self.scratch.take(f"a{layer}", x, n_units))
            bias = net.biases[layer]
            if bias is not None:
                a.add_(bias)
            slopes.append(self.scratch.take(f"slope{layer}", x, n_units))
            net.activation.apply_(a, slopes[-1])
        return a, slopes

    def _backward(self, slopes: list[Tensor], x: Tensor, out: Tensor | None) -> Tensor:
        """dH/dx; uses the slopes up."""
        delta = slopes[-1].mul_(self.networks.readout.unsqueeze(1))
        for layer in reversed(range(1, len(slopes))):
            room = self.scratch.take("delta", x, slopes[layer - 1].shape[-1])
            product = self._product(delta, self.networks.weights[layer], out=room)
            delta = slopes[layer - 1].mul_(product)
        return self._product(delta, self.networks.weights[0], out=out)

    def _product(self, a: Tensor, w: Tensor, out: Tensor | None) -> Tensor:
        return onednn.product(a, w, out) if self.is_onednn else torch.bmm(a, w, out=out)

    def _read_out(self, a: Tensor) -> Tensor:
        """readout . a^L in float64; uses a^L up."""
        terms = self.scratch.take("terms", a, a.shape[-1], torch.float64)
        return terms.copy_(a.mul_(self.networks.readout.unsqueeze(1))).sum(dim=-1)
