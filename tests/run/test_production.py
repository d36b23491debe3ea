"""The datasets of a run against each other: what was accumulated on the way is what the series give afterwards."""

import numpy as np
import pytest
import torch

from mcmc.errors import CheckpointError
from mcmc.io.checkpoint import load_checkpoint
from mcmc.io.directory import RunDirectory
from mcmc.io.reader import read_run
from mcmc.io.schema import DATASETS, Key
from mcmc.io.segment import read_segment
from mcmc.run.production import Production
from mcmc.run.simulation import Simulation
from mcmc.run.snapshot import load_arrays
from mcmc.types import replica_pairs
from tests.support.runs import finished, small_config

CONFIGURATIONS = {
    "plain": {},
    "deep with biases": {"model": {"width_ratios": [1.5, 0.5], "sigma_b": [0.0, 0.7]}, "run": {"dtype": "float64"}},
    "unbounded": {"model": {"activation": "relu"}},
    "three replicas": {"tempering": {"n_replicas": 3}},
    "one temperature": {"tempering": {"n_temperatures": 1}},
    "two temperatures": {"tempering": {"n_temperatures": 2}},
    "no exchange": {"tempering": {"exchange": False}},
    "langevin": {"sampler": {"kernel": "langevin", "steps_per_sweep": 3}},
    "one network": {"model": {"n_networks": 1, "first_network": 1000}},
    "every sweep": {"run": {"measure_every": 1}, "output": {"segment_sweeps": 10}},
    "ragged end": {"run": {"n_sweeps": 45, "measure_every": 4}},
    "end without a draw": {"run": {"n_sweeps": 50, "measure_every": 8}},
    "one long segment": {"output": {"segment_sweeps": 1000}},
    "no overlaps": {"tempering": {"n_replicas": 1}, "output": {"overlaps": False}},
}


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def produced(request, tmp_path_factory):
    """(config, directory, data) of a finished run."""
    config = small_config(**CONFIGURATIONS[request.param])
    path = tmp_path_factory.mktemp("produced") / "run"
    finished(config, path)
    return config, RunDirectory(path), read_run(path)


def test_shapes(produced):
    config, _, data = produced
    lengths = {
        "draw": config.run.n_sweeps // config.run.measure_every,
        "network": config.model.n_networks,
        "temperature": config.tempering.n_temperatures,
        "neighbour": config.tempering.n_temperatures - 1,
        "replica": config.tempering.n_replicas,
        "slot": config.tempering.n_temperatures,
        "pair": len(replica_pairs(config.tempering.n_replicas)),
        "layer": config.model.depth + 1,
        "hidden_layer": config.model.depth,
        "bin": config.output.n_bins + 2,
        "edge": config.output.n_bins + 1,
        "moment": 4,
        "check": config.n_segments,  # one a segment of fewer than 200 sweeps
    }
    for name, array in data.arrays.items():
        assert array.shape == tuple(lengths[axis] for axis in DATASETS[name].axes), name
        assert np.isfinite(array).all(), name
    assert data.is_complete
    assert data.n_sweeps == config.run.n_sweeps


def test_draws_are_numbered_through(produced):
    config, directory, _ = produced
    draws = [read_segment(path)[1].get("draw", np.arange(0)) for path in directory.segment_paths()]
    every = config.run.measure_every
    assert np.concatenate(draws).tolist() == list(range(every, config.run.n_sweeps + 1, every))


def test_steps_and_attempts_are_counted(produced):
    """Diagnostics see every sweep of the production, measured or not, and none of burn-in."""
    config, _, data = produced
    n_sweeps, n_temperatures = config.run.n_sweeps, config.tempering.n_temperatures
    assert data.arrays[Key.N_STEPS] == n_sweeps * config.sampler.steps_per_sweep
    if n_temperatures == 1:
        assert Key.SWAP_ATTEMPTS not in data.arrays
        return
    attempts = data.arrays[Key.SWAP_ATTEMPTS]
    first = config.run.n_burn_in  # parity alternates with the sweep
    wanted = [
        sum((first + i) % 2 == k % 2 for i in range(n_sweeps)) if config.tempering.exchange else 0
        for k in range(n_temperatures - 1)
    ]
    assert attempts.tolist() == wanted
    assert (data.arrays[Key.SWAP_COUNT] <= attempts[:, None]).all()
    assert (data.arrays[Key.SWAP_ACCEPTANCE_SUM] <= attempts[:, None] * (1 + 1e-12)).all()
    assert (data.arrays[Key.SWAP_COUNT].sum() > 0) == config.tempering.exchange


def test_acceptance(produced):
    config, _, data = produced
    acceptance = data.arrays[Key.ACCEPTANCE]
    assert ((acceptance > 0) & (acceptance <= 1 + 1e-12)).all()
    if data.beta[0] == 0:
        assert (acceptance[:, 0] == 1).all()
        assert (data.arrays[Key.ENERGY_ERROR_SUM][:, 0] == 0).all()
        assert (data.arrays[Key.METROPOLIS_SUM][:, 0] == config.run.n_sweeps * config.sampler.steps_per_sweep).all()


