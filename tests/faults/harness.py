"""Commands that are killed, starved or refused at a chosen system call, and what they leave on the disk."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from mcmc.io.arrays import read_arrays
from tests.support.runs import ROOT, contents

RUN_TOML = """
[model]
activation = "tanh"
n_inputs = 4
n_networks = 2
[sampler]
n_leapfrog = 2
[tempering]
n_temperatures = 3
beta_max = 2.0
[run]
n_burn_in = 8
n_sweeps = 6
seed = 3
device = "cpu"
checkpoint_every_s = 3600
[output]
segment_sweeps = 2
n_bins = 8
"""


class Action(IntEnum):
    """What the shim does to a system call; the numbers are those of shim.c."""

    NOTHING = 0
    KILL_BEFORE = 1
    KILL_AMID = 2
    FAIL = 3
    SHORT = 4
    FULL = 5


class Call(NamedTuple):
    """A system call that changes the disk.

    Attributes:
        kind:  open, write, fsync, rename, link, unlink, mkdir, truncate.
        path:  relative to the workplace.
        rest:  second path of a rename or link; "new" or "cut" of an open; offset and length of a write.
        data:  of a write.
    """

    kind: str
    path: str
    rest: str
    data: bytes = b""

    @property
    def site(self) -> str:
        """The same for calls that differ by numbers or random names alone."""
        name = re.sub(r"(mine|after)-[0-9a-f]+", r"\1", self.path)
        return f"{self.kind} {re.sub(r'[0-9]+', '#', name)} {'' if self.kind == 'write' else self.rest[:3]}"


@dataclass(frozen=True)
class Command:
    """A command under test.

    Attributes:
        name:      for people.
        arguments: of `mlp-gibbs`, without --out.
        result:    what must not depend on how often it was killed: names and bytes.
    """

    name: str
    arguments: tuple[str, ...]
    result: Callable[[Path], dict[str, bytes]]


def diagram_numbers(path: Path) -> dict[str, bytes]:
    """The bytes of everything in diagram.h5 but the times."""
    arrays, _ = read_arrays(path / "diagram.h5")
    return {name: array.tobytes() for name, array in arrays.items() if name != "points/seconds"}


def commands(folder: Path) -> list[Command]:
    """Everything that is killed: add a line for a command that leaves a directory and resumes."""
    toml = folder / "small.toml"
    toml.write_text(RUN_TOML)
    scan = ("--width-ratio", "inf", "--scan", "sigma_w=1.5,2.5", "--scan", "beta=1,2", "--workers", "1")
    return [
        Command("run", ("run", str(toml)), contents),
        Command("phase", ("phase", *scan), diagram_numbers),
    ]


NAMES = ("run", "phase")


@dataclass
class Answer:
    """How a command ended."""

    status: int
    out: str
    err: str
    seconds: float
    calls: list[Call] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """It ended with an error that a person can read: no traceback, one screen."""
        return self.status != 0 and "Traceback" not in self.err and "mlp-gibbs: " in self.err and len(self.err) < 4000


def fingerprint(directory: Path) -> str:
    """Digest of all names and bytes but those that say when and by whom."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if name == "log.jsonl" or name.startswith("lock"):
            continue
        data = path.read_bytes() if path.is_file() else b"/"
        if name.startswith("run.json"):
            data = re.sub(rb'"created": "[^"]*"', b"", data)
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


class Server:
    """The forking process, and a workplace where directories come and go.

    Attributes:
        workplace: a folder for the directories under test; only calls below it count.
        wanted:    by name of a command, the bytes that it leaves when nothing disturbs it.
        seconds:   by name, how long that takes.
    """

    def __init__(self, folder: Path):
        shim = folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-O1", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
        self.commands = {command.name: command for command in commands(folder)}
        self.workplace, self._log = folder / "workplace", folder / "calls"
        self.workplace.mkdir()
        self._tried: dict[str, bool] = {}
        environment = {**os.environ, "LD_PRELOAD": str(shim), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with open(folder / "server.err", "w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.server", str(folder)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        warm = [[*c.arguments, "--out", str(folder / f"whole-{c.name}"), "--json"] for c in self.commands.values()]
        assert self._ask(warm) == "ready"
        self.wanted = {c.name: c.result(folder / f"whole-{c.name}") for c in self.commands.values()}
        self.seconds = {c.name: self.start(c.name, self.fresh()).seconds for c in self.commands.values()}

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def fresh(self) -> Path:
        """An empty workplace, and the name of a directory in it."""
        shutil.rmtree(self.workplace)
        self.workplace.mkdir()
        return self.workplace / "d"

    def start(self, name: str, directory: Path, *, wants_calls: bool = False, **how: Any) -> Answer:
        """Run a command on a directory.

        Args:
            how: `kill_after` (s); `fault` = (number of the call, action, errno); `twin`; `environment`; `cwd`.
        """
        return self.ask(*self.commands[name].arguments, "--out", os.fsdecode(directory), wants_calls=wants_calls, **how)

    def ask(self, *arguments: str, wants_calls: bool = False, **how: Any) -> Answer:
        """Any command of `mlp-gibbs`, as `start`."""
        if how.get("fault"):
            how["fault"] = dict(zip(("at", "action", "errno"), how["fault"], strict=True))
        log = str(self._log) if wants_calls else ""
        answer = Answer(**self._ask({"arguments": arguments, "prefix": str(self.workplace), "log": log, **how}))
        if wants_calls:
            answer.calls = self._read_log()
        return answer

    def resumes(self, name: str, directory: Path) -> bool:
        """The same command, undisturbed, ends with the bytes of a run that was never disturbed.

        A state of the directory that was tried before is not tried again.
        """
        state = fingerprint(directory)
        if state not in self._tried:
            done = self.start(name, directory)
            self._tried[state] = done.status == 0 and self.commands[name].result(directory) == self.wanted[name]
        return self._tried[state]

    def _ask(self, request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def _read_log(self) -> list[Call]:
        text, calls, place = self._log.read_bytes(), [], 0
        while place < len(text):
            end = text.index(b"\n", place)
            kind, path, rest = text[place:end].decode().split("\t", 2)
            place, data = end + 1, b""
            if kind == "write":
                length = int(rest.split("\t")[1])
                data, place = text[place : place + length], place + length
            parts = [os.path.relpath(p, self.workplace) if p.startswith("/") else p for p in (path, rest)]
            calls.append(Call(kind, *parts, data))
        return calls
