"""Counting and exchange in one operator: the same bits as its parts."""

from dataclasses import replace

import pytest
import torch

from mcmc import native
from mcmc.exchange import ops
from mcmc.exchange.state import initial_exchange_state
from mcmc.rng import Purpose, Streams

pytestmark = pytest.mark.skipif(native.BACKEND == "reference", reason="no extension")


def sweeps(shape: tuple[int, int, int], *, exchanges: bool = True, n_sweeps: int = 12):
    """The last statistics in order, all counters and sums after some sweeps; energies differ enough for refusals."""
    d, k, r = shape
    g = torch.Generator().manual_seed(1)
    state, sums = initial_exchange_state(d, k, r), torch.zeros((4, d, k, r), dtype=torch.float64)
    beta = torch.linspace(0.1, 2.0, k, dtype=torch.float64)
    streams = Streams.of(3, range(5, 5 + d), range(r))
    for number in range(n_sweeps):
        energy = 3 * torch.randn((d, k, r), generator=g, dtype=torch.float64)
        statistics = torch.randn((d, k * r, 4), generator=g, dtype=torch.float64)
        parity = number % 2 if exchanges else None
        in_order = ops.count_and_swap(statistics, energy, beta, state, streams, number, parity, sums)
    tensors = {name: value for name, value in vars(state).items() if isinstance(value, torch.Tensor)}
    return tensors | {"sums": sums, "in_order": in_order}


@pytest.mark.parametrize("shape", [(3, 4, 2), (2, 5, 3), (1, 1, 4), (70, 33, 2)], ids=str)
@pytest.mark.parametrize("exchanges", [True, False])
def test_the_operator_is_its_parts(shape, exchanges, monkeypatch):
    found = sweeps(shape, exchanges=exchanges)
    monkeypatch.setattr(ops, "_is_counted_in_one_call", lambda energy: False)
    expected = sweeps(shape, exchanges=exchanges)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    if shape[1] > 1:
        assert bool(found["swap_count"].any()) == exchanges


def test_statistics_belong_to_the_temperature_of_before_the_exchange():
    """A fault that this sees: counting after the swap."""
    d, k, r = 1, 2, 1
    state, sums = initial_exchange_state(d, k, r), torch.zeros((4, d, k, r), dtype=torch.float64)
    beta = torch.tensor([0.1, 5.0], dtype=torch.float64)
    energy = torch.tensor([-50.0, 50.0], dtype=torch.float64).view(d, k, r)
    statistics = torch.arange(8.0, dtype=torch.float64).view(d, k * r, 4)
    streams = Streams.of(3, range(d), range(r))
    in_order = ops.count_and_swap(statistics, energy, beta, state, streams, 0, 0, sums)
    assert state.slot_of_temp.flatten().tolist() == [1, 0]
    assert in_order[0].flatten().tolist() == [0.0, 4.0]
    ops.count_and_swap(statistics, energy, beta, state, streams, 1, None, sums)
    assert sums[0].flatten().tolist() == [4.0, 4.0]


def test_threads_do_not_matter():
    expected, before = sweeps((300, 20, 2), n_sweeps=3), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        found = sweeps((300, 20, 2), n_sweeps=3)
    finally:
        torch.set_num_threads(before)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def arguments() -> dict:
    d, k, r = 2, 3, 2
    state = initial_exchange_state(d, k, r)
    return {
        "statistics": torch.zeros((d, k * r, 4), dtype=torch.float64),
        "energy": torch.zeros((d, k, r), dtype=torch.float64),
        "beta": torch.arange(3.0, dtype=torch.float64),
        "seed": 1,
        "purpose": int(Purpose.SWAP),
        "network": torch.arange(d),
        "replica": torch.arange(r),
        "step": 0,
        "parity": 0,
        **{name: t for name, t in vars(replace(state)).items() if isinstance(t, torch.Tensor)},
        "sums": torch.zeros((4, d, k, r), dtype=torch.float64),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parity": 2}, "parity must be 0, 1 or -1 for no exchange, found 2"),
        ({"statistics": torch.zeros(2, 6, 3).double()}, r"statistics must have shape \[2, 6, 4\], found \[2, 6, 3\]"),
        ({"sums": torch.zeros(4, 2, 3, 1).double()}, r"sums must have shape \[4, 2, 3, 2\]"),
        ({"network": torch.arange(3)}, r"network must have shape \[2\], found \[3\]"),
        ({"replica": torch.arange(1)}, r"replica must have shape \[2\], found \[1\]"),
        ({"slot_of_temp": torch.full((2, 3, 2), 7)}, "slot_of_temp must hold permutations"),
        ({"step": -1}, r"step must be in \[0, 2\^32\), found -1"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        torch.ops.mlp_gibbs.count_and_swap_(**{**arguments(), **change})


def test_registered_properly():
    given = arguments()
    order = ["slot_of_temp", "temp_of_slot", "accept_sum", "swap_count", "direction", "round_trips", "sums"]
    values = [given[n] for n in given if n not in order] + [given[n] for n in order]
    torch.library.opcheck(torch.ops.mlp_gibbs.count_and_swap_.default, tuple(values))
