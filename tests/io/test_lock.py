"""One writer at a time: of the living, the dead, the suspended and the far away, also when many come at once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from mcmc.errors import RunDirectoryError, StorageError
from mcmc.io import lock as module
from mcmc.io.lock import Lock, holder_of, is_lock_file, locked
from tests.support.runs import ROOT


def held_by(directory):
    return json.loads((directory / "lock").read_text())


def write_lock(directory, **holder):
    (directory / "lock").write_text(json.dumps(holder))


def test_names_its_holder_and_goes_away(tmp_path):
    with locked(tmp_path):
        assert (held_by(tmp_path)["pid"], held_by(tmp_path)["host"]) == (os.getpid(), socket.gethostname())
        assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]
        assert holder_of(tmp_path) == (held_by(tmp_path), False)
    assert not any(tmp_path.iterdir())


def test_goes_away_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert not any(tmp_path.iterdir())


def test_not_twice_in_one_process(tmp_path):
    with locked(tmp_path), pytest.raises(RunDirectoryError, match=f"process {os.getpid()}"), locked(tmp_path):
        pass


@pytest.fixture
def other_process():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n", timeout=10)


@pytest.fixture
def dead_pid():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    return dead.pid


def test_living_process_is_respected(tmp_path, other_process):
    write_lock(tmp_path, pid=other_process.pid, host=socket.gethostname())
    words = f"process {other_process.pid} on {socket.gethostname()}"
    with pytest.raises(RunDirectoryError, match=words) as caught, locked(tmp_path):
        pass
    assert caught.value.pid == other_process.pid
    assert str(tmp_path / "lock") in str(caught.value)
    assert held_by(tmp_path)["pid"] == other_process.pid


def test_other_host_without_a_heartbeat_is_respected(tmp_path):
    """As earlier versions wrote it: nothing tells whether it lives."""
    write_lock(tmp_path, pid=1, host="somewhere-else")
    with pytest.raises(RunDirectoryError, match="process 1 on somewhere-else"), locked(tmp_path):
        pass


def test_dead_process_is_replaced(tmp_path, dead_pid):
    write_lock(tmp_path, pid=dead_pid, host=socket.gethostname())
    assert holder_of(tmp_path)[1]
    with locked(tmp_path):
        assert held_by(tmp_path)["pid"] == os.getpid()
    assert not any(tmp_path.iterdir())


def test_number_that_went_to_another_process(tmp_path, other_process):
    """Numbers of processes come again; their start does not."""
    holder = {**Lock(tmp_path).holder, "pid": other_process.pid}
    write_lock(tmp_path, **{**holder, "started": 1})
    with locked(tmp_path):
        pass
    write_lock(tmp_path, **{**holder, "started": module._state_and_start(other_process.pid)[1]})
    with pytest.raises(RunDirectoryError, match=f"process {other_process.pid}"), locked(tmp_path):
        pass


def test_dead_process_that_nobody_has_waited_for(tmp_path):
    """As in a batch system whose parent process is slow to collect its children."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    while module._state_and_start(process.pid)[0] != "Z":
        time.sleep(0.01)
    write_lock(tmp_path, pid=process.pid, host=socket.gethostname())
    with locked(tmp_path):
        pass
    process.wait()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 3}', "\0" * 60], ids=range(5))
