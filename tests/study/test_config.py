"""The study file: what it means, and what is told about a wrong one."""

import pytest

from mcmc.errors import ConfigError
from mcmc.study.config import Study, load_study
from mcmc.study.items import cut_into_items
from tests.support.studies import write_study


def test_cells_are_cases_times_grid_times_sizes(tmp_path):
    path = write_study(
        tmp_path,
        n_inputs=[6, 8],
        n_networks=[5, 4],
        cases=[{"model.activation": "sin", "tempering.beta_max": 4.0}, {"model.activation": "tanh"}],
        grid={"model.sigma_w": [1.0, 2.0]},
    )
    cells = list(load_study(path).cells())
    assert len(cells) == 2 * 2 * 2
    assert [cell.n_inputs for cell in cells] == [6, 8] * 4
    first = cells[1]
    assert first.settings == {"model.activation": "sin", "tempering.beta_max": 4.0, "model.sigma_w": 1.0}
    assert (first.config.model.n_inputs, first.config.model.n_networks) == (8, 4)
    assert first.config.tempering.beta_max == 4.0
    assert cells[-1].config.model.sigma_w == 2.0
    assert cells[-1].config.tempering.beta_max == 3.0, "as the base has it"


def test_widths_keep_their_ratios(tmp_path):
    path = write_study(tmp_path, n_inputs=[8, 16, 32], base={"model": {"width_ratios": [2.0, 0.5]}})
    assert [cell.config.model.widths for cell in load_study(path).cells()] == [(8, 16, 4), (16, 32, 8), (32, 64, 16)]


def test_grid_written_as_dotted_text_or_as_tables(tmp_path):
    dotted = load_study(write_study(tmp_path, grid={"model.sigma_w": [1.0, 2.0]}))
    tables = load_study(write_study(tmp_path, grid={"model": {"sigma_w": [1.0, 2.0]}}))
    assert dotted == tables
    nested = write_study(
        tmp_path, grid={"model": {"activation": ["shaped_tanh"], "activation_params": {"shape": [2.0]}}}
    )
    (cell, *_) = load_study(nested).cells()
    assert cell.config.model.activation_params == {"shape": 2.0}


def test_items_cut_a_cell_into_its_networks_each_once(tmp_path):
    path = write_study(
        tmp_path, n_inputs=[6, 8], n_networks=[7, 4], item_networks=[3, 4], base={"model": {"first_network": 10}}
    )
    study = load_study(path)
    for cell in study.cells():
        items = cut_into_items(cell)
        networks = [n for item in items for n in _networks(item.config)]
        assert networks == list(_networks(cell.config)), "as the one big run numbers them"
        assert {item.config.run.seed for item in items} == {cell.config.run.seed}
        assert [item.block for item in items] == list(range(len(items)))
    assert [item.name for item in study.items()] == [
        "n0006_net000010",
        "n0006_net000013",
        "n0006_net000016",
        "n0008_net000010",
    ]


def _networks(config):
    return range(config.model.first_network, config.model.first_network + config.model.n_networks)


def test_seeds_of_cells_differ_and_do_not_depend_on_the_other_cells(tmp_path):
    many = load_study(write_study(tmp_path, n_inputs=[6, 8], grid={"model.sigma_w": [1.0, 2.0]}))
    seeds = {(cell.n_inputs, cell.settings["model.sigma_w"]): cell.config.run.seed for cell in many.cells()}
    assert len(set(seeds.values())) == 4
    (one,) = load_study(write_study(tmp_path, n_inputs=[8], grid={"model.sigma_w": [2.0]})).cells()
    assert one.config.run.seed == seeds[8, 2.0]
    (other,) = load_study(
        write_study(tmp_path, n_inputs=[8], grid={"model.sigma_w": [2.0]}, base={"run": {"seed": 12}})
    ).cells()
    assert other.config.run.seed != one.config.run.seed


def test_names_are_unique_and_can_be_paths(tmp_path):
    betas = [[0.0, 1.0, 2.0], [0.0, 1.0, 2.5]]
    study = load_study(
        write_study(
            tmp_path,
            base={"tempering": {"betas": betas[0]}},
            drop=["tempering.beta_max", "tempering.n_temperatures"],
            grid={"tempering.betas": [*betas, [0.001 * k for k in range(40)]]},
        )
    )
    names = [item.name for item in study.items()]
    assert len(set(names)) == len(names)
    assert all("/" not in name and len(name) < 120 for name in names)