def test_histograms_are_those_of_the_series(produced):
    """Recounted with numpy from the stored series (float32, which may move a value across an edge)."""
    config, _, data = produced
    if not config.output.overlaps:
        assert not [name for name in data.arrays if "overlap" in name or "identity" in name]
        return
    counts, edges, q = data.arrays[Key.HISTOGRAM], data.arrays[Key.EDGES], data.overlap.astype(np.float64)
    n_draws, n_networks, n_temperatures, n_pairs, n_layers = q.shape
    assert (counts.sum(-1) == n_draws * n_pairs).all()
    moved = 0
    for d, k, layer in np.ndindex(n_networks, n_temperatures, n_layers):
        values = q[:, d, k, :, layer].ravel()
        cells = np.searchsorted(edges[layer], values, side="right")
        recount = np.bincount(cells, minlength=len(edges[layer]) + 1)
        moved += np.abs(recount - counts[d, k, layer]).sum() // 2
    assert moved <= 1 + 1e-4 * q.size
    powers = np.stack([(q**m).sum((0, 3)) for m in (1, 2, 3, 4)], axis=-1)
    np.testing.assert_allclose(data.arrays[Key.MOMENT_SUM], powers, rtol=1e-5, atol=1e-5)


def test_identity_is_that_of_the_series(produced):
    """Both sides, segment by segment, against the replica means of the stored series."""
    config, directory, _ = produced
    if not config.output.overlaps:
        return
    for path in directory.segment_paths():
        arrays, _, _ = read_segment(path)
        if Key.ENERGY not in arrays:
            assert Key.IDENTITY_ENERGY not in arrays, "no mean of no draws"
            continue
        np.testing.assert_allclose(arrays[Key.IDENTITY_ENERGY], arrays[Key.ENERGY].mean((0, 3)), rtol=1e-12)
        within, between = (arrays[key][..., -1].mean((0, 3)) for key in (Key.SELF_OVERLAP, Key.OVERLAP))
        wanted = -arrays[Key.BETA] * (within.astype(np.float64) - between)
        np.testing.assert_allclose(arrays[Key.IDENTITY_OVERLAP], wanted, rtol=1e-4, atol=1e-5)


def test_last_draw_is_the_state_at_the_end(produced):
    """Energies and overlaps computed afresh from the positions, slot by slot, without the exchange bookkeeping."""
    config, _, data = produced
    if config.run.n_sweeps % config.run.measure_every:
        return
    simulation = Simulation.start(config, torch.device("cpu"))
    checkpoint = load_checkpoint(produced[1].checkpoints)
    load_arrays(simulation, checkpoint.arrays, checkpoint.meta)
    x = simulation.chains[0].x
    n_networks, n_temperatures, n_replicas = simulation.shape
    energy = simulation.system.energy(x).view(simulation.shape) / config.model.n_inputs
    layers = [a.view(n_networks, n_temperatures, n_replicas, -1).to(torch.float64) for a in simulation.system.layers(x)]
    place = simulation.exchange.temp_of_slot
    for d, slot, r in np.ndindex(n_networks, n_temperatures, n_replicas):
        k = int(place[d, slot, r])
        assert data.energy[-1, d, k, r] == pytest.approx(float(energy[d, slot, r]), rel=1e-5, abs=1e-6)
    if not config.output.overlaps:
        return
    slot_at = simulation.exchange.slot_of_temp
    for layer, a in enumerate(layers):
        for d, k in np.ndindex(n_networks, n_temperatures):
            states = [a[d, int(slot_at[d, k, r]), r] for r in range(n_replicas)]
            for p, (r, s) in enumerate(replica_pairs(n_replicas)):
                q = float(states[r] @ states[s]) / a.shape[-1]
                assert data.overlap[-1, d, k, p, layer] == pytest.approx(q, rel=1e-4, abs=1e-5)
            for r in range(n_replicas):
                norm = float(states[r] @ states[r]) / a.shape[-1]
                assert data.self_overlap[-1, d, k, r, layer] == pytest.approx(norm, rel=1e-4, abs=1e-5)


def test_self_overlap_of_the_input_is_one(produced):
    config, _, data = produced
    if config.output.overlaps:
        np.testing.assert_allclose(data.self_overlap[..., 0], 1.0, rtol=1e-5)


def test_network_numbers(produced):
    config, directory, _ = produced
    _, scales, attributes = read_segment(directory.segment(0))
    first = config.model.first_network
    assert scales["network"].tolist() == list(range(first, first + config.model.n_networks))
    assert attributes["physics_hash"] == config.physics_hash()


def test_checkpoint_of_another_version(tmp_path):
    """One that observed less: what is missing, and what to do, instead of a traceback."""
    config = small_config()
    finished(config, tmp_path / "run")
    checkpoint = load_checkpoint(RunDirectory(tmp_path / "run").checkpoints)
    arrays = {name: array for name, array in checkpoint.arrays.items() if "weight_identity" not in name}
    production = Production(config, Simulation.start(config, torch.device("cpu")))
    with pytest.raises(CheckpointError, match=r"lacks observers/weight_identity/excess, .*another version") as caught:
        production.load_arrays(arrays, checkpoint.meta)
    assert len(caught.value.missing) == 2
