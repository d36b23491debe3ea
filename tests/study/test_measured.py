"""Items of a cell are one run over all of its networks, and what does not belong together is refused."""

from dataclasses import replace

import numpy as np
import pytest

from mcmc.analysis.measured import network_means
from mcmc.errors import InsufficientDataError, RunDirectoryError
from mcmc.io.reader import read_run
from mcmc.io.schema import CHECKS, Key
from mcmc.run.driver import run
from mcmc.study.measured import check_complete, combinations, join_networks, read_cell
from tests.support.studies import SIZES, finished_study, small_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return small_study(folder, output={"segment_sweeps": 80}, run={"n_burn_in": 20, "n_sweeps": 160})


@pytest.fixture(scope="module")
def directory(tmp_path_factory, study):
    return finished_study(tmp_path_factory.mktemp("done"), study)


def test_blocks_are_the_networks_of_one_run(study, directory, tmp_path):
    """With fixed step sizes the items of a cell hold, bit for bit, what one run over all networks holds."""
    (cells,) = combinations(study)
    measured = read_cell(directory, cells[0])
    config = cells[0].config
    assert measured.data.config.model == config.model
    assert measured.networks.tolist() == list(range(config.model.n_networks))
    assert len(measured.items) == 2
    blocks = [read_run(directory.run_directory(item).path) for item in study.items()[:2]]
    for key in (Key.ENERGY, Key.OVERLAP):
        assert np.array_equal(measured.data.arrays[key], np.concatenate([b.arrays[key] for b in blocks], axis=1))
    assert np.array_equal(
        network_means(measured.data).overlap, np.concatenate([network_means(b).overlap for b in blocks])
    )


def test_the_joined_cell_is_that_of_one_run(tmp_path):
    """No burn-in, hence no adaptation: one run over all networks measures the same numbers."""
    study = small_study(
        tmp_path, sampler={"step_size": 0.2}, run={"n_burn_in": 0, "n_sweeps": 20}, output={"segment_sweeps": 20}
    )
    cell = next(study.cells())
    measured = read_cell(
        finished_study(tmp_path, replace(study, n_inputs=(8,), n_networks=(8,), item_networks=(4,))), cell
    )
    run(cell.config, tmp_path / "whole", is_quiet=True)
    whole = read_run(tmp_path / "whole")
    assert measured.data.arrays.keys() >= {Key.ENERGY, Key.OVERLAP, Key.HISTOGRAM, Key.MOMENT_SUM, Key.ROUND_TRIPS}
    for name, array in measured.data.arrays.items():
        if name not in CHECKS:
            np.testing.assert_array_equal(array, whole.arrays[name], err_msg=name)


def test_sizes_of_a_combination_increase_whatever_the_file_says(tmp_path):
    study = small_study(tmp_path, grid='[study.grid]\nmodel.activation = ["tanh", "sin"]\n')
    groups = combinations(replace(study, n_inputs=tuple(reversed(SIZES))))
    assert [[cell.n_inputs for cell in cells] for cells in groups] == [list(SIZES)] * 2
    assert [cells[0].config.model.activation for cells in groups] == ["tanh", "sin"]


@pytest.mark.parametrize(("key", "shift"), [(Key.BETA, 0.1), (Key.EDGES, 0.1)])
def test_blocks_at_other_temperatures_or_bins_are_refused(study, directory, key, shift):
    paths = [directory.run_directory(item).path for item in study.items()[:2]]
    first, second = map(read_run, paths)
    other = replace(second, arrays={**second.arrays, key: second.arrays[key] + shift})
    with pytest.raises(RunDirectoryError, match=rf"{paths[1].name} does not go together with .* {key} differs"):
        join_networks([first, other], paths)


def test_blocks_of_other_lengths_are_refused(study, directory):
    paths = [directory.run_directory(item).path for item in study.items()[:2]]
    first, second = map(read_run, paths)
    shorter = replace(second, arrays={**second.arrays, Key.ENERGY: second.energy[:-1]})
    with pytest.raises(RunDirectoryError, match="observables/energy"):
        join_networks([first, shorter], paths)


def test_missing_items_are_named(study, directory):
    check_complete(directory)
    item = study.items()[0]
    segment = directory.run_directory(item).segment_paths()[-1]
    kept = segment.read_bytes()
    segment.unlink()
    try:
        with pytest.raises(InsufficientDataError, match=rf"lacks 1 items of its study: {item.name}.*--partial"):
            check_complete(directory)
        measured = read_cell(directory, next(study.cells()))
        assert measured.n_missing == 1
        assert measured.networks.tolist() == [4, 5, 6, 7]
    finally:
        segment.write_bytes(kept)
