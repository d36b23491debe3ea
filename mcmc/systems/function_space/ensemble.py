"""Pairs of explicit networks: a random reference and its perturbed copy, and the layers that they make.

    continuous   w^ = z,        w = sqrt(1-eta^2) z + eta z'      z, z' ~ N(0, 1)
    binary       w^ = +-1,      w = -w^ with probability p

A layer of either kind sends states s to fields h = sigma W s / sqrt(fan in) and fields to outputs: the sign, a spin at
inverse temperature beta, or max(h, 0). Correlated rows are z + c (1.z/N) 1 with (1 + c)^2 = 1 + gamma, of covariance
I + gamma 1 1^T/N. A convolution has the same weights at all places of a ring.

Weights are a function of (seed, network number, layer), inputs and thermal noise of the input's number too.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mcmc.errors import UsageError
from mcmc.rng import Purpose, Streams

DTYPE = (
    torch.float32
)  # of fields: sums of +-1 are exact, and a Gaussian field is nearer to zero than its error once in 1e6


@dataclass(frozen=True)
class Layout:
    """How the units of a layer see the layer below: all of them, or a window on a ring of places with channels.

    Attributes:
        width:  units of a layer, or channels of each place.
        places: on the ring; None for a dense layer.
        window: places that a unit sees, itself in the middle; odd.
    """

    width: int
    places: int | None = None
    window: int = 1

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UsageError(f"width: expected at least 1 unit, found {self.width}.", width=self.width)
        if self.window < 1 or self.window % 2 == 0 or (self.places is not None and self.places < self.window):
            raise UsageError(f"window: expected an odd number up to the places {self.places}, found {self.window}.")

    @property
    def fan_in(self) -> int:
        """Inputs of a unit."""
        return self.width * (self.window if self.places is not None else 1)

    @property
    def n_units(self) -> int:
        """Units of a layer, all places together."""
        return self.width * (self.places or 1)

    def fields(self, weights: Tensor, state: Tensor) -> Tensor:
        """h of all inputs: (D, width, fan in), (D, M, units) -> (D, M, units)."""
        if self.places is None:
            return torch.bmm(state, weights.transpose(1, 2)) / math.sqrt(self.fan_in)
        n_networks, n_inputs, _ = state.shape
        rings = state.view(n_networks * n_inputs, self.width, self.places)
        padded = functional.pad(rings, (self.window // 2, self.window // 2), mode="circular")
        kernels = weights.view(n_networks, self.width, self.width, self.window)
        fields = torch.stack([functional.conv1d(s, w) for s, w in zip(padded.split(n_inputs), kernels, strict=True)])
        return fields.flatten(2) / math.sqrt(self.fan_in)


@dataclass(frozen=True)
class PairEnsemble:
    """The law of a reference network and its perturbed copy, of equal layers.

    Attributes:
        layout:          of every layer, the inputs too.
        weights:         continuous or binary.
        perturbation:    eta_l or p_l of layers 1..L.
        unit:            sign, thermal or relu.
        beta, sigma:     of thermal units, of all weights.
        row_correlation: gamma.
    Raises:
        UsageError: an even number of inputs of a sign unit with binary weights, whose field is zero now and then.
    """

    layout: Layout
    weights: str
    perturbation: tuple[float, ...]
    unit: str = "sign"
    beta: float = math.inf
    sigma: float = 1.0
    row_correlation: float = 0.0

    def __post_init__(self) -> None:
        fan_in = self.layout.fan_in
        if self.weights == "binary" and self.unit == "sign" and fan_in % 2 == 0:
            raise UsageError(
                f"binary weights with sign units: expected an odd number of inputs of each unit, found {fan_in}: a "
                f"field would be zero with probability {math.sqrt(2 / (math.pi * fan_in)):.2g}. Use a width of "
                f"{self.layout.width + 1}.",
                fan_in=fan_in,
            )

    def draw_layer(self, seed: int, networks: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Weights of layer 1..L of both networks, (D, width, fan in) each."""
        shape = (len(networks), self.layout.width, self.layout.fan_in)
        streams = Streams(seed, networks, torch.tensor([layer], device=networks.device))
        n, amount = shape[1] * shape[2], self.perturbation[layer - 1]
        if self.weights == "binary":
            # one uniform decides both: the half it lies in the reference, its place in that half the flip
            signed = streams.uniform(Purpose.WEIGHTS, 0, n).view(shape).sub_(0.5)
            reference = torch.sign(signed).to(DTYPE)
            return reference, torch.where(signed.abs_() < amount / 2, -reference, reference)
        reference = streams.normal(Purpose.WEIGHTS, 0, n, DTYPE).view(shape)
        noise = streams.normal(Purpose.PERTURBATION, 0, n, DTYPE).view(shape)
        kept = math.sqrt((1 - amount) * (1 + amount))
        pair = (reference, noise.mul_(amount).add_(reference, alpha=kept))
        if not self.row_correlation:
            return pair
        stretch = math.sqrt(1 + self.row_correlation) - 1
        first, second = (w + stretch * w.mean(-1, keepdim=True) for w in pair)
        return first, second

    def activate(self, fields: Tensor, noise: Tensor | None) -> Tensor:
        """Outputs of all units; noise (uniform) where they are thermal."""
        if self.unit == "relu":
            return fields.clamp(min=0)
        if self.unit == "sign":
            return torch.where(fields >= 0, 1.0, -1.0).to(DTYPE)
        assert noise is not None
        up = torch.sigmoid(2 * self.beta * self.sigma * fields.double())
        return torch.where(noise < up, 1.0, -1.0).to(DTYPE)


def draw_inputs(seed: int, networks: Tensor, n_inputs: int, n_units: int) -> Tensor:
    """Random +-1 inputs, different in every network: (D, M, units)."""
    streams = Streams(seed, networks, torch.arange(n_inputs, device=networks.device))
    normal = streams.normal(Purpose.EXAMPLES, 0, n_units, DTYPE)
    return torch.where(normal > 0, 1.0, -1.0).to(DTYPE)
