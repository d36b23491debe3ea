"""Overlaps of all layers in one operator against the definition in float64."""

import pytest
import torch

from mcmc import native
from mcmc.systems.mlp.energy import MlpSystem
from tests.cpp_ext.fused import ENGINES, FLOAT_ENGINES, UNIT, Case, case

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")


CASES = [
    ("tanh", (33, 70), 36, 4),
    ("relu", (64, 32, 21), 30, 3),
    ("sin", (48, 17, 33), 2, 2),
    ("erf", (20, 10), 5, 1),
    ("shaped_tanh", (16, 9, 40, 8), 80, 40),  # more replicas than chains in a tile
]


def overlaps(c: Case, n_replicas: int, engine: str, forces: str):
    x = c.x.view(c.x.shape[0], -1, n_replicas, c.x.shape[2])
    return c.fused(engine, forces).overlaps(x), c.definition.overlaps(x.double())


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
@pytest.mark.parametrize(("name", "widths", "n_chains", "n_replicas"), CASES)
def test_overlaps_and_identities(name, widths, n_chains, n_replicas, engine, forces):
    """To the rounding of float32, whatever the precision of the forces: these are results."""
    found, expected = overlaps(case(name, widths, n_chains), n_replicas, engine, forces)
    for a, b in zip(found[:2], expected[:2], strict=True):
        assert a.shape == b.shape
        assert torch.isfinite(a).all()
        if b.numel():
            assert (a - b).abs().max() < 60 * UNIT * expected.within.max()
    if n_replicas > 2:
        assert (found.between.flip(1) - expected.between).abs().max() > 1e-3
    if n_replicas == 1:
        assert found.weight_identity is None
        return
    for a, b in zip(found.weight_identity, expected.weight_identity, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() < 60 * UNIT * b.abs().max()


def test_each_replica_and_each_layer_has_its_own_part_in_the_identities():
    """Two replicas changed places, one layer's variance for another's: neither may pass."""
    c = case("tanh", (12, 9, 14), 12)
    x = c.x.view(2, 3, 4, 12)
    fused = c.fused(FLOAT_ENGINES[0])
    operator = torch.ops.mlp_gibbs.overlaps_mlp
    expected = operator(x, [1.44, 1.44], *fused.arguments)
    other_variance, other_ladder = [1.44, 1.0], x[:, [1, 0, 2]]
    for other in (
        operator(x, other_variance, *fused.arguments),
        operator(other_ladder, [1.44, 1.44], *fused.arguments),
    ):
        assert all(not torch.equal(a, b) for a, b in zip(other[2:], expected[2:], strict=True))
    swapped = operator(x[:, :, [1, 0, 2, 3]], [1.44, 1.44], *fused.arguments)
    for a, b in zip(swapped[2:], expected[2:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-14)  # means over all replicas, in another order


def test_the_system_takes_the_operator():
    c = case("tanh", (20, 12), 8)
    x = c.x.view(2, 2, 4, 20)
    found, expected = MlpSystem(c.networks).overlaps(x), c.fused(native.engines()[0]).overlaps(x)
    assert all(torch.equal(a, b) for a, b in zip(flat(found), flat(expected), strict=True))


def flat(overlaps):
    return [*overlaps[:2], *overlaps.weight_identity]


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
    for whole, other, some in zip(flat(expected), flat(threaded), flat(part), strict=True):
        assert torch.equal(whole, other)
        assert torch.equal(whole[:, 20:], some)


def test_registered_properly_and_wrong_shapes_named():
    c = case("tanh", (7, 5), 6)
    arguments = c.fused(FLOAT_ENGINES[0]).arguments
    operator = torch.ops.mlp_gibbs.overlaps_mlp
    for n_replicas in (1, 3):
        torch.library.opcheck(operator.default, (c.x.view(2, -1, n_replicas, 7), [1.0], *arguments))
    with pytest.raises(ValueError, match=r"x must have shape \(D, K, R, N_0\), found \[2, 6, 7\]"):
        operator(c.x, [1.0], *arguments)
    with pytest.raises(ValueError, match=r"variances must have 1 numbers, found 2"):
        operator(c.x.view(2, 2, 3, 7), [1.0, 1.0], *arguments)
    coarse = c.fused(FLOAT_ENGINES[-1], "bfloat16").arguments
    with pytest.raises(ValueError, match=r"forces must be float32, found 'bfloat16'"):
        operator(c.x.view(2, 2, 3, 7), [1.0], *coarse)
