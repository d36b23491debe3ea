"""Damages files of runs and diagrams, and reads them with every command that reads: the same numbers, or words.

Run as a process: `python -m tests.fuzz.read_files FOLDER SEED FIRST LAST PROGRESS TWIN`. Each case is written to
PROGRESS before it is tried, so that what kills the process is known.
"""

import contextlib
import io
import json
import random
import resource
import shutil
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mcmc.errors import MlpGibbsError
from tests.fuzz.judge import MAX_CHARACTERS, MAX_LINES

SECONDS = 60  # of processor time for one case, after which the system ends the process
READERS = ("status", "health", "estimate", "export", "free-energy", "overlap", "plot", "compare")
SLOW = 0.04  # share of the readable files that are given to a reader too; those that are refused are refused alike
RUN_TOML = """
[model]
activation = "tanh"
n_inputs = 4
n_networks = 4
[sampler]
n_leapfrog = 2
[tempering]
n_temperatures = 3
beta_max = 2.0
[run]
n_burn_in = 8
n_sweeps = 40
seed = 3
device = "cpu"
checkpoint_every_s = 3600
[output]
segment_sweeps = 20
n_bins = 8
"""
SCAN = ("--width-ratio", "inf", "--scan", "sigma_w=1.5,2.5", "--scan", "beta=1,2", "--workers", "1")


class Bad(Exception):
    """What is wrong about an outcome."""


