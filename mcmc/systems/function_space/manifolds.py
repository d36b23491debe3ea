"""The spaces that weights live on: rows of fixed length, or signs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mcmc.errors import UsageError
from mcmc.systems.manifolds import Sphere


@dataclass(frozen=True)
class RowSpheres:
    """Rows of n numbers, each on the sphere |w|^2 = n: a product of spheres, uniform reference measure.

    Attributes:
        n_rows:   rows, one behind the other along the last axis.
        n_inputs: n >= 2.
    """

    n_rows: int
    n_inputs: int

    @property
    def dimension(self) -> int:
        """n_rows (n - 1)."""
        return self.n_rows * self._row.dimension

    def random_point(self, noise: Tensor) -> Tensor:
        return self._row.random_point(self._rows(noise)).flatten(-2)

    def project_tangent(self, x: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        return self._row.project_tangent(self._rows(x), self._rows(v), self._memory(out)).flatten(-2)

    def geodesic_flow(self, x: Tensor, p: Tensor, time: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Every row follows its own great circle for the same time."""
        y, r = self._row.geodesic_flow(self._rows(x), self._rows(p), time.unsqueeze(-1), self._memory(out))
        return y.flatten(-2), r.flatten(-2)

    def reproject(self, x: Tensor, p: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, r = self._row.reproject(self._rows(x), self._rows(p), self._memory(out))
        return y.flatten(-2), r.flatten(-2)

    @property
    def _row(self) -> Sphere:
        return Sphere(self.n_inputs)

    def _rows(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_rows, self.n_inputs))

    def _memory(self, out: Tensor | None) -> Tensor | None:
        return None if out is None else self._rows(out)


@dataclass(frozen=True)
class Hypercube:
    """Signs: the corners of a cube, uniform reference measure. There are no directions: only `SpinFlip` moves here."""

    dimension: int = 0

    def random_point(self, noise: Tensor) -> Tensor:
        return torch.where(noise > 0, 1.0, -1.0).to(noise)

    def project_tangent(self, x: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        raise UsageError(NO_DIRECTIONS)

    def geodesic_flow(self, x: Tensor, p: Tensor, time: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raise UsageError(NO_DIRECTIONS)

    def reproject(self, x: Tensor, p: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raise UsageError(NO_DIRECTIONS)


NO_DIRECTIONS = "binary weights have no directions to move in: use the kernel SpinFlip"
