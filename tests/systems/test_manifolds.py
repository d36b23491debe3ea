"""Geometry of the sphere: what a sampler relies on, each to rounding."""

import math

import pytest
import torch

from mcmc.systems.manifolds import Euclidean, Sphere


@pytest.fixture
def state():
    sphere, generator = Sphere(7), torch.Generator().manual_seed(5)
    x = sphere.random_point(torch.randn(3, 4, 7, generator=generator, dtype=torch.float64))
    p = sphere.project_tangent(x, torch.randn(3, 4, 7, generator=generator, dtype=torch.float64))
    time = torch.rand(3, 4, generator=generator, dtype=torch.float64) * 3
    return sphere, x, p, time


def test_points_lie_on_the_sphere_and_projections_are_tangent(state):
    sphere, x, p, _ = state
    assert torch.allclose((x * x).sum(-1), torch.full((3, 4), 7.0, dtype=torch.float64), rtol=1e-14)
    assert (x * p).sum(-1).abs().max() < 1e-13
    assert torch.allclose(sphere.project_tangent(x, p), p, atol=1e-14)
    assert sphere.project_tangent(x, x).abs().max() < 1e-14


def test_flow_stays_conserves_speed_and_reverses(state):
    sphere, x, p, time = state
    y, r = sphere.geodesic_flow(x, p, time)
    assert torch.allclose((y * y).sum(-1), (x * x).sum(-1), rtol=1e-13)
    assert torch.allclose((r * r).sum(-1), (p * p).sum(-1), rtol=1e-13)
    assert (y * r).sum(-1).abs().max() < 1e-12
    back, minus_p = sphere.geodesic_flow(y, -r, time)
    assert torch.allclose(back, x, atol=1e-13)
    assert torch.allclose(minus_p, -p, atol=1e-13)


def test_flow_is_the_geodesic(state):
    """Angle travelled = |p| t / sqrt(N_0), and dx/dt = p at t = 0."""
    sphere, x, p, _ = state
    speed = torch.linalg.vector_norm(p, dim=-1)
    time = 0.4 * sphere.radius / speed
    y, _ = sphere.geodesic_flow(x, p, time)
    assert torch.allclose(torch.acos((x * y).sum(-1) / 7), torch.full((3, 4), 0.4, dtype=torch.float64), atol=1e-12)
    h = 1e-6
    ahead, _ = sphere.geodesic_flow(x, p, torch.full((3, 4), h, dtype=torch.float64))
    behind, _ = sphere.geodesic_flow(x, p, torch.full((3, 4), -h, dtype=torch.float64))
    assert torch.allclose((ahead - behind) / (2 * h), p, atol=1e-8)


def test_flow_preserves_volume():
    """The Jacobian of (x, p) -> flow on the tangent bundle of the circle, by differences in angle and speed, is 1."""
    sphere, r = Sphere(2), math.sqrt(2)

    def flow(angle, speed):
        x = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64) * r
        p = torch.tensor([-math.sin(angle), math.cos(angle)], dtype=torch.float64) * speed
        y, v = sphere.geodesic_flow(x, p, torch.tensor(0.7, dtype=torch.float64))
        tangent = torch.stack([-y[1], y[0]]) / r
        return torch.stack([torch.atan2(y[1], y[0]), v @ tangent])

    h = 1e-6
    columns = [(flow(1 + h, 0.9) - flow(1 - h, 0.9)) / (2 * h), (flow(1, 0.9 + h) - flow(1, 0.9 - h)) / (2 * h)]
    assert torch.linalg.det(torch.stack(columns, 1)).item() == pytest.approx(1, abs=1e-8)


def test_a_walker_at_rest_stays():
    sphere = Sphere(3)
    x = sphere.random_point(torch.ones(1, 1, 3, dtype=torch.float64))
    y, p = sphere.geodesic_flow(x, torch.zeros_like(x), torch.ones(1, 1, dtype=torch.float64))
    assert torch.equal(x, y)
    assert torch.equal(p, torch.zeros_like(x))


def test_reproject_removes_drift(state):
    sphere, x, p, _ = state
    y, r = sphere.reproject(1.001 * x, p + 0.01 * x)
    assert torch.allclose((y * y).sum(-1), (x * x).sum(-1), rtol=1e-14)
    assert (y * r).sum(-1).abs().max() < 1e-13
    assert torch.allclose(y, x, rtol=1e-12)


def test_random_points_are_uniform():
    """Fourth moments of one coordinate: E x_1^4 / N_0^2 = 3/(N_0 (N_0 + 2)); 5 sigma."""
    sphere, n = Sphere(5), 40_000
    x = sphere.random_point(torch.randn(n, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    values = x[:, 0] ** 4 / 25
    assert abs(values.mean() - 3 / 35) < 5 * values.std() / math.sqrt(n)


def test_flat_space():
    """Straight lines, reversible, volume kept; everything is tangent and there is no draw from Lebesgue measure."""
    flat, generator = Euclidean(4), torch.Generator().manual_seed(1)
    x, p = (torch.randn(2, 3, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    time = torch.rand(2, 3, generator=generator, dtype=torch.float64)
    y, q = flat.geodesic_flow(x, p, time)
    assert torch.allclose(y, x + time.unsqueeze(-1) * p)
    assert torch.equal(q, p)
    assert torch.allclose(flat.geodesic_flow(y, -q, time)[0], x)
    assert torch.equal(flat.project_tangent(x, p), p)
    assert flat.reproject(x, p) == (x, p)
    assert flat.random_point(p) is None
    assert flat.dimension == 4