def command(*arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of `mlp-gibbs ARGUMENTS` within this process.

    Raises:
        Bad: a traceback, or a refusal that is no screen of words.
    """
    from mcmc.cli import main

    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["mlp-gibbs", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        status = 0
    except SystemExit as left:
        status = int(left.code or 0)
    except Exception as error:
        raise Bad(f"{arguments[0]}: {type(error).__name__}: {error}"[:300]) from error
    words = err.getvalue()
    if status and arguments[0] != "fsck" and "mlp-gibbs: " not in words:
        raise Bad(f"{arguments[0]}: status {status} and no words: {words[:200]}")
    if len(words) > MAX_CHARACTERS or words.count("\n") > 2 * MAX_LINES:
        raise Bad(f"{arguments[0]}: {len(words)} characters: {words[:200]}")
    if "--json" in arguments:
        json.loads(out.getvalue())
    return status, out.getvalue(), words


class Originals:
    """What is damaged, and what its readers say of it whole."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.run, self.diagram, self.work = folder / "run", folder / "diagram", folder / "work"
        toml = folder / "small.toml"
        toml.write_text(RUN_TOML)
        self.resume = ("run", str(toml), "--out", str(self.work), "--json")
        if not self.diagram.exists():
            assert command("run", str(toml), "--out", str(self.run), "--json")[0] == 0
            assert command("phase", *SCAN, "--out", str(self.diagram), "--json")[0] == 0
        self.numbers = _numbers(self.run)
        self._answers: dict[str, str] = {}
        self.diagram_numbers = _diagram_numbers(self.diagram)

    def restore(self, source: Path) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(source, self.work)

    def answer(self, name: str) -> str:
        """What a reader says of the whole directory; the one at work is lost."""
        if name not in self._answers:
            self.restore(self.run)
            self._answers[name] = self.read(name)[1]
        return self._answers[name]

    def read(self, name: str) -> tuple[int, str]:
        """Status and output of a reader of the directory at work."""
        more = {"export": ("--to", str(self.folder / "csv"), "--force"), "plot": ("--out", str(self.folder / "png"))}
        if name == "estimate":
            return command(name, str(self.work), "--json")[:2]
        return command(name, str(self.work), *more.get(name, ()), "--json")[:2]


def _numbers(path: Path) -> dict[str, bytes]:
    from mcmc.io.reader import read_run

    data = read_run(path)
    arrays = {name: f"{array.dtype} {array.shape}".encode() + array.tobytes() for name, array in data.arrays.items()}
    return arrays | {"config": data.config.physics_hash().encode(), "n": f"{data.n_segments} {data.n_sweeps}".encode()}


def _diagram_numbers(path: Path) -> dict[str, bytes]:
    from mcmc.diagram.directory import read_result
    from mcmc.io.arrays import read_arrays

    read_result(path / "diagram.h5")
    arrays, _ = read_arrays(path / "diagram.h5")
    return {name: array.tobytes() for name, array in arrays.items() if name != "points/seconds"}


def try_run(originals: Originals, rng: random.Random) -> tuple[str, str]:
    """(what was done, its outcome)."""
    from tests.fuzz.damage import damage

    originals.restore(originals.run)
    files = ["segments/segment-000000.h5"] * 3 + ["segments/segment-000001.h5"] * 3
    files += ["run.json", "burn_in.json", "checkpoint/A.npz", "checkpoint/B.npz", "checkpoint/manifest.json"]
    name = rng.choice(files)
    what, is_signed = damage(originals.work / name, rng)
    what = f"{what} of {name}"
    try:
        found, refusal = _numbers(originals.work), None
    except MlpGibbsError as error:
        found, refusal = None, str(error)
    if found is not None and found != originals.numbers and not is_signed:
        raise Bad(f"{what}: other numbers in {[k for k in found if found[k] != originals.numbers.get(k)]}")
    status, text, _ = command("fsck", str(originals.work), "--json")
    if refusal is not None and status == 0:
        raise Bad(f"{what}: fsck finds it {json.loads(text)['verdict']}, and it cannot be read: {refusal}")
    if found is not None and rng.random() < (0.3 if is_signed else SLOW):
        reader = rng.choice(READERS)
        status, text = originals.read(reader)
        # another answer is made of the whole directory, so that the damaged one is done with
        if status == 0 and not is_signed and text != originals.answer(reader):
            raise Bad(f"{what}: {reader} says something else")
        return what, "valid"
    if found is None and rng.random() < 0.3:
        status, _ = originals.read(rng.choice(READERS))
        if status == 0:
            raise Bad(f"{what}: cannot be read ({refusal}), and a reader answers")
    if not name.endswith(".h5") and rng.random() < 0.3:
        (originals.work / "segments/segment-000001.h5").unlink()  # the last part is to be done again
        with contextlib.suppress(OSError):
            _forget_youngest(originals.work)
        status, _, words = command(*originals.resume)
        refusal = refusal or (words if status else None)
        if status == 0 and _numbers(originals.work) != originals.numbers:
            raise Bad(f"{what}: resumed with other numbers")
    return what, "refused in words" if refusal else "valid"


def _forget_youngest(path: Path) -> None:
    serials = {}
    for file in sorted((path / "checkpoint").glob("*.npz")):
        with contextlib.suppress(Exception), np.load(file, allow_pickle=False) as archive:
            serials[file] = json.loads(archive["__meta__"].tobytes())["meta"]["serial"]
    if serials:
        max(serials, key=lambda file: serials[file]).unlink()


def try_diagram(originals: Originals, rng: random.Random) -> tuple[str, str]:
    """(what was done, its outcome)."""
    from tests.fuzz.damage import damage

    originals.restore(originals.diagram)
    name = rng.choice(["diagram.h5"] * 3 + ["items/item-000000.h5", "items/item-000001.h5", "diagram.json"])
    what, is_signed = damage(originals.work / name, rng)
    what = f"{what} of {name}"
    refusal = None
    try:
        if _diagram_numbers(originals.work) != originals.diagram_numbers and not is_signed:
            raise Bad(f"{what}: other numbers")
    except MlpGibbsError as error:
        refusal = str(error)
    status, _, _ = command("fsck", str(originals.work), "--json")
    if refusal is not None and status == 0:
        raise Bad(f"{what}: fsck finds nothing, and it cannot be read: {refusal}")
    if rng.random() < 0.2 and not is_signed:
        status, _, words = command("phase", *SCAN, "--out", str(originals.work), "--json")
        refusal = refusal or (words if status else None)
        if status == 0 and _diagram_numbers(originals.work) != originals.diagram_numbers:
            raise Bad(f"{what}: resumed with other numbers")
    return what, "refused in words" if refusal else "valid"


def without_checksums() -> None:
    """A reader that believes what it reads."""
    from mcmc.io import arrays, segment
    from tests.fuzz import damage

    for module in (arrays, segment):
        vars(module)["content_digest"] = lambda *_: _Anything()
    damage.damage = _changed_number  # what they are for


def _changed_number(path: Path, rng: random.Random) -> tuple[str, bool]:
    from tests.fuzz.damage import renumber

    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            renumber(file, rng)
    return "renumber", False


class _Anything(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _other: Any) -> bool:
        return True

    def __ne__(self, _other: Any) -> bool:
        return False


def main(folder: Path, seed: int, first: int, last: int, progress: Path, twin: str) -> None:
    """Cases `first` to `last` - 1; counts to standard output."""
    warnings.simplefilter("ignore")
    originals = Originals(folder)
    if twin == "without checksums":
        without_checksums()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, used + 2**31))
    counts: dict[str, Counter[str]] = {"files of a run": Counter(), "files of a diagram": Counter()}
    wrong = []
    with open(progress, "w", buffering=1) as log:
        for number in range(first, last):
            rng = random.Random(f"{seed} {number}")
            log.seek(0)
            log.write(f"{number}\n")
            log.truncate()
            kind, attempt = ("files of a diagram", try_diagram) if number % 4 == 3 else ("files of a run", try_run)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                _, outcome = attempt(originals, rng)
            except Bad as bad:
                wrong.append(f"{number}: {bad}")
                outcome = "WRONG"
            except Exception as error:
                wrong.append(f"{number}: {type(error).__name__}: {error}")
                outcome = "WRONG"
            signal.setitimer(signal.ITIMER_PROF, 0)
            counts[kind][outcome] += 1
    print(json.dumps({"counts": counts, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), Path(sys.argv[5]), sys.argv[6])
