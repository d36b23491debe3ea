"""Files of runs and diagrams with any damage, before every command that reads them: the same numbers, or words."""

import json
import subprocess
import sys

import pytest

from tests.fuzz.judge import Wrong
from tests.support.runs import ROOT

N_SHORT, N_FULL = 30, 10_000
N_TWIN = 40  # one in seven is a number that was changed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def read_all(folder, seed, n_cases, twin="none"):
    """(counts by kind, what is wrong).

    Raises:
        Wrong: a case ended the process.
    """
    progress = folder / "progress"
    arguments = ["-m", "tests.fuzz.read_files", str(folder), str(seed), "0", str(n_cases), str(progress), twin]
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = progress.read_text() if progress.exists() else "no case"
        raise Wrong(f"status {done.returncode} at {last}: {done.stderr[-3000:]}; seed {seed}, {arguments}")
    found = json.loads(done.stdout)
    return found["counts"], found["wrong"]


def test_any_damage(tally, seed, full, folder):
    counts, wrong = read_all(folder, seed, N_FULL if full else N_SHORT)
    for kind, outcomes in counts.items():
        for outcome, count in outcomes.items():
            for _ in range(count):
                if outcome != "WRONG":
                    tally(kind, lambda outcome=outcome: outcome)
    if wrong:
        tally("files", _raise, wrong, seed)
    assert all(outcomes.get("refused in words") for outcomes in counts.values())


def _raise(wrong, seed):
    raise Wrong(f"seed {seed}: " + "\n".join(wrong[:20]))


def test_reader_without_checksums_is_caught(tally, seed, folder):
    _, wrong = read_all(folder, seed, N_TWIN, "without checksums")
    assert any("other numbers" in case for case in wrong)
    tally("reader without checksums", lambda: "caught")


ENDLESS = """
import sys
from pathlib import Path
from mcmc.errors import SegmentError
from mcmc.io.segment import read_segment
try:
    read_segment(Path(sys.argv[1]))
except SegmentError as error:
    assert "its heap at byte" in str(error), error
else:
    raise SystemExit("taken")
"""


def test_zeros_in_a_heap(tmp_path):
    """HDF5 looped for ever, in a call that not even control-C could end."""
    import h5py

    path = tmp_path / "segment-000000.h5"
    with h5py.File(path, "w", libver=("v108", "v114")) as file:
        file.attrs["schema"] = "mlp-gibbs/segment"
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16
    data[at : at + 64] = bytes(64)
    path.write_bytes(data)
    arguments = [sys.executable, "-c", ENDLESS, str(path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
