"""Recorded sweeps are the sweeps: the same chains, counters and results, bit for bit."""

import numpy as np
import pytest
import torch

from mcmc import native
from mcmc.errors import DeviceError
from mcmc.kernels.registry import KERNELS
from mcmc.run import graph
from mcmc.run.adaptation import learn_from_sweep
from mcmc.run.graph import choose_graphs
from mcmc.run.production import Production
from mcmc.run.rounds import burn_in_rounds
from mcmc.run.simulation import Simulation
from mcmc.run.snapshot import load_arrays, to_arrays
from tests.support.runs import small_config
from tests.support.tape import TapeRecorder

CPU = torch.device("cpu")


def chain(config, recorder=None, *, n_sweeps=14, device=CPU):
    """Everything that a run would save after burn-in and a production, and the recorder's work."""
    simulation = Simulation.start(config, device, recorder=recorder)
    for burn_in_round in burn_in_rounds(config.run.n_burn_in):
        for sweep in range(burn_in_round.start, burn_in_round.stop):
            learn_from_sweep(simulation, simulation.advance(), burn_in_round, sweep)
    production = Production(config, simulation)
    production.begin()
    for _ in range(n_sweeps):
        production.advance_by(1)
    simulation.raise_if_nonfinite()
    return to_arrays(simulation)[0] | production.to_arrays()[0]


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert np.array_equal(found[name], array, equal_nan=True), name


CONFIGURATIONS = {
    "plain": {},
    "float64": {"run": {"dtype": "float64"}},
    "steps of each temperature": {"sampler": {"n_leapfrog": [1, 2, 3, 3]}, "run": {"dtype": "float64"}},
    "langevin": {"sampler": {"kernel": "langevin", "steps_per_sweep": 3}},
    "random walk": {"sampler": {"kernel": "random_walk", "steps_per_sweep": 2}},
    "blocks": {"run": {"block_networks": 2}},
    "three replicas": {"tempering": {"n_replicas": 3}},
    "one temperature": {"tempering": {"n_temperatures": 1}},
}
assert {"langevin", "random_walk", "hmc", "mala"} == set(KERNELS)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_replayed_sweeps_are_the_sweeps(name):
    """Burn-in with its moving ladder and step sizes, then production with its observers."""
    config, recorder = small_config(**CONFIGURATIONS[name]), TapeRecorder()
    assert_same(chain(config, recorder), chain(config))
    assert recorder.n_replayed > 5 * recorder.n_recorded


def test_recordings_are_few():
    """One for each parity and ladder, and one of the measurement."""
    config, recorder = small_config(tempering={"adapt": False}), TapeRecorder()
    chain(config, recorder)
    assert recorder.n_recorded == 3


def frozen_number(monkeypatch):
    """The number of the sweep is that of the recording, ever after."""
    explore = Simulation.explore
    monkeypatch.setattr(Simulation, "explore", lambda self, number: explore(self, torch.tensor([self.sweep])))


def frozen_chains(monkeypatch):
    """The recorded sweep starts from where the first one did."""
    monkeypatch.setattr(graph, "_overwrite", lambda kept, state: None)


@pytest.mark.parametrize("fault", [frozen_number, frozen_chains])
def test_faults_of_a_recording_are_seen(monkeypatch, fault):
    config = small_config(tempering={"adapt": False})
    expected = chain(config)
    fault(monkeypatch)
    found = chain(config, TapeRecorder())
    assert not np.array_equal(found["chains/x"], expected["chains/x"])


def test_a_question_of_the_host_is_refused(monkeypatch):
    """As a capture would refuse it."""
    explore = Simulation.explore
    monkeypatch.setattr(Simulation, "explore", lambda self, number: explore(self, int(number)))
    with pytest.raises(RuntimeError, match="asks for a number"):
        chain(small_config(), TapeRecorder(), n_sweeps=2)


def test_a_loaded_state_is_taken_over():
    config, recorder = small_config(tempering={"adapt": False}), TapeRecorder()
    straight = Simulation.start(config, CPU)
    for _ in range(11):
        straight.advance()
    saved = to_arrays(straight)
    resumed = Simulation.start(config, CPU, recorder=recorder)
    for _ in range(4):
        resumed.advance()
    load_arrays(resumed, *saved)
    for _ in range(9):
        straight.advance()
        resumed.advance()
    assert_same(to_arrays(resumed)[0], to_arrays(straight)[0])


def test_finer_forces_are_recorded_anew(monkeypatch):
    """The fall-back to other networks' weights leaves no recording of the old ones in use."""
    config = small_config()
    runs = [Simulation.start(config, CPU, recorder=recorder) for recorder in (None, TapeRecorder())]
    for simulation in runs:
        for sweep in range(12):
            if sweep == 5:
                monkeypatch.setattr(type(simulation.system), "with_finest_forces", lambda self: self.narrow(0, 3))
                with pytest.warns(RuntimeWarning, match="a test"):
                    simulation._fall_back("a test")
            simulation.advance()
    assert_same(to_arrays(runs[1])[0], to_arrays(runs[0])[0])


@pytest.mark.parametrize(
    ("asked", "device", "backend", "reason"),
    [
        ("auto", "cpu", "extension", "the device is cpu"),
        ("off", "cuda", "extension", "off was asked for"),
        ("auto", "cuda", "reference", "without CUDA kernels"),
        ("auto", "cuda", "extension", None),
        ("on", "cuda", "extension", None),
    ],
)
def test_choice(monkeypatch, asked, device, backend, reason):
    monkeypatch.setattr(native, "backend_for", lambda device: backend)
    choice = choose_graphs(small_config(run={"cuda_graphs": asked}), torch.device(device))
    assert choice.is_used == (reason is None)
    assert choice.reason is None if reason is None else reason in choice.reason


def test_graphs_that_cannot_be_are_refused():
    with pytest.raises(DeviceError, match=r'run.cuda_graphs = "on" cannot be: .* the device is cpu. Use "auto"'):
        choose_graphs(small_config(run={"cuda_graphs": "on"}), CPU)


@pytest.mark.cuda
@pytest.mark.parametrize("force_dtype", ["float32", "tf32", "bfloat16"])
def test_captured_sweeps_are_the_sweeps(force_dtype):
    device = torch.device("cuda")
    found = {}
    for graphs in ("on", "off"):
        config = small_config(
            model={"n_inputs": 64, "width_ratios": [1.0, 0.5]},
            sampler={"force_dtype": force_dtype},
            run={"device": "cuda", "cuda_graphs": graphs},
        )
        found[graphs] = chain(config, device=device)
    assert_same(found["on"], found["off"])


@pytest.mark.cuda
def test_capture_succeeds():
    config = small_config(run={"device": "cuda", "cuda_graphs": "on"})
    simulation = Simulation.start(config, torch.device("cuda"))
    for _ in range(6):
        simulation.advance()
    assert simulation.recorder.failure is None
