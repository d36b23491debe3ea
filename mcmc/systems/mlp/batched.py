"""Trajectories on a CUDA device: batched matrix products, and between two of them one generated kernel each.

All chains of all networks take a step together. A step of L layers is 2 L products (`torch.bmm`, of cuBLAS) and as many
elementwise stages: kick, projection and great-circle drift in one; activation and derivative in one; delta in one.
The stages are plain functions that torch.compile turns into one kernel each (Triton on CUDA, C++ on the CPU), so that
what the tests run on the CPU is what runs on a GPU. `MlpSystem` in plain torch is the definition.

    forces     float32, tf32 (rounded by the tensor cores), or bfloat16 operands with float32 sums: a function of x,
               rounded, which leaves the sampler exact (docs/equations.md)
    energies   float32 products always, one pass at the end of a trajectory, read out in float64; the force at that
               point goes backward from the same pass

Shapes are static, nothing asks the device for a number, so whole sweeps can be captured (mcmc/run/graph.py).
"""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from mcmc.systems.base import TrajectoryEnd
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.activations import Activation
from mcmc.systems.mlp.networks import Networks
from mcmc.systems.schedule import leapfrog_schedule

FORCES = ("float32", "tf32", "bfloat16")
STAGES = (
    *("schedule", "drift", "drift_and_reproject", "close", "hidden", "hidden_kept"),
    *("value", "delta", "read_out", "delta_and_energy", "backward"),
)
RECOMPILE_LIMIT = 64  # shapes of one stage: blocks, the last and smaller block, the chains that are checked


def why_not_compiled() -> str | None:
    """What keeps torch.compile from making CUDA kernels here; None if nothing does."""
    if os.environ.get("MLP_GIBBS_COMPILE") == "0":
        return "MLP_GIBBS_COMPILE=0"
    if not torch.utils._triton.has_triton():
        return "no Triton for this device (it needs compute capability 7.0 and the triton that came with torch)"
    if shutil.which(os.environ.get("CC", "cc")) is None and shutil.which("gcc") is None:
        return "no C compiler on PATH, which Triton needs to launch what it makes"
    return None


