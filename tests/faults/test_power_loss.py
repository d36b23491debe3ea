"""The power fails at any moment: what was not synced is old, new, half or zeros, and the same command goes on."""

import random

import pytest

from tests.faults.harness import NAMES
from tests.faults.power import lay_out, state_after

SEED = 5
N_STATES = {"run": (40, 600), "phase": (8, 120)}  # in short, in full


def states(server, name, calls, n):
    """Directories that n power losses at moments drawn at random would leave."""
    rng = random.Random(f"{SEED} {name}")
    for _ in range(n):
        directory, number = server.fresh(), rng.randint(1, len(calls))
        lay_out(state_after(calls[:number]), server.workplace, rng)
        yield directory, calls[number - 1]


@pytest.mark.parametrize("name", NAMES)
def test_any_state_resumes(server, tally, full, name):
    whole = server.start(name, server.fresh(), wants_calls=True)
    for directory, last in states(server, name, whole.calls, N_STATES[name][full]):
        is_same = server.resumes(name, directory)
        tally(f"power loss during {name}", "same bytes" if is_same else "WRONG")
        assert is_same, f"after {last[:3]}: {sorted(map(str, directory.rglob('*')))}"


@pytest.mark.parametrize("twin", ["no fsync", "no directory fsync"])
def test_a_layer_that_does_not_sync_is_caught(server, tally, twin):
    """The same states of the same model: one of them at least cannot be continued."""
    whole = server.start("run", server.fresh(), twin=twin, wants_calls=True)
    assert whole.status == 0
    assert all(server.resumes("run", directory) for directory, _ in states(server, "run", whole.calls, 40)) is False
    tally(f"twin with {twin}, power loss", "caught")


def test_the_model_of_the_disk(tmp_path):
    """Its last state, with everything synced, is what lies on the real disk."""
    from mcmc.io.atomic import make_directory, write_bytes_atomically
    from tests.faults.harness import Call

    calls = [
        Call("mkdir", "d", ""),
        Call("fsync", ".", ""),
        Call("open", "d/a.part", "new"),
        Call("write", "d/a.part", "0\t3", b"one"),
        Call("fsync", "d/a.part", ""),
        Call("rename", "d/a.part", "d/a"),
        Call("fsync", "d", ""),
    ]
    make_directory(tmp_path / "real" / "d")
    write_bytes_atomically(tmp_path / "real" / "d" / "a", b"one")
    for seed in range(10):
        (tmp_path / str(seed)).mkdir()
        lay_out(state_after(calls), tmp_path / str(seed), random.Random(seed))
        assert (tmp_path / str(seed) / "d" / "a").read_bytes() == (tmp_path / "real" / "d" / "a").read_bytes()
    found = set()
    for seed in range(50):
        path = tmp_path / f"x{seed}"
        path.mkdir()
        lay_out(state_after(calls[:-3]), path, random.Random(seed))
        found.add(tuple((p.name, p.read_bytes()) for p in path.rglob("*.part")))
    assert found == {(), (("a.part", b""),), (("a.part", b"o"),), (("a.part", b"\0\0\0"),), (("a.part", b"one"),)}
