"""What `--dry-run` promises, against what tensors weigh and what torch counts."""

import json
import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import mcmc.run.driver as driver
from mcmc.config import parse_config
from mcmc.errors import ConfigError, DeviceError
from mcmc.kernels.registry import KERNELS
from mcmc.run import build
from mcmc.run.build import resolve_device
from mcmc.run.memory import memory_bytes
from mcmc.run.plan import flops_per_sweep, plan
from mcmc.run.production import Production
from mcmc.run.simulation import Simulation
from mcmc.systems.mlp.energy import MlpSystem
from tests.support.runs import small_config

DEEP = {"width_ratios": [2.0, 0.5, 1.0]}


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("steps", [1, 2])
def test_flops_are_those_that_torch_counts(monkeypatch, kernel, steps):
    """All matrix products of a sweep, counted by torch's dispatcher; HMC with unequal trajectories too."""
    monkeypatch.setattr(MlpSystem, "_fused", None, raising=False)  # torch does not see into compiled trajectories
    for n_leapfrog in (3, [1, 4, 2, 2]):
        config = small_config(
            model=DEEP, sampler={"kernel": kernel, "n_leapfrog": n_leapfrog, "steps_per_sweep": steps}
        )
        simulation = Simulation.start(config, torch.device("cpu"))
        with FlopCounterMode(display=False) as counter:
            simulation.advance()
        assert counter.get_total_flops() == flops_per_sweep(config)


def test_flops_by_hand():
    config = small_config(model=DEEP, sampler={"n_leapfrog": 3})
    products = 8 * 16 + 16 * 4 + 4 * 8
    assert flops_per_sweep(config) == 3 * 4 * 2 * 3 * 4 * products  # networks, temperatures, replicas, leapfrog, 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_replicas", [2, 3])
def test_memory_of_what_is_kept(dtype, n_replicas):
    """Weights, their packed copies, the series and the histograms weigh what their tensors do."""
    config = small_config(model=DEEP, run={"dtype": dtype}, tempering={"n_replicas": n_replicas})
    memory = memory_bytes(config)
    simulation = Simulation.start(config, torch.device("cpu"))
    production = Production(config, simulation)
    networks = simulation.system.networks
    assert memory["weights"] == sum(t.nbytes for t in (*networks.weights, networks.readout))
    series = production.observers["series"].tensors
    assert memory["series_of_a_segment"] == sum(t.nbytes for name, t in series.items() if name != "n")
    assert memory["histograms"] == production.observers["histogram"].tensors["counts"].nbytes
    packed = getattr(simulation.system._fused, "arguments", None)
    if packed is not None:
        tensors = {t.data_ptr(): t.nbytes for of_a_use in packed[1:4] for t in of_a_use}
        assert memory["packed_weights"] == sum(tensors.values())
    else:
        assert memory["packed_weights"] == (0 if dtype == "float64" else memory["weights"])


