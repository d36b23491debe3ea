"""Weights of a sign network that learns from a teacher: a `System` whose state is all of its weights.

    H(w) = L N^2 eps(w),   eps(w) = share of the output bits of all examples in which the student differs

so that exp(-alpha H) is the Gibbs measure of Li and Saad's high-temperature learning, alpha the inverse temperature and
energies per site equal to eps. The error is piecewise constant: only kernels without forces move.
"""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mcmc.errors import UsageError
from mcmc.rng import Purpose, Streams
from mcmc.systems.base import Overlaps, Uncompiled
from mcmc.systems.function_space.ensemble import draw_inputs
from mcmc.systems.function_space.manifolds import Hypercube, RowSpheres
from mcmc.types import replica_pairs

MAX_EXHAUSTIVE = 15  # inputs of a network whose 2^(N-1) patterns are all examples
NO_GRADIENT = "a training error has no gradient: use random_walk (continuous weights) or spin flips (binary ones)"


@dataclass(frozen=True)
class LearningSystem(Uncompiled):
    """D teachers, each with its examples (a `System` over the weights of the student).

    Attributes:
        network_ids: (D,) int64.
        teacher:     (D, L, N, N): rows of length sqrt(N), or signs.
        examples:    (D, N, M) inputs +-1, an example a column.
        labels:      (D, N, M) outputs of the teacher.
        is_binary:   weights are signs.
    """

    network_ids: Tensor
    teacher: Tensor
    examples: Tensor
    labels: Tensor
    is_binary: bool

    @classmethod
    def draw(
        cls,
        weights: str,
        *,
        depth: int,
        width: int,
        n_networks: int,
        n_examples: int | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Random teachers; their examples are random, or all patterns if no number is given.

        An overall sign of the input turns all signs: half of the patterns stand for all.

        Raises:
            UsageError: an even width, one below 3, or too wide for all patterns.
        """
        if width < 3 or width % 2 == 0:
            raise UsageError(f"width: expected an odd number >= 3 (a field of signs must not vanish), found {width}.")
        if n_examples is None and width > MAX_EXHAUSTIVE:
            raise UsageError(
                f"all patterns of {width} inputs are 2^{width - 1}: expected a width up to {MAX_EXHAUSTIVE}, or a "
                "number of random examples (--examples 4000).",
                width=width,
            )
        ids = torch.arange(n_networks, device=device)
        layers = torch.arange(1, depth + 1, device=device)
        noise = Streams(seed, ids, layers).normal(Purpose.WEIGHTS, 0, width * width, dtype)
        manifold = Hypercube() if weights == "binary" else RowSpheres(width, width)
        teacher = manifold.random_point(noise).view(n_networks, depth, width, width)
        if n_examples is None:
            examples = all_patterns(width).to(noise).expand(n_networks, -1, -1)
        else:
            examples = draw_inputs(seed, ids, n_examples, width).to(dtype)
        examples = examples.transpose(1, 2).contiguous()
        system = cls(ids, teacher, examples, torch.empty(0), weights == "binary")
        return replace(system, labels=system.outputs(teacher.flatten(1).unsqueeze(1))[:, 0])

    @property
    def depth(self) -> int:
        """L."""
        return self.teacher.shape[1]

    @property
    def width(self) -> int:
        """N."""
        return self.teacher.shape[2]

    @property
    def manifold(self) -> RowSpheres | Hypercube:
        return Hypercube(self.n_sites) if self.is_binary else RowSpheres(self.depth * self.width, self.width)

    @property
    def n_sites(self) -> int:
        """L N^2, the number of weights."""
        return self.depth * self.width**2

    @property
    def dtype(self) -> torch.dtype:
        return self.teacher.dtype

    @property
    def device(self) -> torch.device:
        return self.teacher.device

    def planted(self, n_chains: int) -> Tensor:
        """Every chain at the weights of the teacher: (D, C, L N^2)."""
        return self.teacher.flatten(1).unsqueeze(1).repeat(1, n_chains, 1)

    def outputs(self, x: Tensor) -> Tensor:
        """Output bits of students: (D, C, L N^2) -> (D, C, N, M)."""
        n_networks, n_chains, _ = x.shape
        width = self.width
        weights = x.view(n_networks, n_chains, self.depth, width, width)
        # the first layer of all chains is one product, since they see the same examples
        first = weights[:, :, 0].reshape(n_networks, n_chains * width, width)
        state = torch.bmm(first, self.examples).sign_().view(n_networks * n_chains, width, -1)
        for layer in range(1, self.depth):
            state = torch.bmm(weights[:, :, layer].reshape(-1, width, width), state).sign_()
        return state.view(n_networks, n_chains, width, -1)

    def energy(self, x: Tensor) -> Tensor:
        """L N^2 eps(w): (D, C, L N^2) -> (D, C) float64."""
        # a sum of +-1 is exact in float32 up to 2^24
        agreement = torch.bmm(self.outputs(x).flatten(2), self.labels.flatten(1).unsqueeze(-1))[..., 0].double()
        return self.n_sites * (1 - agreement / self.labels[0].numel()) / 2

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise UsageError(NO_GRADIENT)

    def grad(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        raise UsageError(NO_GRADIENT)

    def overlaps(self, x: Tensor) -> Overlaps:
        """Of the weights of each layer, preceded by that of all weights: (D, K, R, L N^2)."""
        layers = x.double().unflatten(-1, (self.depth, -1))
        pairs = replica_pairs(x.shape[2])
        within = _with_mean((layers**2).mean(-1))
        if not pairs:
            return Overlaps(within[:, :, :0], within)
        between = [(layers[:, :, r] * layers[:, :, s]).mean(-1) for r, s in pairs]
        return Overlaps(_with_mean(torch.stack(between, dim=2)), within)

    def overlap_ranges(self) -> list[tuple[float, float]]:
        return [(-1.0, 1.0)] * (self.depth + 1)

    def teacher_overlap(self, x: Tensor) -> Tensor:
        """R_l = w.w^/N^2 of the weights of each layer: (D, C, L N^2) -> (D, C, L) float64."""
        teacher = self.teacher.flatten(2).unsqueeze(1).double()
        return (x.double().view(*x.shape[:2], self.depth, -1) * teacher).mean(-1)

    def matched_overlap(self, x: Tensor) -> Tensor:
        """R_l after the hidden units are permuted and turned to match the teacher, layer by layer: (D, C, L) float64.

        Neither changes the outputs. Units of a layer are assigned by the largest sum of |row . row of the teacher|,
        which is a choice: the deepest layer has none.
        """
        students = x.double().cpu().numpy().reshape(*x.shape[:2], *self.teacher.shape[1:])
        teachers = self.teacher.double().cpu().numpy()
        found = [[_matched(w, t) for w in chains] for chains, t in zip(students, teachers, strict=True)]
        return torch.tensor(np.array(found))

    def in_float64(self) -> Self:
        parts = {name: getattr(self, name).double() for name in ("teacher", "examples", "labels")}
        return replace(self, **parts)

    def with_finest_forces(self) -> Self | None:
        return None

    def narrow(self, start: int, stop: int) -> Self:
        names = ("network_ids", "teacher", "examples", "labels")
        return replace(self, **{name: getattr(self, name)[start:stop] for name in names})


def all_patterns(width: int) -> Tensor:
    """(2^(N-1), N) inputs +-1 with the first +1."""
    numbers = torch.arange(2 ** (width - 1)).unsqueeze(1)
    bits = (numbers >> torch.arange(width - 1)) & 1
    return torch.cat([torch.ones_like(numbers), 1 - 2 * bits], dim=1)


def _with_mean(per_layer: Tensor) -> Tensor:
    return torch.cat([per_layer.mean(-1, keepdim=True), per_layer], dim=-1)


def _matched(student: NDArray[np.float64], teacher: NDArray[np.float64]) -> list[float]:
    """R_l of one student, (L, N, N) each."""
    n = student.shape[-1]
    order, signs, found = np.arange(n), np.ones(n), []
    for layer, (w, t) in enumerate(zip(student, teacher, strict=True)):
        products = (w[:, order] * signs) @ t.T / n  # row i of the student with row j of the teacher
        if layer == len(student) - 1:
            found.append(float(np.trace(products) / n))
            break
        of_student, of_teacher = linear_sum_assignment(-np.abs(products))
        order, signs = np.empty(n, dtype=int), np.empty(n)
        order[of_teacher], signs[of_teacher] = of_student, np.sign(products[of_student, of_teacher])
        found.append(float(np.abs(products[of_student, of_teacher]).mean()))
    assert math.isfinite(sum(found))
    return found
