"""The memory of every command that reads a run does not grow with the number of its results files."""

import gc
import tracemalloc
from dataclasses import replace

import pytest

from mcmc.analysis import blocks, health
from mcmc.compare import comparison, free_energy
from mcmc.io import reader
from tests.support.cli import invoke
from tests.support.long_runs import long_run

SHORT, LONG = 4, 16  # segments
READERS = {
    "status": (),
    "health": (),
    "compare": ("--ansatz", "rs"),
    "overlap": ("--ansatz", "rs"),
    "estimate": (),
    "free-energy": (),
    "plot": (),
    "export --to run.nc": ("--force",),
    "export --to csv": ("--force",),
    "fsck": (),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Of short and of long segments: the two directories, and the bytes of series that the second has more."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for n_draws in (50, 200):
        paths = [folder / f"{n_draws}-draws-{n}-segments" for n in (SHORT, LONG)]
        sizes = [long_run(path, n, n_draws=n_draws) for path, n in zip(paths, (SHORT, LONG), strict=True)]
        found[n_draws] = paths, (LONG - SHORT) * sizes[0]
    return found


@pytest.fixture
def growth(capsys, runs, monkeypatch, tmp_path):
    """By how many bytes the peak of a command is higher for the long run, over what its series have more."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2**18)

    for module in (comparison, free_energy):
        monkeypatch.setattr(module, "N_CURVE", 3)

    def run(command, directory):
        name, *options = command.split()
        options = [str(tmp_path / option) if option in ("run.nc", "csv") else option for option in options]
        answer = invoke(capsys, name, directory, *options, *READERS[command])
        assert answer.status == 0, answer.err

    def peak(command, directory):
        gc.collect()
        tracemalloc.start()
        run(command, directory)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    def measure(command):
        directories, more = runs[50 if "csv" in command else 200]  # text takes long, above all if it is watched
        run(command, directories[0])  # imports, fonts, tables of quadratures
        short, long = (peak(command, directory) for directory in directories)
        return (long - short) / more

    return measure


@pytest.mark.parametrize("command", READERS)
def test_peak_does_not_grow(growth, command):
    assert growth(command) < 0.3


@pytest.mark.parametrize("command", ["status", "estimate", "free-energy", "export --to run.nc"])
def test_reader_that_keeps_the_series_is_caught(growth, command, monkeypatch):
    read_run = reader.read_run

    def keep(path):
        data = read_run(path)
        return replace(data, arrays=dict(data.arrays))

    monkeypatch.setattr(reader, "read_run", keep)
    monkeypatch.setattr(health, "read_run", keep)
    assert growth(command) > 0.6
