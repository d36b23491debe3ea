"""Frozen draws of the random MLP, and the one place where the scaling of the model is written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mcmc.rng import Purpose, Streams
from mcmc.systems.mlp.activations import Activation
from mcmc.types import Widths, as_per_layer


@dataclass(frozen=True)
class Networks:
    """D networks with the model's scales multiplied in (equations.md, section 1), so that

        h^1 = weights[0] x + biases[0],   h^{l+1} = weights[l] phi(h^l) + biases[l],   H(x) = readout . phi(h^L)

    Attributes:
        ids:        (D,) int64, the number of each network; its weights depend on (seed, number) alone.
        activation: phi.
        weights:    L tensors (D, N_l, N_{l-1}): (sigma_w / sqrt(N_{l-1})) W^l.
        biases:     L tensors (D, 1, N_l): sigma_b b^l, or None for a layer without.
        readout:    (D, N_L): sqrt(N_0 / N_L) v.
        sigma_w, sigma_b: one number a hidden layer, as drawn.
    """

    ids: Tensor
    activation: Activation
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]
    readout: Tensor
    sigma_w: tuple[float, ...]
    sigma_b: tuple[float, ...]

    @classmethod
    def draw(
        cls,
        widths: Widths,
        activation: Activation,
        *,
        ids: Tensor,
        seed: int,
        sigma_w: float | Sequence[float] = 1.0,
        sigma_b: float | Sequence[float] = 0.0,
        dtype: torch.dtype = torch.float64,
    ) -> Self:
        """The networks of the given numbers.

        Args:
            widths:  (N_0, ..., N_L).
            ids:     (D,) int64; the device of the networks is the device of ids.
            sigma_w: one number, or one a hidden layer.   sigma_b: likewise; 0 means no bias.
        """
        depth = len(widths) - 1
        gains, offsets = as_per_layer(sigma_w, depth), as_per_layer(sigma_b, depth)

        def normals(purpose: Purpose, layer: int, n: int, scale: float) -> Tensor:
            layer_as_chain = torch.tensor([layer], dtype=torch.int64, device=ids.device)
            drawn = torch.empty((len(ids), n), dtype=dtype, device=ids.device)
            for place in range(len(ids)):  # one at a time: scaled in float64, which all at once would not fit
                z = Streams(seed, ids[place : place + 1], layer_as_chain).normal(purpose, 0, n)
                drawn[place] = z[0, 0] * scale
            return drawn

        weights, biases = [], []
        for layer in range(1, depth + 1):
            n_out, n_in = widths[layer], widths[layer - 1]
            w = normals(Purpose.WEIGHTS, layer, n_out * n_in, gains[layer - 1] / math.sqrt(n_in))
            weights.append(w.view(-1, n_out, n_in))
            offset = offsets[layer - 1]
            biases.append(normals(Purpose.BIASES, layer, n_out, offset).unsqueeze(1) if offset else None)
        readout = normals(Purpose.WEIGHTS, depth + 1, widths[depth], math.sqrt(widths[0] / widths[depth]))
        return cls(ids, activation, tuple(weights), tuple(biases), readout, gains, offsets)

    @property
    def widths(self) -> Widths:
        """(N_0, ..., N_L)."""
        return (self.weights[0].shape[2], *(w.shape[1] for w in self.weights))

    def narrow(self, start: int, stop: int) -> Self:
        """The networks at places start to stop - 1, sharing memory."""
        return replace(
            self,
            ids=self.ids[start:stop],
            weights=tuple(w[start:stop] for w in self.weights),
            biases=tuple(b[start:stop] if b is not None else None for b in self.biases),
            readout=self.readout[start:stop],
        )

    def to(self, dtype: torch.dtype) -> Self:
        """The same networks in another precision (rounded, not redrawn)."""
        return replace(
            self,
            weights=tuple(w.to(dtype) for w in self.weights),
            biases=tuple(b.to(dtype) if b is not None else None for b in self.biases),
            readout=self.readout.to(dtype),
        )

    def typical_norms(self) -> list[float]:
        """r^l of a typical input at infinite width, l = 0..L.

        r^0 = 1,   r^l = E phi(h)^2,   h ~ N(0, sigma_w^2 r^{l-1} + sigma_b^2)
        """
        norms = [1.0]
        for gain, offset in zip(self.sigma_w, self.sigma_b, strict=True):
            norms.append(typical_square(self.activation, gain**2 * norms[-1] + offset**2))
        return norms


def typical_square(activation: Activation, variance: float) -> float:
    """E phi(h)^2, h ~ N(0, variance), to the few digits that a scale needs."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(99)
    phi = activation.phi(math.sqrt(variance) * torch.from_numpy(nodes)).numpy()
    return float(phi**2 @ weights / weights.sum())
