"""Students of a teacher as a `System`: symmetries, examples, and the spaces that weights live on."""

import numpy as np
import pytest
import torch

from mcmc.errors import UsageError
from mcmc.kernels.base import StepParams
from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.spin_flip import SpinFlip
from mcmc.rng import Streams
from mcmc.systems.function_space.learning import LearningSystem, all_patterns
from mcmc.systems.function_space.manifolds import Hypercube, RowSpheres


def draw(weights="continuous", depth=3, width=5, **sizes):
    return LearningSystem.draw(weights, depth=depth, width=width, n_networks=2, seed=1, dtype=torch.float64, **sizes)


def other_students(system, n_chains=4):
    noise = torch.randn(2, n_chains, system.n_sites, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return system.manifold.random_point(noise)


@pytest.mark.parametrize("weights", ["continuous", "binary"])
def test_the_teacher_makes_no_error(weights):
    system = draw(weights)
    planted = system.planted(3)
    assert torch.equal(system.energy(planted), torch.zeros(2, 3, dtype=torch.float64))
    assert torch.allclose(system.teacher_overlap(planted), torch.ones(2, 3, 3, dtype=torch.float64))
    assert torch.allclose(system.matched_overlap(planted), torch.ones(2, 3, 3, dtype=torch.float64))
    rows = planted.view(2, 3, 3, 5, 5)
    assert torch.allclose((rows**2).sum(-1), torch.full((), 5.0, dtype=torch.float64))


def test_energy_by_hand():
    """One student of one teacher, example by example."""
    system = draw(depth=2, width=3)
    student = other_students(system)[:, :1]
    w, t = student[1, 0].view(2, 3, 3).numpy(), system.teacher[1].numpy()
    wrong = 0
    for pattern in all_patterns(3).double().numpy():
        out = [np.sign(u[1] @ np.sign(u[0] @ pattern)) for u in (w, t)]
        wrong += np.sum(out[0] != out[1])
    assert float(system.energy(student)[1, 0]) == pytest.approx(system.n_sites * wrong / 12)


def test_patterns_are_all_patterns():
    patterns = all_patterns(5)
    assert patterns.shape == (16, 5)
    assert len({tuple(p) for p in torch.cat([patterns, -patterns]).tolist()}) == 32


@pytest.mark.parametrize("weights", ["continuous", "binary"])
def test_permuted_and_turned_hidden_units_are_the_same_student(weights):
    """The gauge: outputs do not change, the plain overlap does, the matched one does not."""
    system = draw(weights)
    w = other_students(system).view(2, 4, 3, 5, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    turned = w.clone()
    turned[:, :, 0] = (signs[:, None] * w[:, :, 0])[:, :, order]
    turned[:, :, 1] = (w[:, :, 1] * signs)[..., order]
    x, y = w.reshape(2, 4, -1), turned.reshape(2, 4, -1)
    assert torch.equal(system.energy(x), system.energy(y))
    n_unique = 1 if system.is_binary else 3  # equal products of signs leave the matching of the first layer open
    assert torch.allclose(system.matched_overlap(x)[..., :n_unique], system.matched_overlap(y)[..., :n_unique])
    assert not torch.allclose(system.teacher_overlap(x), system.teacher_overlap(y))


def test_matching_finds_a_turned_teacher():
    system = draw()
    w = system.teacher.clone().unsqueeze(1)
    w[:, :, 0] = -w[:, :, 0].flip(-2)
    w[:, :, 1] = -w[:, :, 1].flip(-1)
    assert torch.allclose(system.matched_overlap(w.flatten(2)), torch.ones(2, 1, 3, dtype=torch.float64))


def test_overlaps_of_replicas():
    system = draw()
    x = other_students(system).view(2, 2, 2, -1)
    found = system.overlaps(x)
    assert found.between.shape == (2, 2, 1, 4)
    assert torch.allclose(found.within, torch.ones_like(found.within))
    assert torch.allclose(found.between[..., 0], found.between[..., 1:].mean(-1))
    assert len(system.overlap_ranges()) == 4
    assert system.overlaps(x[:, :, :1]).between.shape[2] == 0


def test_parts_and_precisions():
    system = draw()
    part = system.narrow(1, 2)
    x = other_students(system)
    assert torch.equal(part.energy(x[1:]), system.energy(x)[1:])
    single = LearningSystem.draw("continuous", depth=3, width=5, n_networks=2, seed=1)
    assert single.in_float64().dtype == torch.float64
    assert single.with_finest_forces() is None


def test_rows_stay_on_their_spheres():
    manifold = RowSpheres(6, 5)
    generator = torch.Generator().manual_seed(2)
    x = manifold.random_point(torch.randn(2, 3, 30, generator=generator, dtype=torch.float64))
    p = manifold.project_tangent(x, torch.randn(2, 3, 30, generator=generator, dtype=torch.float64))
    y, r = manifold.geodesic_flow(x, p, torch.rand(2, 3, generator=generator, dtype=torch.float64))
    for rows in (x, y):
        assert torch.allclose((rows.view(2, 3, 6, 5) ** 2).sum(-1), torch.full((), 5.0, dtype=torch.float64))
    assert (x.view(2, 3, 6, 5) * p.view(2, 3, 6, 5)).sum(-1).abs().max() < 1e-13
    assert torch.allclose(manifold.reproject(y, r)[0], y)
    assert manifold.dimension == 24


def test_block_walk_moves_one_row():
    system = draw()
    streams = Streams.of(4, [0, 1], range(4))
    kernel = BlockWalk(15)
    state = kernel.init(streams, system, other_students(system))
    beta, params = torch.full((2, 4), 1e-9, dtype=torch.float64), StepParams(torch.full((2, 4), 0.5))
    for step in range(5):
        new, info = kernel.step(streams, system, state, beta, params, step)
        moved = (new.x != state.x).view(2, 4, 15, 5).any(-1).sum(-1)
        assert torch.equal(moved[info.is_accepted], torch.ones_like(moved[info.is_accepted]))
        assert torch.equal(new.energy, system.energy(new.x))
        state = new


def test_spin_flip_flips_one_weight():
    system = draw("binary")
    streams = Streams.of(4, [0, 1], range(4))
    kernel = SpinFlip()
    state = kernel.init(streams, system, other_students(system))
    beta = torch.full((2, 4), 1e-9, dtype=torch.float64)
    new, info = kernel.step(streams, system, state, beta, StepParams(torch.ones(2, 4)), 0)
    assert bool(info.is_accepted.all())
    assert torch.equal((new.x != state.x).sum(-1), torch.ones(2, 4, dtype=torch.int64))
    fresh, _ = kernel.step(streams, system, state, 0 * beta, StepParams(torch.ones(2, 4), redraw_at_zero=True), 1)
    assert int((fresh.x != state.x).sum(-1).min()) > 10


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        (lambda: draw(width=4), UsageError, "odd number"),
        (lambda: draw(width=1), UsageError, "odd number"),
        (lambda: draw(width=17), UsageError, "--examples"),
        (lambda: draw().grad(torch.zeros(1)), UsageError, "no gradient"),
        (lambda: Hypercube().project_tangent(torch.zeros(1), torch.zeros(1)), UsageError, "SpinFlip"),
    ],
)
def test_errors(call, error, why):
    with pytest.raises(error, match=why):
        call()
