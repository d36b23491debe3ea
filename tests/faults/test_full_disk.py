"""ENOSPC, EIO and short writes at every system call that changes the disk: told in words, and nothing is lost."""

import errno
import os

import pytest

from tests.faults.harness import NAMES, Action
from tests.faults.test_kill_anywhere import chosen

FAULTS = {
    "disk full (ENOSPC) from": (Action.FULL, errno.ENOSPC),
    "input-output error (EIO) in": (Action.FAIL, errno.EIO),
    "short write in": (Action.SHORT, 0),
}
SHARE = {"run": 2, "phase": 4}  # in short one in so many of the calls that are no writes, which all come


@pytest.mark.parametrize("name", NAMES)
def test_every_refused_call(server, tally, full, name):
    whole = server.start(name, server.fresh(), wants_calls=True)
    for i, number in enumerate(chosen(whole.calls, full)):
        call = whole.calls[number]
        for j, (fault, (action, code)) in enumerate(FAULTS.items()):
            if action == Action.SHORT and call.kind != "write":
                continue
            if not (full or call.kind == "write" or (i + j) % SHARE[name] == 0):
                continue
            directory = server.fresh()
            done = server.start(name, directory, fault=(number, action, code))
            where = f"{fault} {call[:3]}: {done.err}"
            assert "Traceback" not in done.err, where
            if done.status == 0:
                result = server.commands[name].result(directory)
                assert result == server.wanted[name], where
                is_harmless = call.kind in ("unlink", "link", "mkdir") or "log.jsonl" in call.path
                assert action == Action.SHORT or is_harmless, where
            else:
                assert done.is_plain, where
                assert os.strerror(code) in done.err, where
                assert code != errno.ENOSPC or "The disk is full" in done.err, where
            is_same = server.resumes(name, directory)
            tally(f"{fault} a system call of {name}", "same bytes" if is_same else "WRONG")
            assert is_same, where


def test_swallowed_errors_are_caught(server, tally):
    """The twin that takes a refused write for done: it ends well and its results are not those wanted."""
    whole = server.start("run", server.fresh(), wants_calls=True)
    number = max(n for n, call in enumerate(whole.calls) if call.kind == "write" and "segment" in call.path)
    directory = server.fresh()
    done = server.start("run", directory, twin="swallows errors", fault=(number, Action.FAIL, errno.EIO))
    assert done.status == 0
    assert server.commands["run"].result(directory) != server.wanted["run"]
    assert not server.resumes("run", directory)
    tally("twin that swallows errors", "caught")
