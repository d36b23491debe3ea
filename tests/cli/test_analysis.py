"""`health`, `estimate` and `free-energy`: words, JSON, files, and one clear error where there is nothing to say."""

import json
import shutil

import numpy as np
import pytest

from mcmc.io.schema import Key
from tests.cli.test_commands import answer_of, json_of
from tests.plots.test_figures import assert_is_a_picture
from tests.support.cli import invoke
from tests.support.runs import finished, small_config

LINEAR = {"activation": "linear", "n_networks": 6, "sigma_w": 1.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("analysis") / "run"
    sections = {"run": {"n_sweeps": 200, "measure_every": 1}, "output": {"segment_sweeps": 100}}
    finished(small_config(model=LINEAR, tempering={"beta_max": 1.0}, **sections), path)
    return path


def failure_of(capsys, *arguments):
    """Exit status and message of a command that fails, whose --json is still one JSON object."""
    answer = invoke(capsys, *arguments, "--json")
    assert json.loads(answer.out)["error"]["message"] in answer.err
    assert "Traceback" not in answer.err
    return answer.status, answer.err


@pytest.mark.parametrize("name", ["health", "estimate", "export", "free-energy", "overlap"])
def test_help(capsys, name):
    assert "--json" in answer_of(capsys, name, "--help")


def test_health(capsys, run):
    record = json_of(capsys, "health", run)
    assert record["equilibrated"] in ("yes", "no")
    assert len(record["networks"]) == 6
    text = answer_of(capsys, "health", run)
    for reason in record["reasons"]:
        assert reason in text
    for words in (
        "identities of the layers: largest deviation",
        "max tau_overlap",
        f"equilibrated: {record['equilibrated']}",
    ):
        assert words in text
    assert text.count("hard: network") == len(record["hard_networks"])


def test_estimate(capsys, run, tmp_path):
    archive = tmp_path / "r.npz"
    record = json_of(capsys, "estimate", run, "--resamples", archive)
    assert list(record) == ["n_networks", "bootstrap_seed", "estimates"]
    keys = ["observable", "beta", "value", "stderr", "lower", "upper", "gain"]
    assert all(list(row) == keys for row in record["estimates"])
    resamples = np.load(archive)
    names = {row["observable"] for row in record["estimates"]}
    assert set(resamples.files) == names | {"beta"}
    (row,) = (r for r in record["estimates"] if r["observable"] == "binder_0" and r["beta"] == resamples["beta"][2])
    assert row["stderr"] == pytest.approx(resamples["binder_0"][:, 2].std(ddof=1) * np.sqrt(6 / 5))
    assert "overlap_width_1" in answer_of(capsys, "estimate", run)


def test_resamples_in_another_format(capsys, run, tmp_path):
    status, message = failure_of(capsys, "estimate", run, "--resamples", tmp_path / "r.csv")
    assert status == 2
    assert ".npz" in message


def test_overlap(capsys, run, tmp_path):
    record = json_of(capsys, "overlap", run, run, "--figure", tmp_path / "o.png")
    assert list(record) == ["runs", "figure"]
    assert [r["directory"] for r in record["runs"]] == [str(run)] * 2
    assert len(record["runs"][0]["laws"]) == 8
    assert_is_a_picture(tmp_path / "o.png")
    text = answer_of(capsys, "overlap", run, "--layer", "1", "--figure", tmp_path / "o.png")
    assert "share of networks" in text
    assert len([line for line in text.splitlines() if line.startswith("8 ")]) == 4
    status, message = failure_of(capsys, "overlap", run, "--layer", "2")
    assert status == 2
    assert "--layer is 0 to 1 here, found 2" in message


def test_export(capsys, run, tmp_path):
    assert json_of(capsys, "export", run, "--to", tmp_path / "run.nc") == {"files": [str(tmp_path / "run.nc")]}
    assert str(tmp_path / "csv" / "energy_density.csv") in answer_of(capsys, "export", run, "--to", tmp_path / "csv")
    status, message = failure_of(capsys, "export", run, "--to", tmp_path / "run.nc")
    assert status == 2
    assert "--force" in message
    json_of(capsys, "export", run, "--to", tmp_path / "run.nc", "--force")


def test_free_energy(capsys, run, tmp_path):
    figure = tmp_path / "f.png"
    record = json_of(capsys, "free-energy", run, "--figure", figure)
    assert list(record) == ["n_networks", "temperatures", "figure"]
    assert_is_a_picture(figure)
    coldest = record["temperatures"][-1]
    assert set(coldest["estimators"]) == {"thermodynamic_integration", "stepping_forward", "stepping_backward", "mbar"}
    assert coldest["free_entropy_density"]["value"] > 0
    assert "agree in all 6 networks" in answer_of(capsys, "free-energy", run, "--figure", figure)


def test_free_energy_without_overlaps(capsys, tmp_path):
    """There is no identity A to control by: plain averages, gain 1."""
    sections = {"run": {"n_sweeps": 200, "measure_every": 1}, "output": {"segment_sweeps": 100, "overlaps": False}}
    finished(small_config(model=LINEAR, tempering={"beta_max": 1.0}, **sections), tmp_path / "run")
    record = json_of(capsys, "free-energy", tmp_path / "run")
    assert all(row["entropy_density"]["gain"] == 1.0 for row in record["temperatures"])


def test_an_unstable_prediction_is_told(capsys, run, tmp_path, monkeypatch):
    from mcmc.compare import free_energy

    figure = ("--figure", tmp_path / "f.png")
    assert "symmetry is unstable" not in answer_of(capsys, "free-energy", run, *figure)
    true = free_energy.Thermodynamics.rows

    def rows(self):
        return [{**row, "predicted_stable": row["beta"] < 1.0} for row in true(self)]

    monkeypatch.setattr(free_energy.Thermodynamics, "rows", rows)
    assert "from beta = 1 on replica symmetry is unstable" in answer_of(capsys, "free-energy", run, *figure)


def test_disagreement_is_an_error(capsys, run, tmp_path, monkeypatch):
    """Energies of one temperature shifted: no figure, no numbers, the reason."""
    from mcmc.io import reader

    true = reader.read_run

    def shifted(path):
        data = true(path)
        data.arrays[Key.ENERGY][:, 2, 1] += 0.8
        return data

    monkeypatch.setattr(reader, "read_run", shifted)
    status, message = failure_of(capsys, "free-energy", run, "--figure", tmp_path / "f.png")
    assert status == 1
    assert "do not agree" in message
    assert "network 2" in message
    assert not (tmp_path / "f.png").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"n_networks": 2}}, "at least 4 of them, found 2"),
        ({"tempering": {"n_temperatures": 1}}, "found the single beta"),
        ({"tempering": {"beta_min": 0.5}}, "starts at beta = 0"),
        ({"tempering": {"betas": [0.0, 40.0]}}, "does not overlap between beta = 0 and 40"),
        ({"run": {"n_sweeps": 20}}, "at least 40 draws"),
    ],
)
def test_runs_without_a_free_energy(capsys, tmp_path, changes, words):
    tempering = {} if "betas" in changes.get("tempering", {}) else {"beta_max": 1.0, "n_temperatures": 3}
    sections = {"model": LINEAR, "tempering": tempering, "run": {"n_burn_in": 20, "n_sweeps": 60, "measure_every": 1}}
    sections = {name: {**values, **changes.get(name, {})} for name, values in sections.items()}
    config = small_data_without_ladder(sections)
    finished(config, tmp_path / "run")
    status, message = failure_of(capsys, "free-energy", tmp_path / "run")
    assert status == 1
    assert words in message