def test_lock_that_names_nobody_is_replaced(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    with locked(tmp_path):
        assert held_by(tmp_path)["pid"] == os.getpid()


def test_full_disk(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    with pytest.raises(StorageError, match="disk is full"), locked(tmp_path):
        pass
    assert not any(tmp_path.iterdir())


def test_file_system_without_links(tmp_path, monkeypatch, dead_pid):
    def refuse(*arguments):
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "link", refuse)
    for _ in range(2):
        with locked(tmp_path), pytest.raises(RunDirectoryError), locked(tmp_path):
            pass
        write_lock(tmp_path, pid=dead_pid, host=socket.gethostname())
    with locked(tmp_path):
        pass
    assert not any(tmp_path.iterdir())


# --- other machines: heartbeats


@pytest.fixture
def fast(monkeypatch):
    """Heartbeats every 0.05 s; silent after 0.4 s and as long again while watched."""
    for name, value in {"HEARTBEAT_S": 0.05, "SILENT_S": 0.4, "WATCH_S": 0.4}.items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def far(tmp_path, fast, monkeypatch):
    """A lock taken on another machine, by a process that lives."""
    with monkeypatch.context() as patched:
        patched.setattr(socket, "gethostname", lambda: "far-away")
        lock = Lock(tmp_path)
    lock.acquire()
    yield lock
    lock.release()


def test_far_process_with_a_heartbeat_is_respected(tmp_path, far):
    time.sleep(0.6)
    with pytest.raises(RunDirectoryError, match="on far-away"), locked(tmp_path):
        pass
    far.verify()


def test_far_process_without_a_heartbeat_is_replaced_and_told(tmp_path, far, capsys):
    """It may only have been suspended: then it must not write when it wakes up, nor remove the lock of the other."""
    far._ended.set()
    time.sleep(0.5)
    with locked(tmp_path) as lock:
        assert "on far-away was last renewed" in capsys.readouterr().err
        with pytest.raises(RunDirectoryError, match=rf"no longer ours: process {os.getpid()} on .* has taken it over"):
            far.verify()
        far.release()
        lock.verify()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_clock_that_jumps_kills_nobody(tmp_path, far, jump):
    """An old or future time of the file is only a reason to watch; the next heartbeat shows life."""
    module.HEARTBEAT_S = 0.2
    time.sleep(0.1)
    os.utime(tmp_path / "lock", (time.time() + jump,) * 2)
    with pytest.raises(RunDirectoryError, match="on far-away"), locked(tmp_path):
        pass
    far.verify()


def test_lock_that_somebody_removed(tmp_path):
    with locked(tmp_path) as lock:
        (tmp_path / "lock").unlink()
        with pytest.raises(RunDirectoryError, match="its lock is gone"):
            lock.verify()


# --- many at once

CROWD = """
import os, random, signal, sys, time
from pathlib import Path
from mcmc.errors import RunDirectoryError
from mcmc.io import lock as module

directory, n, twin = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
true_lives = module._lives

def slow_lives(holder):  # widens the gap between looking and acting
    found = true_lives(holder)
    time.sleep(random.uniform(0, 0.004))
    return found

def remove_and_try_again(self, name, found, mine):
    name.unlink(missing_ok=True)
    return False

def without_second_look(self, name, found, mine):
    fresh = mine.with_name(mine.name + "-fresh")
    fresh.write_bytes(self._content)
    os.replace(fresh, name)
    return True

module._lives = slow_lives
if twin != "none":
    module.Lock._replace = {"removes": remove_and_try_again, "replaces": without_second_look}[twin]

def one():
    random.seed(os.getpid())
    lock = module.Lock(directory)
    while True:
        try:
            lock.acquire()
            break
        except RunDirectoryError:
            time.sleep(random.uniform(0, 0.004))
    try:
        os.close(os.open(directory / "inside", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        os._exit(3)
    with open(directory / "visitors", "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(0.003)
    os.unlink(directory / "inside")
    os.kill(os.getpid(), signal.SIGKILL)  # holding the lock

children = []
for _ in range(n):
    child = os.fork()
    if child == 0:
        try:
            one()
        finally:
            os._exit(4)
    children.append(child)
ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(sum(end == -signal.SIGKILL for end in ends), sum(end != -signal.SIGKILL for end in ends))
"""


def crowd(directory, twin):
    """(processes that held the lock alone and died of SIGKILL with it, others)"""
    done = subprocess.run(
        [sys.executable, "-c", CROWD, str(directory), "30", twin],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return tuple(map(int, done.stdout.split()))


def test_many_take_over_dead_locks_one_at_a_time(tmp_path):
    """Thirty processes, each killed while it holds the lock: every one of them must come in, and alone."""
    assert crowd(tmp_path, "none") == (30, 0)
    assert len((tmp_path / "visitors").read_text().split()) == 30
    with locked(tmp_path):
        pass
    assert [entry.name for entry in tmp_path.iterdir() if is_lock_file(entry)] == []


@pytest.mark.parametrize("twin", ["removes", "replaces"])
def test_broken_twins_are_caught(tmp_path, twin):
    """Removing the dead lock and trying again, as an earlier version did; and replacing it without a guard."""
    held, others = crowd(tmp_path, twin)
    assert others > 0
    assert held < 30


def test_killed_in_every_step_of_a_takeover(tmp_path, dead_pid):
    """Whatever it leaves, the next process gets the lock."""
    steps = ["link", "replace", "unlink"]
    code = (
        "import os, signal, sys; from pathlib import Path; from mcmc.io.lock import locked\n"
        "name, n, seen = sys.argv[2], int(sys.argv[3]), []\n"
        "true = getattr(os, name)\n"
        "def step(*a, **k):\n"
        "    seen.append(a)\n"
        "    if len(seen) == n: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return true(*a, **k)\n"
        "setattr(os, name, step)\n"
        "with locked(Path(sys.argv[1])): pass\n"
    )
    n_killed = 0
    for step in steps:
        for n in (1, 2, 3):
            write_lock(tmp_path, pid=dead_pid, host=socket.gethostname())
            done = subprocess.run([sys.executable, "-c", code, str(tmp_path), step, str(n)], cwd=ROOT, timeout=30)
            n_killed += done.returncode == -signal.SIGKILL
            with locked(tmp_path) as lock:
                lock.verify()
    assert n_killed >= 5