class Stages:
    """What is done between the products, all of it elementwise but for sums along one chain's sites.

    Attributes:
        operand: dtype in which the factors of the force products are kept.
        backend: of torch.compile, or None for plain torch.
        failure: of the compiler, after which every stage is in plain torch; None if there was none.
    """

    def __init__(self, activation: Activation, manifold: Sphere, operand: torch.dtype, *, backend: str | None):
        self.activation, self.manifold, self.operand, self.backend = activation, manifold, operand, backend
        self.failure: str | None = None
        if backend is not None:
            for name in STAGES:
                setattr(self, name, self._guarded(name, backend))

    def _guarded(self, name: str, backend: str) -> Callable[..., Any]:
        """The stage as compiled; from the first failure of any stage on, in plain torch, which is said once."""
        plain = getattr(self, name)
        compiled = _compiled(plain, backend)

        def stage(*arguments: Any) -> Any:
            if self.failure is None:
                try:
                    return compiled(*arguments)
                except Exception as error:  # of any kind: what is wrong with the arguments shows again in plain torch
                    why = f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0]
                    self.failure = f"torch.compile failed at '{name}': {why}"
                    warnings.warn(f"{self.failure}; stages are in plain torch from here on", RuntimeWarning, 2)
            return plain(*arguments)

        return stage

    def schedule(
        self, step_size: Tensor, beta: Tensor, n_leapfrog: int | Tensor, longest: int
    ) -> tuple[Tensor, Tensor]:
        """`leapfrog_schedule`."""
        return leapfrog_schedule(step_size, beta, n_leapfrog, longest)

    def drift(self, x: Tensor, p: Tensor, grad: Tensor, kick: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Kick, then great circle: (x, p, x as a factor of the next product)."""
        p = torch.addcmul(p, kick, self.manifold.project_tangent(x, grad))
        x, p = self.manifold.geodesic_flow(x, p, eps)
        return x, p, x.to(self.operand)

    def drift_and_reproject(
        self, x: Tensor, p: Tensor, grad: Tensor, kick: Tensor, eps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`drift`, and rounding errors removed."""
        p = torch.addcmul(p, kick, self.manifold.project_tangent(x, grad))
        x, p = self.manifold.reproject(*self.manifold.geodesic_flow(x, p, eps))
        return x, p, x.to(self.operand)

    def close(self, start: Tensor, x: Tensor, p: Tensor, grad: Tensor, kick: Tensor) -> tuple[Tensor, Tensor]:
        """The last half kick: (p, |p|^2/2 less that of `start`, in float64: it enters the Metropolis test)."""
        p = torch.addcmul(p, kick, self.manifold.project_tangent(x, grad))
        after = torch.sum(p * p, dim=-1, dtype=torch.float64)
        return p, 0.5 * after - 0.5 * torch.sum(start * start, dim=-1, dtype=torch.float64)

    def hidden(self, h: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """phi and phi' of a layer that another follows."""
        h = h if bias is None else h + bias
        a = self.activation.phi(h)
        return a.to(self.operand), self.activation.dphi(h, a).to(self.operand)

    def hidden_kept(self, h: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """`hidden` with phi in the dtype of h, as the energy wants it."""
        h = h if bias is None else h + bias
        a = self.activation.phi(h)
        return a, self.activation.dphi(h, a).to(self.operand)

    def value(self, h: Tensor, bias: Tensor | None) -> Tensor:
        """phi alone, in the dtype of h."""
        return self.activation.phi(h if bias is None else h + bias)

    def delta(self, h: Tensor, bias: Tensor | None, readout: Tensor) -> Tensor:
        """readout * phi'(h^L)."""
        h = h if bias is None else h + bias
        return (self.activation.dphi(h, self.activation.phi(h)) * readout.unsqueeze(1)).to(self.operand)

    def read_out(self, h: Tensor, bias: Tensor | None, readout: Tensor) -> Tensor:
        """readout . phi(h^L) in float64."""
        return torch.sum(self.value(h, bias) * readout.unsqueeze(1), dim=-1, dtype=torch.float64)

    def delta_and_energy(self, h: Tensor, bias: Tensor | None, readout: Tensor) -> tuple[Tensor, Tensor]:
        """`delta` and `read_out` of the same h."""
        h = h if bias is None else h + bias
        a, v = self.activation.phi(h), readout.unsqueeze(1)
        energy = torch.sum(a * v, dim=-1, dtype=torch.float64)
        return (self.activation.dphi(h, a) * v).to(self.operand), energy

    def backward(self, product: Tensor, derivative: Tensor) -> Tensor:
        """(W^T delta) * phi'."""
        return (product * derivative).to(self.operand)


@dataclass(frozen=True, eq=False)
class BatchedNetworks:
    """Networks with their weights as the force products take them.

    Attributes:
        networks: in the dtype of the positions; what energies are made of.
        forces:   one of FORCES.
        operands: the weights of the force products, bfloat16 copies or the same tensors.
    """

    networks: Networks
    forces: str
    operands: tuple[Tensor, ...]
    stages: Stages

    @classmethod
    def of(cls, networks: Networks, forces: str, *, backend: str | None) -> Self:
        """The networks with stages compiled by that backend of torch.compile, or in plain torch."""
        operand = torch.bfloat16 if forces == "bfloat16" else networks.readout.dtype
        operands = tuple(w.to(operand) for w in networks.weights)
        return cls(networks, forces, operands, _stages(networks, operand, backend))

    @classmethod
    def where_possible(cls, networks: Networks, forces: str) -> Self | None:
        """On CUDA in float32; None elsewhere."""
        if networks.readout.device.type != "cuda" or networks.readout.dtype != torch.float32:
            return None
        return cls.of(networks, forces, backend=None if why_not_compiled() else "inductor")

    def narrow(self, start: int, stop: int) -> Self:
        """Networks start to stop - 1, sharing their memory."""
        return replace(
            self, networks=self.networks.narrow(start, stop), operands=tuple(w[start:stop] for w in self.operands)
        )

    def energy(self, x: Tensor) -> Tensor:
        """H(x): (D, C, n0) -> (D, C) float64, from products that are float32 whatever the forces are."""
        net, a = self.networks, x
        for layer, w in enumerate(net.weights):
            h = _float32_product(a, w.mT)
            if layer < len(net.weights) - 1:
                a = self.stages.value(h, net.biases[layer])
        return self.stages.read_out(h, net.biases[-1], net.readout)

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H(x) and dH/dx: (D, C, n0) -> (D, C) float64, (D, C, n0); forward in float32, backward as `force`."""
        net, a, derivatives = self.networks, x, []
        for layer, w in enumerate(net.weights):
            h = _float32_product(a, w.mT)
            if layer < len(net.weights) - 1:
                a, derivative = self.stages.hidden_kept(h, net.biases[layer])
                derivatives.append(derivative)
        delta, energy = self.stages.delta_and_energy(h, net.biases[-1], net.readout)
        return energy, self._backward(delta, derivatives)

    def force(self, x: Tensor) -> Tensor:
        """dH/dx between the ends of a trajectory: (D, C, n0) in the dtype of the operands -> (D, C, n0)."""
        net, a, derivatives = self.networks, x, []
        for layer, w in enumerate(self.operands):
            h = self._product(a, w.mT)
            if layer < len(self.operands) - 1:
                a, derivative = self.stages.hidden(h, net.biases[layer])
                derivatives.append(derivative)
        return self._backward(self.stages.delta(h, net.biases[-1], net.readout), derivatives)

    def leapfrog(
        self,
        x: Tensor,
        p: Tensor,
        grad: Tensor,
        fresh: Tensor | None,
        beta: Tensor,
        step_size: Tensor,
        n_leapfrog: int | Tensor,
        longest: int,
        reproject_every: int,
    ) -> TrajectoryEnd:
        """End of the trajectory of every chain; see `mcmc.kernels.leapfrog.leapfrog`."""
        start = p
        kicks, drifts = self.stages.schedule(step_size, beta, n_leapfrog, longest)
        for i in range(longest):
            is_last = i == longest - 1
            is_corrected = is_last or i % reproject_every == reproject_every - 1
            move = self.stages.drift_and_reproject if is_corrected else self.stages.drift
            x, p, operand = move(x, p, grad, kicks[i], drifts[i])
            if not is_last:
                grad = self.force(operand)
        if fresh is not None:
            x = torch.where((beta == 0).unsqueeze(-1), fresh, x)
        energy, grad = self.energy_and_grad(x)
        p, kinetic_change = self.stages.close(start, x, p, grad, kicks[longest])
        return TrajectoryEnd(x, p, grad, energy, kinetic_change)

    def _backward(self, delta: Tensor, derivatives: list[Tensor]) -> Tensor:
        for w, derivative in zip(reversed(self.operands[1:]), reversed(derivatives), strict=True):
            delta = self.stages.backward(self._product(delta, w), derivative)
        return self._product(delta, self.operands[0])

    def _product(self, a: Tensor, w: Tensor) -> Tensor:
        """A force product, its sums and its result in the dtype of the positions."""
        if self.forces == "bfloat16":
            if a.device.type == "cuda":
                return torch.bmm(a, w, out_dtype=torch.float32)
            return torch.bmm(a.to(torch.float32), w.to(torch.float32))  # exact products of the same rounded factors
        with _float32_products("tf32" if self.forces == "tf32" else "ieee"):
            return torch.bmm(a, w)


def _float32_product(a: Tensor, w: Tensor) -> Tensor:
    """A product of the energies."""
    with _float32_products("ieee"):
        return torch.bmm(a, w)


@contextmanager
def _float32_products(precision: str) -> Iterator[None]:
    """What cuBLAS may do to the factors of float32 products, for these calls only."""
    switch = torch.backends.cuda.matmul
    before = switch.fp32_precision
    # torch keeps an old and a new setting, and refuses to work where they disagree: this one sets both
    switch.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        switch.allow_tf32 = before == "tf32"
        switch.fp32_precision = before


def _compiled(stage: Callable[..., Any], backend: str) -> Callable[..., Any]:
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, RECOMPILE_LIMIT)
    return torch.compile(stage, fullgraph=True, dynamic=False, backend=backend)


_made: dict[tuple[Any, ...], Stages] = {}


def compile_failure() -> str | None:
    """Why stages that were to be compiled in this process run in plain torch after all; None if they do not."""
    return next((stages.failure for stages in _made.values() if stages.failure is not None), None)


def _stages(networks: Networks, operand: torch.dtype, backend: str | None) -> Stages:
    """Stages are shared by all networks of one activation and width: each costs seconds to compile."""
    phi = networks.activation
    key = (phi.name, *sorted(phi.params.items()), phi.slopes, phi.bound, networks.widths[0], operand, backend)
    if key not in _made:
        _made[key] = Stages(phi, Sphere(networks.widths[0]), operand, backend=backend)
    return _made[key]
