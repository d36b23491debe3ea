"""Overlaps of all layers in one operator against the definition in float64."""

import pytest
import torch

from mcmc import native
from mcmc.systems.mlp.energy import MlpSystem
from tests.cpp_ext.fused import ENGINES, FLOAT_ENGINES, UNIT, Case, case

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")


def overlaps(c: Case, n_replicas: int, engine: str, forces: str):
    x = c.x.view(c.x.shape[0], -1, n_replicas, c.x.shape[2])
    return c.fused(engine, forces).overlaps(x), c.definition.overlaps(x.double())


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
@pytest.mark.parametrize(
    ("name", "widths", "n_chains", "n_replicas"),
    [("tanh", (33, 70), 36, 4), ("relu", (64, 32, 21), 30, 3), ("sin", (48, 17, 33), 2, 2), ("erf", (20, 10), 5, 1)],
)
def test_overlaps(name, widths, n_chains, n_replicas, engine, forces):
    """To the rounding of float32, whatever the precision of the forces: overlaps are results."""
    found, expected = overlaps(case(name, widths, n_chains), n_replicas, engine, forces)
    for a, b in zip(found[:2], expected[:2], strict=True):
        assert a.shape == b.shape
        assert torch.isfinite(a).all()
        if b.numel():
            assert (a - b).abs().max() < 60 * UNIT * expected.within.max()
    if n_replicas > 2:
        assert (found.between.flip(1) - expected.between).abs().max() > 1e-3


def test_the_system_takes_the_operator():
    c = case("tanh", (20, 12), 8)
    x = c.x.view(2, 2, 4, 20)
    found, expected = MlpSystem(c.networks).overlaps(x), c.fused(native.engines()[0]).overlaps(x)
    assert torch.equal(found.between, expected.between)
    assert torch.equal(found.within, expected.within)
    assert found.weight_identity is not None


def test_threads_and_places_do_not_matter():
    c = case("tanh", (31, 17, 20), 132)
    fused, x = c.fused(FLOAT_ENGINES[0]), c.x.view(2, 33, 4, 31)
    expected = fused.overlaps(x)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        threaded = fused.overlaps(x)
    finally:
        torch.set_num_threads(before)
    part = fused.overlaps(x[:, 20:])
    for whole, other, some in zip(expected[:2], threaded[:2], part[:2], strict=True):
        assert torch.equal(whole, other)
        assert torch.equal(whole[:, 20:], some)


def test_registered_properly_and_wrong_shapes_named():
    c = case("tanh", (7, 5), 6)
    arguments = c.fused(FLOAT_ENGINES[0]).arguments
    torch.library.opcheck(torch.ops.mlp_gibbs.overlaps_mlp.default, (c.x.view(2, 2, 3, 7), *arguments))
    with pytest.raises(ValueError, match=r"x must have shape \(D, K, R, N_0\), found \[2, 6, 7\]"):
        torch.ops.mlp_gibbs.overlaps_mlp(c.x, *arguments)
