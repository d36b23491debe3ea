"""Burn-in finds step sizes and a ladder, and production leaves both alone."""

import json

import numpy as np
import pytest

from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from mcmc.io.segment import read_segment
from mcmc.kernels.registry import KERNELS, make_kernel, max_step_size
from tests.support.runs import finished, small_config

N_TEMPERATURES, N_LEAPFROG = 7, 6


def configuration(kernel="hmc", **sections):
    defaults = {
        "model": {"activation": "sin", "sigma_w": 2.0, "n_inputs": 16, "n_networks": 16},
        "sampler": {"kernel": kernel, "n_leapfrog": N_LEAPFROG},
        "tempering": {"beta_max": 5.0, "n_temperatures": N_TEMPERATURES},
        "run": {"n_burn_in": 600, "n_sweeps": 150, "measure_every": 10},
        "output": {"segment_sweeps": 50},
    }
    for name, values in sections.items():
        defaults[name] |= values
    return small_config(**defaults)


@pytest.fixture(scope="module", params=sorted(KERNELS))
def adapted(request, tmp_path_factory):
    """(kernel, directory, data) of a finished run with adaptation."""
    path = tmp_path_factory.mktemp("adapted") / "run"
    finished(configuration(request.param), path)
    return request.param, path, read_run(path)


def test_acceptance_is_near_its_target(adapted):
    """Where the step size is not at its upper bound (and there, it is above the target); iid draws at beta = 0."""
    name, _, data = adapted
    kernel = make_kernel(data.config.sampler)
    acceptance, step_size = data.arrays[Key.ACCEPTANCE].mean((0, 2)), data.arrays[Key.STEP_SIZE]
    cap = max_step_size(N_LEAPFROG if name == "hmc" else 1)
    is_free = step_size < 0.99 * cap
    assert is_free.sum() >= 3
    assert np.abs(acceptance - kernel.target_acceptance)[is_free].max() < 0.05
    assert (acceptance[~is_free] > kernel.target_acceptance - 0.05).all()
    assert acceptance[0] == 1.0
    assert (np.diff(step_size) <= 1e-9).all(), "the colder, the shorter"
    assert step_size.max() <= cap * (1 + 1e-12)


def test_swaps_are_rejected_equally_often(adapted):
    _, path, data = adapted
    rejection = 1 - (data.arrays[Key.SWAP_ACCEPTANCE_SUM] / data.arrays[Key.SWAP_ATTEMPTS][:, None]).mean((0, 2))
    first = np.array(json.loads((path / "burn_in.json").read_text())["rounds"][0]["rejection"])
    assert np.ptp(first) > 0.3, "equal steps in beta are not it"
    assert np.ptp(rejection) < 0.12
    assert 0.1 < rejection.mean() < 0.9


def test_production_is_frozen(adapted):
    """The same ladder and step sizes in every segment, those that burn-in ended with."""
    _, path, data = adapted
    last = json.loads((path / "burn_in.json").read_text())["rounds"][-1]
    for file in sorted((path / "segments").iterdir()):
        arrays, scales, _ = read_segment(file)
        assert arrays[Key.BETA].tolist() == scales["temperature"].tolist() == last["beta"]
        assert arrays[Key.STEP_SIZE].tolist() == last["step_size"]
    assert data.n_segments == 3


def test_ends_of_the_ladder_stay(adapted):
    _, _, data = adapted
    assert (data.beta[0], data.beta[-1]) == (0.0, 5.0)
    assert (np.diff(data.beta) > 0).all()


def test_record_of_the_rounds(adapted):
    _, path, _ = adapted
    rounds = json.loads((path / "burn_in.json").read_text())["rounds"]
    assert [r["sweeps"] for r in rounds] == [[0, 75], [75, 150], [150, 300], [300, 600]]
    for r in rounds:
        assert len(r["beta"]) == len(r["step_size"]) == N_TEMPERATURES
        assert np.isclose(r["barrier"], sum(r["rejection"]))
        assert r["recommended_n_temperatures"] == np.ceil(2 * r["barrier"]) + 1
        assert f"Lambda = {r['barrier']:.2f}" in r["report"]
    assert rounds[0]["beta"] == np.linspace(0, 5, N_TEMPERATURES).tolist()
    assert len({tuple(r["beta"]) for r in rounds}) == 4, "each round but the last moved the ladder for the next"


def test_target_of_the_configuration(tmp_path):
    config = configuration(sampler={"target_acceptance": 0.5})
    finished(config, tmp_path / "run")
    acceptance = read_run(tmp_path / "run").arrays[Key.ACCEPTANCE].mean((0, 2))
    assert abs(acceptance[-1] - 0.5) < 0.05


def test_given_step_size_and_ladder_are_left_alone(tmp_path):
    betas = [0.0, 0.5, 2.5]
    config = configuration(
        sampler={"step_size": 0.11}, tempering={"betas": betas, "beta_max": 2.5, "n_temperatures": 3}
    )
    finished(config, tmp_path / "run")
    for r in json.loads((tmp_path / "run" / "burn_in.json").read_text())["rounds"]:
        assert r["beta"] == betas
        np.testing.assert_allclose(r["step_size"], 0.11, rtol=1e-15)
    np.testing.assert_allclose(read_run(tmp_path / "run").arrays[Key.STEP_SIZE], 0.11, rtol=1e-15)


def test_ladder_without_adaptation(tmp_path):
    config = configuration(tempering={"adapt": False})
    finished(config, tmp_path / "run")
    data = read_run(tmp_path / "run")
    assert data.beta.tolist() == np.linspace(0, 5, N_TEMPERATURES).tolist()
    assert len(set(data.arrays[Key.STEP_SIZE])) > 2, "step sizes adapt all the same"


def test_without_burn_in_nothing_is_learnt(tmp_path):
    finished(configuration(run={"n_burn_in": 0}), tmp_path / "run")
    data = read_run(tmp_path / "run")
    assert len(set(data.arrays[Key.STEP_SIZE])) == 1
    assert not (tmp_path / "run" / "burn_in.json").exists()