FILES = {"health": [], "estimate": [], "overlap": [], "compare": [], "free-energy": [], "export": ["--to", "out.nc"]}


@pytest.mark.parametrize("name", FILES)
def test_segments_of_different_configurations(capsys, run, tmp_path, monkeypatch, name):
    """Somebody copied a results file of another seed into the directory."""
    monkeypatch.chdir(tmp_path)
    mixed = tmp_path / "mixed"
    shutil.copytree(run, mixed)
    sections = {"run": {"n_sweeps": 200, "measure_every": 1, "seed": 12}, "output": {"segment_sweeps": 100}}
    finished(small_config(model=LINEAR, tempering={"beta_max": 1.0}, **sections), tmp_path / "other")
    shutil.copy(tmp_path / "other/segments/segment-000001.h5", mixed / "segments")
    before = sorted(mixed.rglob("*"))
    status, message = failure_of(capsys, name, mixed, *FILES[name])
    assert status == 1
    assert "segment-000001.h5 is of another configuration than run.json: move it out of" in message
    assert sorted(mixed.rglob("*")) == before
    assert not (tmp_path / "out.nc").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("estimate", "at least 4 of them, found 2: set model.n_networks higher"),
        ("overlap", "at least 4 of them, found 2: set model.n_networks higher"),
        ("health", "needs 20 draws and 4 networks, found 200 draws of 2 networks: set model.n_networks higher"),
    ],
)
def test_too_few_networks(capsys, tmp_path, name, words):
    sections = {"run": {"n_sweeps": 200, "measure_every": 1}, "output": {"segment_sweeps": 100}}
    finished(small_config(model=LINEAR | {"n_networks": 2}, tempering={"beta_max": 1.0}, **sections), tmp_path / "run")
    if name == "health":
        assert json_of(capsys, name, tmp_path / "run")["equilibrated"] == "unknown"
        assert words in answer_of(capsys, name, tmp_path / "run")
        return
    status, message = failure_of(capsys, name, tmp_path / "run")
    assert status == 1
    assert words in message


def small_data_without_ladder(sections):
    """`small_config` whose own ladder gives way to given betas."""
    from mcmc.config import parse_config
    from tests.support.runs import small_data

    data = small_data(**sections)
    if "betas" in data["tempering"]:
        data["tempering"] = {"betas": data["tempering"]["betas"]}
    return parse_config(data)
