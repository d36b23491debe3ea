"""The pre-activations of a random network, weights integrated out: a chain of layers with an energy of its own.

    P(z^1, ..., z^L) = exp(-H)/Z,    H = 1/2 sum_l [ Tr(Sigma_l^{-1} Z_l Z_l^T) + N ln det Sigma_l ]
    (Sigma_{l+1})_ab = sigma_b^2 + (sigma_w^2/N) phi(z_a^l) . phi(z_b^l),     Sigma_1 given by the inputs

for inputs a = 1 ... n and layers of N units: Z_l is (n, N), its columns are independent given the layer before. With
one input H = 1/2 sum_l [ |z^l|^2/Sigma_l + N ln Sigma_l ] [Schoenholz, Pennington, Sohl-Dickstein, arXiv:1710.06570].
At beta = 1 this is exactly the law of a random network, which `ancestral` draws without a Markov chain; at another beta
it is a new model, normalisable for 0 < beta <= 1, and beyond if sigma_b > 0.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from mcmc.errors import ConfigError
from mcmc.systems.base import Overlaps, Uncompiled
from mcmc.systems.manifolds import Euclidean
from mcmc.systems.mlp.activations import Activation
from mcmc.systems.mlp.networks import typical_square
from mcmc.types import replica_pairs


class _Layers(NamedTuple):
    """What energy and force share: z, phi, Sigma^-1 z (D, C, L, n, N), Sigma^-1 (D, C, L, n, n), ln det (D, C, L)."""

    z: Tensor
    phi: Tensor
    solved: Tensor
    precision: Tensor
    log_det: Tensor


@dataclass(frozen=True)
class LayerChain(Uncompiled):
    """D copies of the chain of L layers (a `System`): there is no disorder, the copies differ in their noise alone.

    The arithmetic is float64 whatever the dtype of positions: H is extensive and Sigma is small.

    Attributes:
        ids:        (D,) int64, number of each copy.
        activation: phi.
        width:      N, units of a layer.   depth: L, layers.
        sigma_w:    > 0.   sigma_b: >= 0.
        first:      (n, n) float64, Sigma_1, positive definite.
        dtype:      of positions and forces.
    Raises:
        ConfigError: numbers out of range; every problem at once.
    """

    ids: Tensor
    activation: Activation
    width: int
    depth: int
    sigma_w: float
    sigma_b: float
    first: Tensor = field(repr=False)
    dtype: torch.dtype = torch.float64

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected {wanted}, found {value}"
            for name, value, is_valid, wanted in (
                ("width", self.width, self.width >= 1, "at least 1 unit"),
                ("depth", self.depth, self.depth >= 1, "at least 1 layer"),
                ("sigma_w", self.sigma_w, 0 < self.sigma_w < float("inf"), "a finite number > 0"),
                ("sigma_b", self.sigma_b, 0 <= self.sigma_b < float("inf"), "a finite number >= 0"),
            )
            if not is_valid
        ]
        if self.first.dim() != 2 or self.first.shape[0] != self.first.shape[1]:
            problems.append(f"first: expected a square matrix, found shape {list(self.first.shape)}")
        elif not torch.equal(self.first, self.first.mT) or torch.linalg.cholesky_ex(self.first).info:
            problems.append(f"first: expected a positive definite covariance, found {self.first.tolist()}")
        if problems:
            raise ConfigError("; ".join(problems) + ".", problems=tuple(problems))

    @property
    def n_inputs(self) -> int:
        """n."""
        return len(self.first)

    @property
    def network_ids(self) -> Tensor:
        return self.ids

    @property
    def manifold(self) -> Euclidean:
        return Euclidean(self.n_sites)

    @property
    def n_sites(self) -> int:
        return self.depth * self.n_inputs * self.width

    @property
    def device(self) -> torch.device:
        return self.ids.device

    def energy(self, x: Tensor) -> Tensor:
        return self._energy(self._layers(x))

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        layers = self._layers(x)
        return self._energy(layers), self._grad(layers).to(x.dtype)

    def grad(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        return self._grad(self._layers(x)).to(x.dtype)

    def overlaps(self, x: Tensor) -> Overlaps:
        """z^l . z'^l / N of two replicas, averaged over inputs, l = 1 ... L; zero on average by symmetry of W."""
        z = x.to(torch.float64).unflatten(-1, (self.depth, self.n_inputs * self.width))
        within = (z * z).mean(-1)
        pairs = replica_pairs(x.shape[2])
        between = [(z[:, :, r] * z[:, :, s]).mean(-1) for r, s in pairs]
        return Overlaps(torch.stack(between, dim=2) if pairs else within[:, :, :0], within)

    def overlap_ranges(self) -> list[tuple[float, float]]:
        """4 times the typical square of a unit, layer by layer."""
        variance, ranges = float(self.first.diagonal().max()), []
        for _ in range(self.depth):
            ranges.append((-4 * variance, 4 * variance))
            variance = self.sigma_b**2 + self.sigma_w**2 * typical_square(self.activation, variance)
        return ranges

    def in_float64(self) -> Self:
        return replace(self, dtype=torch.float64)

    def with_finest_forces(self) -> None:
        return None

    def narrow(self, start: int, stop: int) -> Self:
        return replace(self, ids=self.ids[start:stop])

    def next_covariance(self, phi: Tensor) -> Tensor:
        """sigma_b^2 + (sigma_w^2/N) phi_a . phi_b of the activations (..., n, N) of a layer: (..., n, n)."""
        return self.sigma_b**2 + self.sigma_w**2 / self.width * (phi @ phi.mT)

    def covariances(self, x: Tensor) -> Tensor:
        """Sigma_1 ... Sigma_L of positions (..., n_sites): (..., L, n, n) float64."""
        return self._covariances(self.activation.phi(self._unpack(x)))

    def _unpack(self, x: Tensor) -> Tensor:
        return x.to(torch.float64).unflatten(-1, (self.depth, self.n_inputs, self.width))

    def _covariances(self, phi: Tensor) -> Tensor:
        first = self.first.expand(*phi.shape[:-3], 1, -1, -1)
        return torch.cat([first, self.next_covariance(phi[..., :-1, :, :])], dim=-3)

    def _layers(self, x: Tensor) -> _Layers:
        z = self._unpack(x)
        phi = self.activation.phi(z)
        # a Sigma that is not positive definite gives NaN, which the sampler reports, where cholesky would raise
        factor, info = torch.linalg.cholesky_ex(self._covariances(phi))
        factor = torch.where(info[..., None, None] == 0, factor, torch.nan)
        precision = torch.cholesky_inverse(factor)
        return _Layers(z, phi, precision @ z, precision, 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1))

    def _energy(self, layers: _Layers) -> Tensor:
        return 0.5 * ((layers.z * layers.solved).sum((-3, -2, -1)) + self.width * layers.log_det.sum(-1))

    def _grad(self, layers: _Layers) -> Tensor:
        """dH/dz^l = Sigma_l^{-1} z^l + (2 sigma_w^2/N) phi'(z^l) * G_{l+1} phi(z^l),  G = dH/dSigma."""
        z, phi, grad = layers.z[..., :-1, :, :], layers.phi[..., :-1, :, :], layers.solved.clone()
        y = layers.solved[..., 1:, :, :]
        force_on_sigma = 0.5 * (self.width * layers.precision[..., 1:, :, :] - y @ y.mT)
        slope = self.activation.dphi(z, phi)
        grad[..., :-1, :, :] += 2 * self.sigma_w**2 / self.width * slope * (force_on_sigma @ phi)
        return grad.flatten(-3)
