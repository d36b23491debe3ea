"""Results do not depend on how many networks and temperatures are in memory at once, to the last bit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcmc.analysis import blocks
from mcmc.analysis.blocks import blocks_of, draw_mean, over_blocks
from mcmc.analysis.bootstrap import NetworkBootstrap
from mcmc.analysis.effective import nested_r_hat, r_hat
from mcmc.analysis.equilibration import equilibration
from mcmc.analysis.free_energy import free_energies
from mcmc.analysis.samples import self_averaging
from mcmc.errors import InsufficientMemoryError
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from tests.support.runs import finished, small_config

SIZES = (1, 400_000, 900_000)  # bytes: pairs of temperatures, one network, several


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """More than 1000 draws of a temperature, so that MBAR thins them; 6 pairs; segments of different lengths."""
    path = tmp_path_factory.mktemp("blocks") / "run"
    config = small_config(
        model={"activation": "linear", "n_networks": 5, "sigma_w": 1.0},
        tempering={"beta_max": 1.0, "n_temperatures": 5, "n_replicas": 4},
        run={"n_sweeps": 700, "measure_every": 1},
        output={"segment_sweeps": 300},
    )
    finished(config, path)
    return path


def in_memory(data):
    """The same run with all of its series read."""
    return replace(data, arrays=dict(data.arrays))


def answers(data):
    """Numbers of every analysis of series, as bytes."""
    found = equilibration(data)
    averaging = self_averaging(data, NetworkBootstrap(data.n_networks))
    free = free_energies(data)
    arrays = {
        **found.cells,
        "disorder": averaging.disorder.resamples,
        "share": averaging.share.resamples,
        "energy": draw_mean(data.series(Key.ENERGY), 0, data.n_draws),
        "weight_ess": free.weight_ess,
        **{f"{kind} {name}": values for kind in ("log_z", "stderr") for name, values in getattr(free, kind).items()},
    }
    return {"health": json.dumps(found.to_json()), **{name: values.tobytes() for name, values in arrays.items()}}


@pytest.mark.parametrize("size", SIZES)
def test_no_bit_depends_on_the_blocks(path, monkeypatch, size):
    wanted = answers(in_memory(read_run(path)))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    found = answers(read_run(path))
    assert [name for name in wanted if found[name] != wanted[name]] == []


def test_blocks_are_those_that_were_meant(path, monkeypatch):
    shape, found = read_run(path).series(Key.ENERGY).shape, []
    for size in SIZES:
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        found.append([(n.stop - n.start, *(t.indices(5)[:2])) for n, t in blocks_of(shape, 112)])
    assert found[0] == [(1, 0, 2), (1, 2, 5)] * 5
    assert found[1] == [(1, 0, 5)] * 5
    assert found[2] == [(1, 0, 5), (2, 0, 5), (2, 0, 5)]


def test_statistics_of_the_whole(path, monkeypatch):
    """Against the functions of whole series."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    data = read_run(path)
    cells = equilibration(data).cells
    assert np.array_equal(cells["r_hat"], r_hat(data.energy))
    assert np.array_equal(cells["nested_r_hat"], nested_r_hat(data.energy))


@pytest.mark.parametrize("key", [Key.ENERGY, Key.OVERLAP, Key.SELF_OVERLAP])
@pytest.mark.parametrize(("start", "stop"), [(0, 700), (0, 350), (350, 700), (299, 301)])
def test_draw_mean(path, key, start, stop):
    data = read_run(path)
    found = draw_mean(data.series(key), start, stop)
    assert np.array_equal(found, data.arrays[key][start:stop].mean((0, 3), dtype=np.float64))


@pytest.mark.parametrize("shape", [(7, 1, 1), (100, 3, 1), (100, 1, 6), (100, 5, 7), (1, 1, 2), (100, 2, 3)])
@pytest.mark.parametrize("size", [1, 1000, 5000, 10**9])
def test_every_cell_once_and_never_alone(shape, size, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    n_draws, n_networks, n_temperatures = shape
    cut = blocks_of(shape, 8)
    cells = np.arange(n_networks * n_temperatures).reshape(n_networks, n_temperatures)
    assert np.array_equal(over_blocks(cut, lambda block: {"cells": cells[block]})["cells"], cells)
    assert sum(cells[block].size for block in cut) == cells.size
    sizes = [cells[block].size for block in cut]
    assert min(sizes) >= min(2, cells.size)
    assert max(sizes) * 8 * n_draws <= size or max(sizes) <= 3


def test_what_does_not_fit_is_refused_in_words(path, monkeypatch):
    monkeypatch.setattr(blocks, "free_memory_bytes", lambda: 2**10)
    with pytest.raises(InsufficientMemoryError, match=r"700 draws of two cells.*GiB are free.*measure_every") as e:
        equilibration(read_run(path))
    assert e.value.needed > e.value.free == 2**10
