"""The spaces that the chains live on, with everything the samplers need to move in them.

Kernels only call these methods; a new space is a new class with the same ones.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mcmc import native


class Manifold(Protocol):
    """A Riemannian manifold in R^n on which geodesics are known exactly; arrays are (..., n)."""

    @property
    def dimension(self) -> int:
        """Dimension of the tangent space."""
        ...

    def random_point(self, noise: Tensor) -> Tensor | None:
        """A draw from the reference measure made of standard normals (..., n); None if that measure is improper."""
        ...

    def project_tangent(self, x: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        """The component of v that is tangent at x, written to `out` if that is given."""
        ...

    def geodesic_flow(self, x: Tensor, p: Tensor, time: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Position and velocity after the given time, without force; time is (...,).

        With `out` the position is written there, and the velocity over p.
        """
        ...

    def reproject(self, x: Tensor, p: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Remove the rounding error that has carried x off the manifold and p off its tangent space.

        With `out` the velocity is written there, and the position over x.
        """
        ...


@dataclass(frozen=True)
class Sphere:
    """The sphere |x|^2 = N_0 in R^{N_0}, with the uniform measure normalised to total volume 1.

    Attributes:
        n_sites: N_0 >= 2, the dimension of the ambient space.
    """

    n_sites: int

    @property
    def dimension(self) -> int:
        """N_0 - 1."""
        return self.n_sites - 1

    @property
    def radius(self) -> float:
        """sqrt(N_0)."""
        return math.sqrt(self.n_sites)

    def random_point(self, noise: Tensor) -> Tensor:
        """x = sqrt(N_0) z / |z| is uniform on the sphere for z ~ N(0, I)."""
        return noise * (self.radius / torch.linalg.vector_norm(noise, dim=-1, keepdim=True))

    def project_tangent(self, x: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        """v - x (x.v)/N_0."""
        if out is None and native.serves_rows(x) and x.shape == v.shape:
            return torch.ops.mlp_gibbs.project_tangent(x, v)
        along = torch.sum(torch.mul(x, v, out=out), dim=-1, keepdim=True) / self.n_sites
        return torch.addcmul(v, x, along, value=-1, out=out)

    def geodesic_flow(self, x: Tensor, p: Tensor, time: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The exact great circle through x with velocity p.

        x(t) = x cos(w t) + (p/w) sin(w t),   p(t) = p cos(w t) - w x sin(w t),   w = |p| / sqrt(N_0)
        """
        frequency = (torch.linalg.vector_norm(p, dim=-1, keepdim=True) / self.radius).clamp_min(
            torch.finfo(p.dtype).tiny  # a walker at rest stays, without 0/0
        )
        angle = frequency * time.unsqueeze(-1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        over_frequency, times_frequency = sin / frequency, sin * frequency
        if out is None:
            return torch.addcmul(x * cos, p, over_frequency), torch.addcmul(p * cos, x, times_frequency, value=-1)
        torch.mul(x, cos, out=out).addcmul_(p, over_frequency)
        return out, p.mul_(cos).addcmul_(x, times_frequency, value=-1)

    def reproject(self, x: Tensor, p: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x back to length sqrt(N_0), then p back to the tangent space at x."""
        scale = self.radius / torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        x = x * scale if out is None else x.mul_(scale)
        return x, self.project_tangent(x, p, out)


@dataclass(frozen=True)
class Euclidean:
    """Flat R^n with Lebesgue measure, which cannot be normalised: there is no beta = 0, and no draw from it.

    Attributes:
        n_sites: n >= 1.
    """

    n_sites: int

    @property
    def dimension(self) -> int:
        """n."""
        return self.n_sites

    def random_point(self, noise: Tensor) -> None:
        """None: the reference measure is improper."""
        return None

    def project_tangent(self, x: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        """v itself."""
        return v if out is None else out.copy_(v)

    def geodesic_flow(self, x: Tensor, p: Tensor, time: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The straight line x + p t."""
        return torch.addcmul(x, p, time.unsqueeze(-1), out=out), p

    def reproject(self, x: Tensor, p: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Nothing to remove."""
        return x, p if out is None else out.copy_(p)
