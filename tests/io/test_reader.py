"""All segments as one: series joined, sums added, rates averaged; a gap or a stranger among them is told."""

import tracemalloc

import numpy as np
import pytest

from mcmc.analysis.measured import network_means
from mcmc.config import parse_config
from mcmc.errors import InsufficientDataError, RunDirectoryError, SegmentError
from mcmc.io.directory import RUN_FILE, RunDirectory
from mcmc.io.reader import read_run
from mcmc.io.schema import CHECKS, DATASETS, TIME_SERIES, Key
from mcmc.io.segment import write_segment
from tests.support.segments import CONFIG, attributes_of, invented_arrays, invented_run, invented_scales, write_invented

CONSTANTS = (Key.BETA, Key.STEP_SIZE, Key.N_LEAPFROG, Key.EDGES)
NOT_JOINED = (Key.IDENTITY_ENERGY, Key.IDENTITY_OVERLAP)  # means of a segment; the series give them for the whole


def test_segments_are_joined(tmp_path):
    parts = invented_run(tmp_path)
    data = read_run(tmp_path)
    assert data.config == CONFIG
    assert (data.n_segments, data.n_sweeps, data.is_complete) == (3, 12, True)
    for name in DATASETS:
        arrays = [part[name] for part in parts]
        if name in CONSTANTS:
            wanted = arrays[0]
        elif name in (*TIME_SERIES, *CHECKS):
            wanted = np.concatenate(arrays)
        elif name == Key.ACCEPTANCE:
            steps = [float(part[Key.N_STEPS]) for part in parts]
            wanted = sum(n * array for n, array in zip(steps, arrays, strict=True)) / sum(steps)
        elif name in NOT_JOINED:
            assert name not in data.arrays
            continue
        else:
            wanted = sum(arrays)
        np.testing.assert_allclose(data.arrays[name], wanted, rtol=1e-14, err_msg=name)
    assert data.energy.shape == (12, 3, 3, 2)
    assert data.overlap.shape == (12, 3, 3, 1, 2)
    assert data.self_overlap.shape == (12, 3, 3, 2, 2)
    assert np.array_equal(data.beta, [0.0, 0.5, 1.0])


def test_a_run_that_is_going_on(tmp_path):
    invented_run(tmp_path, n_segments=2)
    (RunDirectory(tmp_path).segments / "segment-000002.h5.part").write_bytes(b"not yet")
    data = read_run(tmp_path)
    assert (data.n_segments, data.n_sweeps, data.is_complete) == (2, 8, False)


def test_last_segment_without_a_draw(tmp_path):
    """n_sweeps need not be a multiple of measure_every: the last file may hold diagnostics only."""
    invented_run(tmp_path, n_segments=1)
    arrays = invented_arrays(5)
    for name in (*TIME_SERIES, *CHECKS):
        arrays[name] = arrays[name][:0]
    scales = {axis: values for axis, values in invented_scales(1).items() if axis != "draw"}
    write_segment(RunDirectory(tmp_path).segment(1), arrays, scales, {**attributes_of(index=1), "n_sweeps": 2})
    data = read_run(tmp_path)
    assert data.energy.shape[0] == 4
    assert data.n_sweeps == 6
    assert data.arrays[Key.N_STEPS] == invented_arrays(0)[Key.N_STEPS] + arrays[Key.N_STEPS]


@pytest.mark.parametrize("lost", [0, 1])
def test_gap(tmp_path, lost):
    invented_run(tmp_path)
    RunDirectory(tmp_path).segment(lost).unlink()
    with pytest.raises(SegmentError, match=f"lacks segment {lost}: found number {lost + 1}"):
        read_run(tmp_path)


def test_segment_of_another_configuration(tmp_path):
    invented_run(tmp_path, n_segments=2)
    data = CONFIG.model_dump()
    data["run"]["seed"] = 5
    write_invented(RunDirectory(tmp_path).segment(2), index=2, config=parse_config(data))
    with pytest.raises(SegmentError, match=r"segment-000002.h5 is of another configuration"):
        read_run(tmp_path)


def test_segment_under_a_wrong_name(tmp_path):
    invented_run(tmp_path, n_segments=2)
    directory = RunDirectory(tmp_path)
    directory.segment(1).rename(directory.segment(2))
    write_invented(directory.segment(1), index=2)
    with pytest.raises(SegmentError, match="lacks segment 1"):
        read_run(tmp_path)


def test_damaged_segment(tmp_path):
    invented_run(tmp_path)
    path = RunDirectory(tmp_path).segment(1)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SegmentError, match=r"segment-000001\.h5"):
        read_run(tmp_path)


def test_no_segment_yet(tmp_path):
    invented_run(tmp_path, n_segments=0)
    with pytest.raises(InsufficientDataError, match=r"no complete results file yet.*mlp-gibbs status"):
        read_run(tmp_path)


def test_not_a_run(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"no run\.json"):
        read_run(tmp_path)


def test_run_without_overlaps(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.open_for(CONFIG, {})
    arrays = {name: array for name, array in invented_arrays().items() if "overlap" not in name}
    write_segment(directory.segment(0), arrays, invented_scales(), attributes_of())
    data = read_run(tmp_path)
    with pytest.raises(InsufficientDataError, match="measured no overlaps"):
        _ = data.overlap
    assert data.energy.shape == (4, 3, 3, 2)


def test_facts(tmp_path):
    invented_run(tmp_path, n_segments=1)
    assert read_run(tmp_path).facts == RunDirectory(tmp_path).read_json(RUN_FILE)


def long_run(path, n_segments, n_draws=5_000):
    """Series of megabytes in each segment."""
    directory, arrays = RunDirectory(path), invented_arrays()
    directory.open_for(CONFIG, {})
    rng = np.random.default_rng(1)
    series = {name: rng.normal(size=(n_draws, *arrays[name].shape[1:])) for name in TIME_SERIES}
    scales = invented_scales() | {"draw": np.arange(1, n_draws + 1)}
    for index in range(n_segments):
        write_segment(directory.segment(index), arrays | series, scales, attributes_of(index=index))
    return sum(series[name].astype(DATASETS[name].dtype).nbytes for name in TIME_SERIES)


def peak_of(path, use):
    tracemalloc.start()
    use(read_run(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_directory(tmp_path):
    """Means and sums need one segment at a time; whoever asks for a series gets it once, no parts copied."""
    size = long_run(tmp_path / "short", 2)
    assert long_run(tmp_path / "long", 12) == size
    short, long = (peak_of(tmp_path / name, network_means) for name in ("short", "long"))
    assert long < short + 0.2 * size
    whole = peak_of(tmp_path / "long", lambda data: [data.arrays[name] for name in TIME_SERIES])
    assert 12 * size < whole < 12 * size + short, "the same measure sees what is kept"


def test_means_are_those_of_the_series(tmp_path):
    invented_run(tmp_path)
    data = read_run(tmp_path)
    for name in TIME_SERIES:
        before = data.mean(name)
        np.testing.assert_allclose(before, data.arrays[name].mean((0, 3), dtype=np.float64), rtol=1e-12)
        np.testing.assert_array_equal(before, data.mean(name))
    assert (data.n_draws, data.n_networks, data.n_overlaps) == (12, 3, 12)
