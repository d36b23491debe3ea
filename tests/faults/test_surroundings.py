"""Surroundings of a command: no terminal, a narrow one, no home, a full temporary folder, odd names, jumping clocks."""

import errno
import fcntl
import json
import os
import pty
import random
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from tests.faults.harness import RUN_TOML, Action
from tests.support.runs import ROOT, contents, finished, small_config

MAIN = "from mcmc.cli import main; main()"


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(RUN_TOML)
    return path


def environment(**changes):
    base = {**os.environ, "OMP_NUM_THREADS": "1"}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def test_no_standard_streams(server, toml, tmp_path):
    """As some batch systems start a job: what is printed must not end in a results file that got the number 1."""
    closing = ("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    process = subprocess.Popen(
        [*closing, sys.executable, "-c", MAIN, "run", str(toml), "--out", str(tmp_path / "d")],
        cwd=ROOT,
        env=environment(),
    )
    assert process.wait(timeout=120) == 0
    assert contents(tmp_path / "d") == server.wanted["run"]


def test_terminal_of_40_columns(server, toml, tmp_path):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "run", str(toml), "--out", "d"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT), COLUMNS=None),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = bytearray()

    def read():
        while True:
            try:
                shown.extend(os.read(master, 4096))
            except OSError:
                return

    reader = threading.Thread(target=read)
    reader.start()
    assert process.wait(timeout=120) == 0, shown.decode()
    reader.join(timeout=10)
    os.close(master)
    parts = shown.decode().replace("\r", "\n").split("\n")
    bars = [part for part in parts if "sweep/s" in part or "| " in part]
    assert bars
    assert max(len(bar.rstrip()) for bar in bars) <= 40
    assert contents(tmp_path / "d") == server.wanted["run"]


@pytest.mark.parametrize("name", ["--help", "run --help", "fsck --help", "theory --help"])
def test_help_in_40_columns(server, name):
    server.fresh()
    answer = server.ask(*name.split(), environment={"COLUMNS": "40"})
    assert answer.status == 0
    assert "Traceback" not in answer.err


def test_no_home_and_a_full_temporary_folder(server, tmp_path):
    """matplotlib wants both when it is imported; a figure is drawn all the same."""
    directory = server.fresh()
    assert server.start("run", directory).status == 0
    full = tmp_path / "full"
    full.mkdir()
    shim = Path(server.workplace.parent / "shim.so")
    arm = (
        "import ctypes; arm = ctypes.CDLL(None).fault_arm; "
        "arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]; "
        f"arm({os.fsencode(full)!r}, 0, {int(Action.FULL)}, {errno.ENOSPC}, b''); "
    )
    done = subprocess.run(
        [sys.executable, "-c", arm + MAIN, "plot", str(directory)],
        cwd=ROOT,
        env=environment(HOME=None, XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None, TMPDIR=str(full), LD_PRELOAD=str(shim)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert list(directory.rglob("*.png"))


def test_names_that_are_no_text(server):
    """Names of files are bytes: a folder that was named in another encoding works, in words and in JSON."""
    directory = server.workplace / os.fsdecode(b"caf\xe9 \xff")
    server.fresh()
    done = server.start("run", directory)
    assert done.status == 0, done.err
    assert contents(directory) == server.wanted["run"]
    for name in ("status", "fsck", "compare"):
        for options in ((), ("--json",)):
            answer = server.ask(name, os.fspath(directory), *options)
            assert answer.status == 0, answer.err
            if options:
                json.loads(answer.out)


@pytest.mark.parametrize("name", ["run", "phase"])
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EDQUOT], ids=errno.errorcode.get)
def test_output_that_cannot_be_written(server, name, code):
    started = time.monotonic()
    answer = server.start(name, server.fresh(), fault=(0, Action.FULL, code))
    assert answer.is_plain
    assert os.strerror(code) in answer.err
    assert len(answer.err.splitlines()) == 1
    assert time.monotonic() - started < 5


def test_clock_that_jumps(tmp_path, monkeypatch):
    """Hours back and forth between two sweeps: nothing but dates depends on it."""
    wanted = finished(small_config(), tmp_path / "whole")
    rng, true = random.Random(1), time.time
    monkeypatch.setattr(time, "time", lambda: true() + rng.uniform(-1e5, 1e5))
    assert finished(small_config(run={"checkpoint_every_s": 0.02}), tmp_path / "run") == wanted


def test_readers_while_a_run_writes(server):
    """status, compare, plot, estimate and fsck again and again beside a run with segments coming: never a wrong word.

    Before the first results file they say that there is none yet; nothing else may go wrong, and the writer is not
    disturbed.
    """
    directory = server.fresh()
    changes = ("run.n_sweeps=4000", "run.seed=5", "output.segment_sweeps=40")
    arguments = [*server.commands["run"].arguments, *(word for change in changes for word in ("--set", change))]
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            MAIN,
            *arguments,
            "--out",
            str(directory),
            "--json",
        ],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    n_read = dict.fromkeys(("status", "compare", "plot", "fsck"), 0)
    deadline = time.monotonic() + 60
    try:
        while not directory.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        while (writer.poll() is None and min(n_read.values()) < 5) and time.monotonic() < deadline:
            for name in n_read:
                answer = server.ask(name, str(directory))
                is_early = "no complete results file yet" in answer.err or "not a run directory" in answer.err
                is_early = is_early or "holds no run" in answer.err
                assert answer.status == 0 or is_early, answer.err + answer.out
                assert "Traceback" not in answer.err
                assert "damaged" not in answer.err + answer.out
                n_read[name] += answer.status == 0 and writer.poll() is None
    finally:
        writer.kill()
        writer.wait()
    assert min(n_read.values()) >= 1, n_read
    assert server.ask("fsck", str(directory)).status == 0


def test_second_run_is_refused_while_the_first_lives(server):
    """With the number and the host of the first, whose results are what they would have been alone."""
    directory = server.fresh()
    arguments = [*server.commands["run"].arguments, "--set", "run.n_sweeps=100000", "--out", str(directory)]
    first = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments, "--json"], cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (directory / "lock").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        second = server.ask(*arguments)
        assert second.is_plain
        assert f"is being written by process {first.pid} on " in second.err
    finally:
        first.terminate()
    assert first.wait(timeout=60) == 75
