"""What moves together is a matter of speed: the cut into blocks or into runs never changes a number."""

import os
import signal

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.io.reader import read_run
from mcmc.io.schema import DATASETS
from mcmc.kernels.registry import KERNELS
from mcmc.rng import Purpose
from mcmc.run.driver import run
from mcmc.run.simulation import Simulation
from tests.support.runs import contents, finished, small_config, stopping_at

SHORT = {"n_burn_in": 40, "n_sweeps": 10, "measure_every": 1}


ENGINES = native.engines()


@pytest.mark.parametrize(
    ("dtype", "forces", "engine"),
    [
        ("float64", "auto", "plain torch"),
        *(("float32", "auto", engine) for engine in ("plain torch", *ENGINES)),
        *(("float32", forces, engine) for forces in ("tf32", "bfloat16") for engine in ENGINES[:1]),
    ],
)
def test_block_sizes_give_the_same_bytes(tmp_path, monkeypatch, dtype, forces, engine):
    """16 networks as 16, 8 + 8, 5 + 5 + 5 + 1 and one by one, with every engine of this processor."""
    monkeypatch.setenv("MLP_GIBBS_SIMD", engine)  # what is no engine means none
    files = {}
    for size in (16, 8, 5, 1):
        config = small_config(
            model={"n_networks": 16, "width_ratios": [1.5, 0.75]},
            sampler={"force_dtype": forces},
            run={**SHORT, "dtype": dtype, "block_networks": size},
            output={"segment_sweeps": 5},
        )
        files[size] = finished(config, tmp_path / str(size))
    assert len(files[16]) == 3
    assert files[8] == files[16]
    assert files[5] == files[16]
    assert files[1] == files[16]


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_threads_blocks_and_kills_together(tmp_path, kernel):
    """1, 2 and 4 threads, blocks of one, two and all, stopped and resumed with another choice: the same bytes."""
    before, total = torch.get_num_threads(), SHORT["n_burn_in"] + SHORT["n_sweeps"]

    def config(block):
        return small_config(
            model={"n_networks": 5},
            sampler={"kernel": kernel},
            run={**SHORT, "block_networks": block},
            output={"segment_sweeps": 5},
        )

    whole = finished(config(5), tmp_path / "whole")

    def stop(sweep):
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Simulation, "advance_by", stopping_at((13, 44), stop))
        try:
            for n_threads, block, sweep in ((4, 1, 13), (2, 5, 44), (1, 2, total)):
                torch.set_num_threads(n_threads)
                assert run(config(block), tmp_path / "cut", is_quiet=True).sweep == sweep
        finally:
            torch.set_num_threads(before)
    assert contents(tmp_path / "cut") == whole


def test_order_of_networks_does_not_matter(tmp_path):
    """Drawn first or last: a network run on its own has the chains that it has beside others."""
    sections = {
        "sampler": {"step_size": 0.3},
        "tempering": {"betas": [0.0, 0.7, 1.5, 3.0], "beta_max": 3.0},
        "run": SHORT,
    }
    finished(small_config(model={"n_networks": 4}, **sections), tmp_path / "all")
    whole = read_run(tmp_path / "all").energy
    for network in (3, 0, 2):
        config = small_config(model={"first_network": network, "n_networks": 1}, **sections)
        finished(config, tmp_path / str(network))
        assert np.array_equal(read_run(tmp_path / str(network)).energy[:, 0], whole[:, network])
    assert not np.array_equal(whole[:, 0], whole[:, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_do_not_matter(tmp_path, dtype):
    before, files = torch.get_num_threads(), {}
    config = small_config(model={"n_networks": 7, "n_inputs": 40}, run={**SHORT, "dtype": dtype})
    for n_threads in (1, 2, 3):
        torch.set_num_threads(n_threads)
        try:
            files[n_threads] = finished(config, tmp_path / str(n_threads))
        finally:
            torch.set_num_threads(before)
    assert files[1] == files[2] == files[3]


def test_threads_share_no_uniforms_of_the_exchange():
    """Two threads are at sweeps of unlike parity, whose rows of uniforms are of unlike length: they overlapped."""
    before, positions = torch.get_num_threads(), []
    config = small_config(
        model={"n_inputs": 2, "n_networks": 32},
        sampler={"n_leapfrog": 1},
        tempering={"n_temperatures": 32, "n_replicas": 8},
        run={"dtype": "float32"},
        output={"overlaps": False},
    )
    for n_threads in (1, 2, 2):
        torch.set_num_threads(n_threads)
        try:
            simulation = Simulation.start(config, torch.device("cpu"))
            while simulation.sweep < 400:
                simulation.advance_by(400 - simulation.sweep)
        finally:
            torch.set_num_threads(before)
        positions.append(simulation.chains[0].x)
    assert torch.equal(positions[0], positions[1])
    assert torch.equal(positions[0], positions[2])


def test_another_seed_gives_other_bytes(tmp_path):
    """The comparison above can fail."""
    one = finished(small_config(run=SHORT), tmp_path / "1")
    two = finished(small_config(run={**SHORT, "seed": 12}), tmp_path / "2")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one)


def test_chains_of_another_seed_move_otherwise():
    """Not for the networks alone, which are other ones too: positions at the start, and noise, momenta, uniforms."""
    one, two = (Simulation.start(small_config(run={"seed": seed}), torch.device("cpu")) for seed in (11, 12))
    assert not (one.chains[0].x == two.chains[0].x).any()
    for purpose in (Purpose.MOMENTUM, Purpose.ACCEPT, Purpose.SWAP):
        noise = [simulation.blocks[0].streams.uniform(purpose, 0, 3) for simulation in (one, two)]
        assert not (noise[0] == noise[1]).any()


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_networks_split_over_two_runs(tmp_path, kernel):
    """With nothing adapted, networks do not know of each other: every number of each network is the same."""
    sections = {
        "sampler": {"kernel": kernel, "step_size": 0.3},
        "tempering": {"betas": [0.0, 0.7, 1.5, 3.0], "beta_max": 3.0},
        "run": SHORT,
    }

    def part(first, n):
        config = small_config(model={"first_network": first, "n_networks": n}, **sections)
        finished(config, tmp_path / f"{first}-{n}")
        return read_run(tmp_path / f"{first}-{n}").arrays

    whole, left, right = part(3, 5), part(3, 2), part(5, 3)
    assert whole.keys() == left.keys() == right.keys()
    checked = 0
    for name, array in whole.items():
        if "network" in DATASETS[name].axes:
            axis = DATASETS[name].axes.index("network")
            assert np.array_equal(np.concatenate([left[name], right[name]], axis=axis), array), name
            checked += 1
    assert checked >= 12
    different = part(4, 5)
    assert not np.array_equal(different["observables/energy_density/value"], whole["observables/energy_density/value"])
