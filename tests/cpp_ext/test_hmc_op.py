"""A whole HMC transition in one operator: the same bits as the operations that it is made of."""

import pytest
import torch

from mcmc import native
from mcmc.kernels.base import ChainState, StepInfo, StepParams
from mcmc.kernels.hmc import Hmc
from mcmc.rng import Streams
from mcmc.systems.mlp.energy import MlpSystem
from tests.cpp_ext.fused import ENGINES, FLOAT_ENGINES, Case, case

pytestmark = pytest.mark.skipif(not ENGINES, reason=f"no fused kernels here: {native.extension_error}")
SEED, STEP = 11, 7


def transition(c: Case, engine: str, forces: str, *, is_fused: bool, streams: Streams | None = None):
    """One step of `Hmc`, by the operator or by its parts."""
    system = MlpSystem(c.networks, forces)
    vars(system)["_fused"] = c.fused(engine, forces)
    if not is_fused:
        vars(system)["fused_hmc"] = lambda *_, **__: None
    d, n_chains, _ = c.x.shape
    state = ChainState(c.x, *system.energy_and_grad(c.x))
    params = StepParams(c.step_size, c.n_leapfrog, redraw_at_zero=bool((c.beta == 0).any()))
    return Hmc().step(streams or Streams.of(SEED, range(d), range(n_chains)), system, state, c.beta, params, STEP)


def assert_same(found: tuple[ChainState, StepInfo], expected: tuple[ChainState, StepInfo]) -> None:
    for name, tensor in expected[0].tensors().items():
        assert torch.equal(found[0].tensors()[name], tensor), name
    for name, tensor in vars(expected[1]).items():
        assert torch.equal(getattr(found[1], name), tensor), name


def eventful(name: str, widths: tuple[int, ...], n_chains: int) -> Case:
    """Steps so long that some proposals are refused, and some chains at beta = 0."""
    c = case(name, widths, n_chains)
    c.step_size *= 6
    c.beta[:, ::5] = 0.0
    return c


@pytest.mark.parametrize(("engine", "forces"), ENGINES)
@pytest.mark.parametrize(("name", "widths", "n_chains"), [("tanh", (33, 70), 70), ("relu", (64, 32, 20), 1)])
def test_the_operator_is_its_parts(name, widths, n_chains, engine, forces):
    c = eventful(name, widths, n_chains)
    found = transition(c, engine, forces, is_fused=True)
    assert_same(found, transition(c, engine, forces, is_fused=False))
    if n_chains > 1:
        assert 0.2 < found[1].is_accepted.double().mean() < 0.95


def test_number_of_threads_does_not_matter():
    c = eventful("tanh", (40, 30), 133)
    expected = transition(c, *ENGINES[0], is_fused=True)
    before = torch.get_num_threads()
    try:
        for n_threads in (2, 3):
            torch.set_num_threads(n_threads)
            assert_same(transition(c, *ENGINES[0], is_fused=True), expected)
    finally:
        torch.set_num_threads(before)


def test_strides_do_not_matter():
    c = eventful("sin", (20, 10), 9)
    expected = transition(c, *ENGINES[0], is_fused=True)
    c.x, c.beta = (t.transpose(0, 1).contiguous().transpose(0, 1) for t in (c.x, c.beta))
    assert not c.x.is_contiguous()
    assert_same(transition(c, *ENGINES[0], is_fused=True), expected)


def test_a_chain_depends_on_itself_alone():
    c = eventful("tanh", (31, 17), 70)
    whole = transition(c, *ENGINES[0], is_fused=True)
    part = slice(33, 50)
    streams = Streams.of(SEED, range(2), range(33, 50))
    found = transition(c.chains(part), *ENGINES[0], is_fused=True, streams=streams)
    assert torch.equal(found[0].x, whole[0].x[:, part])
    assert torch.equal(found[1].statistics, whole[1].statistics[:, part])


def test_non_finite_energies_are_noted_and_refused():
    c = case("linear", (8, 6), 5)
    c.networks.readout[0, 0] = float("nan")
    state, info = transition(c, *ENGINES[0], is_fused=True)
    assert info.is_nonfinite[0].all()
    assert not info.is_nonfinite[1].any()
    assert not info.is_accepted[0].any()
    assert torch.equal(state.x[0], c.x[0])


def arguments() -> dict:
    c = case("tanh", (7, 5, 6), 3)
    fused = c.fused(FLOAT_ENGINES[0])
    names = ["widths", "forward", "backward", "for_energy", "biases", "readout"]
    names += ["activation", "parameters", "forces", "engine"]
    return {
        "x": c.x,
        "energy": fused.energy(c.x),
        "grad": c.p.clone(),
        "fresh": c.x.clone(),
        "beta": c.beta,
        "step_size": c.step_size,
        "n_leapfrog": c.n_leapfrog,
        "reproject_every": 16,
        "jitter": 0.3,
        "seed": SEED,
        "purposes": [1, 2],
        "network": torch.arange(2),
        "chain": torch.arange(3),
        "step": STEP,
        **dict(zip(names, fused.arguments, strict=True)),
    }


def test_registered_properly():
    torch.library.opcheck(torch.ops.mlp_gibbs.hmc_mlp.default, tuple(arguments().values()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 3, 8)}, r"x must have shape \(2, C, 7\), found \[2, 3, 8\]"),
        ({"energy": torch.zeros(2, 3)}, "energy must be Double, found Float"),
        ({"grad": torch.zeros(2, 4, 7)}, r"grad must have shape \[2, 3, 7\], found \[2, 4, 7\]"),
        ({"fresh": torch.zeros(1, 3, 7)}, r"fresh must have shape \[2, 3, 7\], found \[1, 3, 7\]"),
        ({"n_leapfrog": torch.full((2, 3), -1)}, r"n_leapfrog must be in \[0, 2\^31\), found -1 at position 0"),
        ({"reproject_every": 0}, "reproject_every must be at least 1, found 0"),
        ({"purposes": [1]}, r"purposes must be those of the uniforms and of the momenta, found \[1\]"),
        ({"network": torch.arange(3)}, "network and chain must have 2 and 3 ids, found 3 and 3"),
        ({"chain": -torch.arange(3)}, r"chain must be in \[0, 2\^32\), found -1 at position 1"),
        ({"step": -1}, r"step must be in \[0, 2\^32\), found -1"),
        ({"engine": "abacus"}, "engine must be one that this processor runs .*, found 'abacus'"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        torch.ops.mlp_gibbs.hmc_mlp(**{**arguments(), **change})