def test_a_study_comes_back_from_its_identity(tmp_path):
    study = load_study(write_study(tmp_path, grid={"model.sigma_w": [1.0, 2.0]}))
    assert Study.from_identity(study.identity()) == study


def test_no_ladder_adapts(tmp_path):
    assert not any(item.config.tempering.adapt for item in load_study(write_study(tmp_path)).items())
    with pytest.raises(ConfigError, match=r"adapt = true would give every size its own temperatures"):
        load_study(write_study(tmp_path, base={"tempering": {"adapt": True}}))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"n_networks": [3, 4, 5]}, r"n_networks has 3 numbers for 2 sizes"),
        ({"item_networks": [3]}, r"item_networks has 1 numbers for 2 sizes"),
        ({"n_inputs": []}, r"study.n_inputs: "),
        ({"n_inputs": [8, 8]}, r"n_inputs has a size twice"),
        ({"n_inputs": [1, 8]}, r"greater than or equal to 2, found 1"),
        ({"n_network": 3}, r"unknown key. Did you mean 'n_networks'"),
        ({"grid": {"model.sigma": [1.0]}}, r"model.sigma: unknown key. Did you mean 'sigma_w'"),
        ({"grid": {"modle.sigma_w": [1.0]}}, r"modle: unknown key. Did you mean 'model'"),
        ({"grid": {"model.sigma_w": 1.0}}, r"model.sigma_w must be a list of values, found 1.0"),
        ({"grid": {"model.sigma_w": []}}, r"model.sigma_w must be a list of values"),
        (
            {"grid": {"model.sigma_w": [1.0, -1.0]}},
            r"sigma_w-\+?-?1, n_inputs = 6: 1 problem\n  model: sigma_w must be positive",
        ),
        ({"grid": {"model.sigma_w": [1.0, 1.0]}}, r"model.sigma_w has a value twice"),
        ({"grid": {"model.n_inputs": [4]}}, r"model.n_inputs cannot be an axis"),
        ({"grid": {"model.sigma_w": [1.0]}, "cases": [{"model.sigma_w": 1.0}]}, r"is in grid and in cases"),
        ({"cases": []}, r"cases: List should have at least 1 item"),
        ({"base": "missing.toml"}, r"cannot read the base of the study .*missing.toml: No such file"),
        ({"base": "study.toml"}, r"\(base of .*study.toml\): .*\n.*model: is required"),
    ],
)
def test_wrong_studies_are_explained(tmp_path, section, message):
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(tmp_path, **section))


def test_assignments_reach_the_study_and_its_base(tmp_path):
    path = write_study(tmp_path, grid={"model.sigma_w": [1.0, 2.0]})
    study = load_study(path, ["study.n_networks=6", "run.n_sweeps = 30", "output.n_bins=40"])
    assert {cell.config.model.n_networks for cell in study.cells()} == {6}
    assert {(cell.config.run.n_sweeps, cell.config.output.n_bins) for cell in study.cells()} == {(30, 40)}
    seeds = [[cell.config.run.seed for cell in one.cells()] for one in (study, load_study(path))]
    assert seeds[0] == seeds[1], "the networks are those of the study without it"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.sigma_w=3", r"--set model.sigma_w=3: model.sigma_w is in grid or cases of the study"),
        ("model.n_inputs=9", r"model.n_inputs is decided by the study or by the engine, .* Set study.n_inputs"),
        ("run.device=cuda", r"run.device is decided by the study or by the engine"),
        ("run.n_sweps=3", r"\(base of .*study.toml\): .*\n.*n_sweps: unknown key. Did you mean 'n_sweeps'"),
        ("stduy.n_networks=3", r"\(base of .*study.toml\): .*\n.*stduy: unknown key"),
        ("n_networks=3", r"--set expects section.key=value"),
    ],
)
def test_assignments_without_effect_are_explained(tmp_path, assignment, message):
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(tmp_path, grid={"model.sigma_w": [1.0, 2.0]}), [assignment])


def test_files_that_are_no_study_are_explained(tmp_path):
    path = write_study(tmp_path)
    with pytest.raises(ConfigError, match=r"no section \[study\].*This looks like a run configuration"):
        load_study(path.parent / "run.toml")
    path.write_text("[study")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_study(path)
    with pytest.raises(ConfigError, match="cannot read the study"):
        load_study(tmp_path)
