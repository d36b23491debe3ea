"""SIGKILL at any moment and at every system call: the same command goes on and ends with the same bytes."""

import random
import signal

import pytest

from tests.faults.harness import NAMES, Action

SEED = 20261122
N_KILLS = {"run": (28, 320), "phase": (12, 180)}  # in short, in full
SHARE = {"run": 1, "phase": 3}  # in short, of the system calls; the rest of a phase command is its figure
OFTEN = {"run": ("--set", "run.checkpoint_every_s=0.01")}


@pytest.mark.parametrize("name", NAMES)
def test_at_random_moments(server, tally, full, name):
    """Killed again and again, then left alone: up to four attempts of a run are cut before one may end."""
    rng, n_killed, n_wanted = random.Random(f"{SEED} {name}"), 0, N_KILLS[name][full]
    command = server.commands[name]
    while n_killed < n_wanted:
        directory, n_here = server.fresh(), 0
        for _ in range(rng.randint(1, 4)):
            done = server.ask(
                *command.arguments,
                *("--out", str(directory)),
                *OFTEN.get(name, ()),
                kill_after=rng.uniform(0, server.seconds[name]),
            )
            assert done.status in (0, -signal.SIGKILL), done.err
            assert "Traceback" not in done.err
            n_here += done.status != 0
        is_same = server.resumes(name, directory)
        for _ in range(n_here):
            tally(f"SIGKILL of {name} at a random moment", "same bytes" if is_same else "WRONG")
        assert is_same, f"{n_killed} to {n_killed + n_here} kills"
        n_killed += n_here


def chosen(calls, full):
    """Numbers of the calls to disturb: all of them, or the last one of every kind."""
    return list(range(len(calls))) if full else sorted({call.site: n for n, call in enumerate(calls)}.values())


@pytest.mark.parametrize("name", NAMES)
def test_in_every_system_call(server, tally, full, name):
    """In the middle of a write, between a rename and the fsync of its directory, anywhere: checkpoints, segments,
    items, the merged diagram, the lock."""
    whole = server.start(name, server.fresh(), wants_calls=True)
    assert whole.status == 0, whole.err
    kinds = {call.kind for call in whole.calls}
    assert kinds >= {"open", "write", "fsync", "rename", "link", "unlink", "mkdir"}
    for number in chosen(whole.calls, full)[:: 1 if full else SHARE[name]]:
        for action in (Action.KILL_BEFORE, Action.KILL_AMID) if full else (Action.KILL_AMID,):
            directory = server.fresh()
            done = server.start(name, directory, fault=(number, action, 0))
            assert done.status == -signal.SIGKILL, done.err
            is_same = server.resumes(name, directory)
            tally(f"SIGKILL of {name} in a system call", "same bytes" if is_same else "WRONG")
            assert is_same, f"{action.name} {whole.calls[number][:3]}"


@pytest.mark.parametrize("name", NAMES)
def test_files_written_in_place_are_caught(server, tally, name):
    """The twin without rename: a kill in the write of the description leaves half of it, and nothing goes on."""
    twin = server.start(name, server.fresh(), twin="no rename", wants_calls=True)
    writes = [n for n, call in enumerate(twin.calls) if call.kind == "write" and call.path.endswith(".json")]
    directory = server.fresh()
    done = server.start(name, directory, twin="no rename", fault=(writes[0], Action.KILL_AMID, 0))
    assert done.status == -signal.SIGKILL
    after = server.start(name, directory)
    assert after.is_plain
    assert "is damaged" in after.err
    tally("twin that writes in place, killed", "caught")
