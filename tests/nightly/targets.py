"""Exact targets as maps from positions to independent uniform numbers, and the chains that sample them.

Every map is checked against draws that know nothing of it, by rejection from the uniform measure (`rejection`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import betainc, ndtr
from torch import Tensor

from mcmc.exchange.state import to_temperature_order
from mcmc.kernels.base import Kernel
from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.random_walk import RandomWalk
from mcmc.kernels.registry import KERNELS
from mcmc.kernels.spin_flip import SpinFlip
from mcmc.names import KERNEL_NAMES
from mcmc.rng import Streams
from mcmc.run.chains import ChainPlan, draw_chains
from mcmc.run.learning import LearningPlan, start_learning
from mcmc.run.simulation import Simulation
from mcmc.systems.base import System
from mcmc.systems.function_space.learning import LearningSystem, all_patterns
from mcmc.systems.layers.ancestral import ancestral_positions
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.exact import linear_field
from tests.support.chains import BETAS, small_config
from tests.support.tiny_learning import DEPTH, WIDTH, row_functions

N_GRID = 1 << 14
# positions (R, n_sites) of one network, its system (D = 1), inverse temperature, fresh uniforms -> (R, m)
Uniforms = Callable[[np.ndarray, System, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Size:
    """How much is drawn: replicas of every ladder, sweeps before the first snapshot, snapshots, sweeps between two."""

    n_replicas: int
    n_burn_in: int = 120
    n_snapshots: int = 12
    every: int = 5


@dataclass(frozen=True)
class Target:
    """A law with an exact answer.

    Attributes:
        kernels:  that can sample it.
        sample:   (kernel, exchange, seed, size) -> positions (S, D, K, R, n_sites), system, inverse temperatures.
        uniforms: the map.
        exact_at: places of the temperatures where the map holds; None for all.
    """

    kernels: tuple[str, ...]
    sample: Callable[[str, bool, int, Size], tuple[np.ndarray, System, Sequence[float]]]
    uniforms: Uniforms
    exact_at: tuple[int, ...] | None = None

    def draw(self, kernel: str, *, exchange: bool, seed: int, size: Size) -> np.ndarray:
        """(S, D, K, R, m), independent and uniform if the kernel is right."""
        x, system, betas = self.sample(kernel, exchange, seed, size)
        fresh = np.random.default_rng(seed)
        places = range(len(betas)) if self.exact_at is None else self.exact_at

        def column(d: int, k: int) -> np.ndarray:
            one = system.narrow(d, d + 1)
            u = self.uniforms(x[:, d, k].reshape(-1, x.shape[-1]), one, betas[k], fresh)
            return u.reshape(x.shape[0], x.shape[3], -1)

        return np.stack([np.stack([column(d, k) for k in places], axis=1) for d in range(x.shape[1])], axis=1)


def direction_uniforms(y: np.ndarray) -> np.ndarray:
    """(n, d) of any length, uniform in direction -> (n, d - 1): one coordinate after the other, then an angle."""
    columns = []
    while y.shape[1] > 2:
        half = (y.shape[1] - 1) / 2
        columns.append(betainc(half, half, (1 + y[:, 0] / np.linalg.norm(y, axis=1)) / 2))
        y = y[:, 1:]
    columns.append(np.arctan2(y[:, 1], y[:, 0]) / (2 * math.pi) + 0.5)
    return np.stack(columns, axis=1)


def cumulative(log_density: np.ndarray) -> np.ndarray:
    """(..., M) on a regular grid -> (..., M), the trapezoid rule, 0 at the first point and 1 at the last."""
    density = np.exp(log_density - log_density.max(-1, keepdims=True))
    cells = (density[..., 1:] + density[..., :-1]) / 2
    total = np.concatenate([np.zeros((*cells.shape[:-1], 1)), np.cumsum(cells, axis=-1)], axis=-1)
    return total / total[..., -1:]


def von_mises_fisher(x: np.ndarray, system: System, beta: float, fresh: np.random.Generator) -> np.ndarray:
    """The angle to the field, whose law is one quadrature, and the direction around it, which is uniform."""
    n = system.n_sites
    field = linear_field(system.networks)[0].numpy()
    norm = np.linalg.norm(field)
    turned = x @ np.linalg.qr(np.column_stack([field, np.eye(n)[:, : n - 1]]))[0]
    along = np.sign(turned[0, 0]) * np.sign(x[0] @ field) * turned[:, 0] / math.sqrt(n)
    angle = np.linspace(0, math.pi, N_GRID)
    with np.errstate(divide="ignore"):
        log_sine = np.log(np.sin(angle)) * (n - 2)
    log_sine[[0, -1]] = -np.inf
    law = cumulative(-beta * norm * math.sqrt(n) * np.cos(angle) + log_sine)
    first = np.interp(np.arccos(np.clip(along, -1, 1)), angle, law)
    return np.column_stack([first, direction_uniforms(turned[:, 1:])])


def circle(x: np.ndarray, system: System, beta: float, fresh: np.random.Generator) -> np.ndarray:
    """N_0 = 2: the angle."""
    angle = np.linspace(-math.pi, math.pi, N_GRID)
    points = math.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    law = cumulative(-beta * _energy(system, points))
    return np.interp(np.arctan2(x[:, 1], x[:, 0]), angle, law)[:, None]


def sphere(x: np.ndarray, system: System, beta: float, fresh: np.random.Generator) -> np.ndarray:
    """N_0 = 3: the height, and the azimuth given the height."""
    height, azimuth = np.linspace(-1, 1, 301), np.linspace(-math.pi, math.pi, 513)
    radius = np.sqrt(1 - height**2)
    points = np.stack(
        [np.outer(radius, np.cos(azimuth)), np.outer(radius, np.sin(azimuth)), np.outer(height, np.ones(513))], axis=-1
    )
    log_density = -beta * _energy(system, math.sqrt(3) * points.reshape(-1, 3)).reshape(301, 513)
    density = np.exp(log_density - log_density.max())
    rows = cumulative(log_density)
    law = cumulative(np.log(density[:, :-1].sum(1)))
    z, phi = x[:, 2] / math.sqrt(3), np.arctan2(x[:, 1], x[:, 0])
    place = np.clip((z + 1) / 2 * 300, 0, 299.999999)
    below, share = place.astype(int), place % 1.0
    column = np.clip((phi + math.pi) / (2 * math.pi) * 512, 0, 511.999999)
    left, part = column.astype(int), column % 1.0

    def conditional(row: np.ndarray) -> np.ndarray:
        return rows[row, left] * (1 - part) + rows[row, left + 1] * part

    second = conditional(below) * (1 - share) + conditional(below + 1) * share
    return np.column_stack([np.interp(z, height, law), second])


def _energy(system: System, points: np.ndarray) -> np.ndarray:
    return system.in_float64().energy(torch.from_numpy(points).unsqueeze(0))[0].numpy()


def layers(x: np.ndarray, system: System, beta: float, fresh: np.random.Generator) -> np.ndarray:
    """The chain of layers at beta = 1: given the layer before, each is Gaussian with a known covariance."""
    positions = torch.from_numpy(x).double()
    factor = torch.linalg.cholesky(system.covariances(positions))
    z = positions.unflatten(-1, (system.depth, system.n_inputs, system.width))
    return ndtr(torch.linalg.solve_triangular(factor, z, upper=False).flatten(1).numpy())


def binary_students(x: np.ndarray, system: System, beta: float, fresh: np.random.Generator) -> np.ndarray:
    """The energy, spread out over its step of the law, and the place among the states of that energy."""
    n = system.n_sites
    bits = (torch.arange(2**n).unsqueeze(1) >> torch.arange(n)) & 1
    energy = system.energy((1.0 - 2.0 * bits).to(system.dtype).unsqueeze(0))[0].numpy()
    wrong_bits = np.round(energy / n * system.labels[0].numel())
    _, level, n_states = np.unique(wrong_bits, return_inverse=True, return_counts=True)
    rank = np.empty(2**n, dtype=np.int64)
    rank[np.argsort(level, kind="stable")] = np.arange(2**n)
    rank -= np.concatenate([[0], np.cumsum(n_states)])[level]
    value = np.zeros(len(n_states))
    value[level] = energy
    state = (x < 0).astype(np.int64) @ (1 << np.arange(n))
    found = level[state]
    first = _spread(np.log(n_states) - beta * value, found, fresh, value)
    return np.column_stack([first, (rank[state] + fresh.random(len(x))) / n_states[found]])


def continuous_students(x: np.ndarray, system: System, beta: float, fresh: np.random.Generator) -> np.ndarray:
    """The function of the hidden layer, then that of each output unit: 14 functions a row, of known solid angle."""
    signs, share = row_functions()
    patterns = all_patterns(WIDTH).double().numpy()
    labels = system.labels[0].double().numpy()
    hidden = np.stack(np.meshgrid(*[np.arange(14)] * WIDTH, indexing="ij"), axis=-1).reshape(-1, WIDTH)
    states = np.moveaxis(signs[hidden], 1, 2)  # (14^3, 4, 3)
    rows_of_signs = signs @ patterns  # a row that has each function: the patterns it calls positive less the others
    code = np.sign(states @ rows_of_signs.T)  # (14^3, 4, 14)
    errors = (code[:, None] != labels[:, :, None]).mean(2) / WIDTH  # (14^3, unit, 14)
    log_weight = np.log(share) - beta * system.n_sites * errors
    log_units = np.log(np.exp(log_weight).sum(-1))
    rows = x.reshape(-1, DEPTH, WIDTH, WIDTH)
    which = _function(rows, signs, patterns)  # (n, layer, row)
    place = which[:, 0] @ (14 ** np.arange(WIDTH)[::-1])
    quality = log_units.sum(-1)
    columns = [_spread(np.log(share)[hidden].sum(-1) + quality, place, fresh, quality)]
    columns += [
        _spread(log_weight[place, unit], which[:, 1, unit], fresh, errors[place, unit]) for unit in range(WIDTH)
    ]
    return np.column_stack(columns)


def _function(rows: np.ndarray, signs: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    powers = 2 ** np.arange(signs.shape[1])
    table = np.full(16, -1)
    table[(signs > 0) @ powers] = np.arange(len(signs))
    return table[(rows @ patterns.T > 0) @ powers]


def _spread(log_weight: np.ndarray, found: np.ndarray, fresh: np.random.Generator, key: np.ndarray) -> np.ndarray:
    """A uniform number from the place of a discrete draw: F(before) + v p, v uniform, places in the order of the key.

    Args:
        log_weight, key: (M,) of every place, or (n, M) of every place for every draw.
        found:           (n,) the places drawn.
    """
    order = np.argsort(key, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    p = np.take_along_axis(np.exp(log_weight - log_weight.max(-1, keepdims=True)), order, -1)
    p /= p.sum(-1, keepdims=True)
    if p.ndim == 1:
        place = rank[found]
        own, upto = p[place], np.cumsum(p)[place]
    else:
        place = np.take_along_axis(rank, found[:, None], 1)
        own, upto = (np.take_along_axis(values, place, 1)[:, 0] for values in (p, np.cumsum(p, axis=1)))
    return np.clip(upto - own * fresh.random(len(found)), 0, 1)


def _snapshots(simulation: Simulation, size: Size) -> np.ndarray:
    taken = []
    for sweep in range(1, size.n_burn_in + size.every * (size.n_snapshots - 1) + 1):
        simulation.advance()
        if sweep >= size.n_burn_in and (sweep - size.n_burn_in) % size.every == 0:
            x = torch.cat([chains.x for chains in simulation.chains]).view(*simulation.shape, -1)
            taken.append(to_temperature_order(x, simulation.exchange).double())
    return torch.stack(taken).numpy()


def _mlp(**sizes: object) -> Callable[[str, bool, int, Size], tuple[np.ndarray, System, Sequence[float]]]:
    """The loop of production on a configuration."""

    def sample(kernel: str, exchange: bool, seed: int, size: Size) -> tuple[np.ndarray, System, Sequence[float]]:
        config = small_config(kernel=kernel, exchange=exchange, seed=seed, n_replicas=size.n_replicas, **sizes)
        simulation = Simulation.start(config, torch.device("cpu"))
        return _snapshots(simulation, size), simulation.system, simulation.ladder.betas

    return sample


LAYER_KERNELS: dict[str, Kernel] = {name: kernel() for name, kernel in KERNELS.items()} | {"block_walk": BlockWalk(1)}
LAYER_STEPS = {"hmc": 1, "mala": 3, "langevin": 3, "random_walk": 6, "block_walk": 8}


def _layer_chain(activation: str, first: Sequence[Sequence[float]], width: int, depth: int):
    """The same kernels in flat space, step sizes adapted in the first three quarters of the burn-in."""

    def sample(kernel: str, exchange: bool, seed: int, size: Size) -> tuple[np.ndarray, System, Sequence[float]]:
        phi = make_activation(activation, depth=1)
        covariance = torch.tensor(first, dtype=torch.float64)
        chain = LayerChain(torch.arange(2), phi, width, depth, 1.2**0.5, 0.3**0.5, covariance)
        betas = (0.8, 1.0, 1.2)
        plan = ChainPlan(
            betas,
            size.n_replicas,
            size.n_burn_in,
            size.every * (size.n_snapshots - 1) + 1,
            steps_per_sweep=LAYER_STEPS[kernel],
            n_leapfrog=8 if kernel == "hmc" else 1,
            exchange=exchange,
        )
        ids = torch.arange(len(betas) * size.n_replicas)
        start, _ = ancestral_positions(chain, Streams(seed, chain.ids, ids))
        draws = draw_chains(chain, LAYER_KERNELS[kernel], 0.3 * start, plan, Tensor.double, seed=seed)
        return draws.observed[:: size.every], chain, betas

    return sample


STUDENT_KERNELS: dict[str, Kernel] = {
    "block_walk": BlockWalk(DEPTH * WIDTH, spread=4.0),
    "random_walk": RandomWalk(),
    "spin_flip": SpinFlip(),
}
STUDENT_STEPS = {"block_walk": 1.2, "random_walk": 0.6, "spin_flip": 1.0}


def _students(weights: str) -> Callable[[str, bool, int, Size], tuple[np.ndarray, System, Sequence[float]]]:
    def sample(kernel: str, exchange: bool, seed: int, size: Size) -> tuple[np.ndarray, System, Sequence[float]]:
        system = LearningSystem.draw(weights, depth=DEPTH, width=WIDTH, n_networks=2, seed=seed, dtype=torch.float64)
        alphas = (0.0, 0.1, 0.2, 0.35)
        plan = LearningPlan(alphas, steps_per_sweep=8, n_replicas=size.n_replicas, seed=seed, is_planted=False)
        simulation = start_learning(system, plan, STUDENT_KERNELS[kernel])
        tempering = simulation.config.tempering.model_copy(update={"exchange": exchange})
        simulation.config = simulation.config.model_copy(update={"tempering": tempering})
        simulation.tuner.log_step.fill_(math.log(STUDENT_STEPS[kernel]))
        return _snapshots(simulation, size), system, alphas

    return sample


SMOOTH = {"betas": (0.0, 0.7, 1.5, 2.5), "sigma_b": 0.8, "width_ratios": (3.0,)}
TARGETS: dict[str, Target] = {
    "von Mises-Fisher": Target(KERNEL_NAMES, _mlp(), von_mises_fisher),
    "von Mises-Fisher, L=3": Target(KERNEL_NAMES, _mlp(width_ratios=(1.5, 0.75, 1.25), n_inputs=5), von_mises_fisher),
    "circle, sin": Target(KERNEL_NAMES, _mlp(activation="sin", n_inputs=2, **SMOOTH), circle),
    "sphere, relu": Target(KERNEL_NAMES, _mlp(activation="relu", n_inputs=3, **SMOOTH), sphere),
    "layers, relu": Target(tuple(LAYER_KERNELS), _layer_chain("relu", [[2.0]], 5, 4), layers, (1,)),
    "layers, sin, two inputs": Target(
        tuple(LAYER_KERNELS), _layer_chain("sin", [[1.5, -0.4], [-0.4, 0.6]], 5, 3), layers, (1,)
    ),
    "students, continuous": Target(("random_walk", "block_walk"), _students("continuous"), continuous_students),
    "students, binary": Target(("spin_flip",), _students("binary"), binary_students),
}
CASES = [
    (kernel, name, exchange)
    for name, target in TARGETS.items()
    for kernel in target.kernels
    for exchange in (True, False)
]
assert BETAS[0] == 0


def rejection(system: System, beta: float, n: int, fresh: torch.Generator, floor: float) -> np.ndarray:
    """(n, n_sites) exact draws of one network: uniform proposals kept with exp(-beta (H - floor)), floor <= min H."""
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < n:
        noise = torch.randn((1, 100_000, system.n_sites), generator=fresh, dtype=torch.float64)
        x = system.manifold.random_point(noise)
        above = system.energy(x)[0] - floor
        assert float(above.min()) >= 0, "the floor is above an energy"
        u = torch.rand(above.shape, generator=fresh, dtype=torch.float64)
        kept.append(x[0][u < torch.exp(-beta * above)].numpy())
    return np.concatenate(kept)[:n]