def test_memory_by_hand(monkeypatch):
    monkeypatch.setenv("MLP_GIBBS_SIMD", "none")
    config = small_config(
        model={"n_inputs": 100, "width_ratios": [2.0], "n_networks": 10},
        run={"block_networks": 4, "n_sweeps": 1000, "measure_every": 1},
        output={"segment_sweeps": 50, "n_bins": 98},
    )
    chains = 10 * 4 * 2
    assert memory_bytes(config) == {
        "weights": 10 * (100 * 200 + 200) * 4,
        "packed_weights": 10 * (100 * 200 + 200) * 4,
        "positions": 10 * chains * 100 * 4,
        "activations": 7 * 200 * (4 * 4 * 2) * 4,
        "series_of_a_segment": 50 * (8 * chains + 4 * 2 * (chains + chains // 2)),
        "histograms": 8 * 2 * 10 * 4 * 100,
        "files_being_written": 2 * 50 * 20 * chains + 3 * 8 * 2 * 10 * 4 * 100 - 8 * chains * 100 * 4 - 2 * 200 * 128,
    }


def test_blocks_save_activations_only():
    whole, blocks = (memory_bytes(small_config(run={"block_networks": n})) for n in (None, 1))
    assert blocks["activations"] * 3 == whole["activations"]
    others = whole.keys() - {"activations", "files_being_written"}
    assert {k: whole[k] for k in others} == {k: blocks[k] for k in others}


def test_run_without_overlaps_is_smaller():
    memory = memory_bytes(small_config(output={"overlaps": False}))
    assert memory["histograms"] == 0
    assert memory["series_of_a_segment"] == 8 * 8 * 3 * 4 * 2


def test_plan(monkeypatch):
    monkeypatch.setattr("mcmc.run.plan.PILOT_S", 0.05)
    config = small_config()
    facts = plan(config)
    record = json.loads(json.dumps(facts.to_json()))
    assert record["widths"] == [8, 8]
    assert record["n_chains"] == 3 * 4 * 2
    assert record["n_segments"] == 3
    assert record["device"] == "cpu"
    assert record["memory_bytes"]["total"] == sum(memory_bytes(config).values())
    assert record["flops_per_sweep"] == flops_per_sweep(config)
    assert 0 < record["seconds_per_sweep"] < 1
    assert math.isclose(record["estimated_seconds"], record["seconds_per_sweep"] * (90 + 48))
    text = facts.text()
    for words in ("8 x 8, tanh", "3 networks x 4 temperatures x 2 replicas = 24", "90 + 48 sweeps", "3 files"):
        assert words in text


def test_plan_writes_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("mcmc.run.plan.PILOT_S", 0.05)
    monkeypatch.chdir(tmp_path)
    plan(small_config())
    assert list(tmp_path.iterdir()) == []


# --- too large, refused before anything is allocated or written


def test_absurd_run_is_refused_at_once(tmp_path, monkeypatch):
    """A petabyte of weights: an error with the numbers, no directory, and no attempt to draw a network."""

    def drawn(*arguments):
        pytest.fail("networks were drawn before the size was checked")

    monkeypatch.setattr(Simulation, "start", drawn)
    config = small_config(model={"n_inputs": 10_000_000})
    for attempt in (lambda: driver.run(config, tmp_path / "run"), lambda: plan(config)):
        with pytest.raises(ConfigError, match="Not one network of this size would fit") as caught:
            attempt()
        assert caught.value.needed_bytes == sum(memory_bytes(config).values()) > caught.value.free_bytes
        assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_the_bound_is_the_free_memory(monkeypatch):
    config = small_config(model={"n_networks": 20})
    needed = sum(memory_bytes(config).values())
    monkeypatch.setattr(driver, "available_memory_bytes", lambda device: needed)
    driver.refuse_if_too_large(config, torch.device("cpu"))
    monkeypatch.setattr(driver, "available_memory_bytes", lambda device: needed - 1)
    with pytest.raises(ConfigError, match="About 19 networks would fit"):
        driver.refuse_if_too_large(config, torch.device("cpu"))


def test_histograms_count(monkeypatch):
    """A hundred thousand bins of every network, temperature and layer are not nothing."""
    config = small_config(model={"n_networks": 1000}, output={"n_bins": 100_000})
    monkeypatch.setattr(driver, "available_memory_bytes", lambda device: 2**32)
    with pytest.raises(ConfigError, match="GiB"):
        driver.refuse_if_too_large(config, torch.device("cpu"))


def test_free_memory_counts_the_cache_of_files():
    """What the kernel can hand out without swapping, within what the machine has."""
    with open("/proc/meminfo") as file:
        known = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in file if line.endswith("kB\n")}
    free = build.available_memory_bytes(torch.device("cpu"))
    assert known["MemFree"] / 2 < free <= known["MemTotal"]
    assert math.isclose(free, known["MemAvailable"], rel_tol=0.2)


# --- devices


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_device_that_is_not_there(tmp_path):
    config = parse_config({**small_config().model_dump(), "run": {"device": "cuda:97"}})
    with pytest.raises(DeviceError, match=r"'cuda:97' was asked for.*Use --device cpu") as caught:
        driver.run(config, tmp_path / "run")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_sweeps_that_would_take_hours_are_planned_at_once():
    """10^4 trajectories of 10^4 steps a sweep: the pilot takes shorter ones and says how long those would take."""
    config = small_config(sampler={"n_leapfrog": 10_000, "steps_per_sweep": 10_000})
    once = plan(small_config(sampler={"n_leapfrog": 1000}))
    found = plan(config)
    assert found.config.sampler == config.sampler
    assert 1e4 < found.seconds_per_sweep / once.seconds_per_sweep < 1e7
