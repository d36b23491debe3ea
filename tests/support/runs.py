"""Small whole runs, what they leave on disk, and a command that is stopped by a real signal at a chosen place."""

import copy
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mcmc.config import RunConfig, parse_config
from mcmc.io.directory import BURN_IN_FILE, RunDirectory
from mcmc.run.driver import run
from mcmc.run.simulation import Simulation
from mcmc.run.stretch import NO_DRAWS, Stretch

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = str(Path(sys.executable).parent / "mlp-gibbs")  # of this environment, whatever PATH says
SMALL: dict[str, dict[str, Any]] = {
    "model": {"activation": "tanh", "n_inputs": 8, "n_networks": 3, "sigma_w": 1.5},
    "sampler": {"n_leapfrog": 3},
    "tempering": {"beta_max": 3.0, "n_temperatures": 4},
    "run": {"n_burn_in": 90, "n_sweeps": 48, "measure_every": 2, "seed": 11, "device": "cpu"},
    "output": {"segment_sweeps": 16},
}


def small_data(**sections: dict[str, Any]) -> dict[str, Any]:
    """SMALL with some keys changed."""
    data = copy.deepcopy(SMALL)
    for name, values in sections.items():
        data.setdefault(name, {}).update(values)
    return data


def small_config(**sections: dict[str, Any]) -> RunConfig:
    return parse_config(small_data(**sections))


def as_toml(data: dict[str, Any]) -> str:
    """The few kinds of values that run configurations hold."""

    def value(v: Any) -> str:
        return str(v).lower() if isinstance(v, bool) else repr(v).replace("'", '"')

    sections = [f"[{name}]\n" + "".join(f"{k} = {value(v)}\n" for k, v in s.items()) for name, s in data.items()]
    return "\n".join(sections)


def contents(path: Path) -> dict[str, bytes]:
    """The bytes that must not depend on how often a run was interrupted."""
    directory = RunDirectory(path)
    files = [*directory.segment_paths(), path / BURN_IN_FILE]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def finished(config: RunConfig, path: Path) -> dict[str, bytes]:
    """Run, or go on, until complete; what it left."""
    outcome = run(config, path, is_quiet=True)
    assert outcome.is_complete
    return contents(path)


def command(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """`mlp-gibbs ARGUMENTS` in a process of its own."""
    code = "from mcmc.cli import main; main()"
    return _python("-c", code, *arguments, timeout=timeout)


def interrupted_command(name: str, place: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mlp-gibbs ARGUMENTS`, which sends itself the signal of that name at a place.

    Args:
        place: sweep:N after N sweeps; segment:I after results file I, before its checkpoint; manifest:N between the
            data and the manifest of the N-th checkpoint; mkdir:0 before run.json is written.
    """
    return _python("-m", "tests.support.runs", name, place, *arguments)


def _python(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout
    )


def stopping_at(places: Iterable[int], act: Callable[[int], None]) -> Callable[..., Stretch]:
    """A `Simulation.advance_by` whose calls end where so many sweeps are done, and which acts there."""
    advance_by, wanted = Simulation.advance_by, sorted(places)

    def stopping(self, n_sweeps, draws=NO_DRAWS):
        ahead = [place - self.sweep for place in wanted if place > self.sweep]
        stretch = advance_by(self, min([n_sweeps, *ahead]), draws)
        if self.sweep in wanted:
            act(self.sweep)
        return stretch

    return stopping


def _send_at(name: str, place: str) -> None:
    from mcmc.io import checkpoint
    from mcmc.run.production import Production

    kind, number = place.split(":")

    def send() -> None:
        os.kill(os.getpid(), getattr(signal, name))

    if kind == "sweep":
        Simulation.advance_by = stopping_at([int(number)], lambda sweep: send())
    elif kind == "segment":
        write = Production.write_segment

        def write_and_send(self, directory):
            write(self, directory)
            if directory.segment(int(number)).exists():
                send()

        Production.write_segment = write_and_send
    elif kind == "manifest":
        write_bytes, seen = checkpoint.write_bytes_atomically, []

        def send_before_manifest(path, data):
            if path.name == checkpoint.MANIFEST:
                seen.append(path)
                if len(seen) == int(number):
                    send()
            write_bytes(path, data)

        checkpoint.write_bytes_atomically = send_before_manifest
    elif kind == "mkdir":
        RunDirectory.write_json = lambda *arguments: send()
    else:
        raise ValueError(f"no such place: {place}")


if __name__ == "__main__":
    _, name, place, *arguments = sys.argv
    _send_at(name, place)
    sys.argv = ["mlp-gibbs", *arguments]
    from mcmc.cli import main

    main()
