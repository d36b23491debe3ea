"""Every command on a small run: exit status, JSON with exactly the documented keys, words, figures."""

import json
import os
import signal
from pathlib import Path

import pytest

from mcmc._version import __version__
from mcmc.analysis.health import run_health
from mcmc.compare.comparison import compare_with_theory
from mcmc.interrupt import EXIT_INTERRUPTED
from mcmc.io.directory import RunDirectory
from mcmc.io.reader import read_run
from mcmc.run.simulation import Simulation
from tests.plots.test_figures import assert_is_a_picture
from tests.support.cli import answer_of, invoke, json_of
from tests.support.runs import as_toml, contents, finished, small_config, small_data, stopping_at

LINEAR = {"model": {"activation": "linear", "n_networks": 4}}


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(as_toml(small_data(**LINEAR)))
    return path


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A finished run of linear networks, whose theory is cheap."""
    path = tmp_path_factory.mktemp("complete") / "run"
    finished(small_config(**LINEAR), path)
    return path


# --- the command itself


@pytest.mark.parametrize("name", ["run", "status", "theory", "compare", "plot", "verify"])
def test_help(capsys, name):
    assert name in answer_of(capsys, "--help")
    text = answer_of(capsys, name, "--help")
    assert "--json" in text
    assert text.startswith("Usage: mlp-gibbs")


def test_version(capsys):
    assert answer_of(capsys, "--version") == f"mlp-gibbs {__version__}\n"


def test_without_a_command_the_help_is_shown(capsys):
    answer = invoke(capsys)
    assert answer.status == 2
    assert "Usage" in answer.out + answer.err


# --- run


def test_run_and_resume(capsys, tmp_path, toml):
    record = json_of(capsys, "run", toml, "--out", tmp_path / "run")
    keys = ["directory", "is_complete", "sweep", "n_total", "seconds", "signal_name", "reason", "exit_code"]
    keys += ["trajectories"]
    assert list(record) == keys
    assert record | {"seconds": 0} == {
        "directory": str(tmp_path / "run"),
        "is_complete": True,
        "sweep": 138,
        "n_total": 138,
        "seconds": 0,
        "signal_name": None,
        "reason": None,
        "exit_code": 0,
        "trajectories": run_health(tmp_path / "run")["trajectories"],
    }
    before = contents(tmp_path / "run")
    text = answer_of(capsys, "run", toml, "--out", tmp_path / "run")
    assert f"complete: {tmp_path / 'run'}" in text
    assert f"mlp-gibbs compare {tmp_path / 'run'}" in text
    assert contents(tmp_path / "run") == before


def test_json_mode_is_silent_on_standard_error(capsys, tmp_path, toml):
    assert invoke(capsys, "run", toml, "--out", tmp_path / "run", "--json").err == ""


def test_default_directory_is_named_after_the_configuration(capsys, tmp_path, toml, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer_of(capsys, "run", toml)
    assert RunDirectory(tmp_path / "results" / "small").exists()
    answer_of(capsys, "run", toml, "--set", "output.directory=elsewhere/x")
    assert RunDirectory(tmp_path / "elsewhere" / "x").exists()
    answer_of(capsys, "run", toml, "--set", "output.directory=elsewhere/y", "--out", "here")
    assert RunDirectory(tmp_path / "here").exists()
    assert not (tmp_path / "elsewhere" / "y").exists()


def test_set_and_device(capsys, tmp_path, toml):
    sets = ["--set", "run.seed=7", "--set", "model.activation=sin", "--device", "cpu"]
    answer_of(capsys, "run", toml, "--out", tmp_path / "run", *sets)
    config = read_run(tmp_path / "run").config
    assert (config.run.seed, config.model.activation, config.run.device) == (7, "sin", "cpu")


@pytest.mark.parametrize("mode", ["json", "text"])
def test_signal_gives_75(capsys, tmp_path, toml, monkeypatch, mode):
    monkeypatch.setattr(
        Simulation, "advance_by", stopping_at([100], lambda sweep: os.kill(os.getpid(), signal.SIGTERM))
    )
    answer = invoke(capsys, "run", toml, "--out", tmp_path / "run", *(["--json"] if mode == "json" else []))
    assert answer.status == EXIT_INTERRUPTED == 75
    if mode == "json":
        record = json.loads(answer.out)
        assert (record["exit_code"], record["signal_name"], record["sweep"]) == (75, "SIGTERM", 100)
    else:
        assert "stopped by SIGTERM at sweep 100 of 138; checkpoint written. The same command resumes." in answer.out


def test_dry_run(capsys, tmp_path, toml, monkeypatch):
    monkeypatch.setattr("mcmc.run.plan.PILOT_S", 0.05)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    record = json_of(capsys, "run", toml, "--dry-run")
    assert {
        "device",
        "widths",
        "n_networks",
        "n_temperatures",
        "n_replicas",
        "n_chains",
        "memory_bytes",
        "free_bytes",
        "flops_per_sweep",
        "seconds_per_sweep",
        "estimated_seconds",
        "n_segments",
    } <= record.keys()
    uses = {"weights", "packed_weights", "positions", "activations", "series_of_a_segment", "histograms"}
    assert record["memory_bytes"].keys() == uses | {"files_being_written", "total"}
    text = answer_of(capsys, "run", toml, "--dry-run")
    for words in ("chains", "memory", "FLOPs per sweep", "time per sweep", "whole run"):
        assert words in text
    assert sorted(tmp_path.iterdir()) == before


# --- status


def test_status(capsys, complete):
    record = json_of(capsys, "status", complete)
    assert list(record) == [
        "directory",
        "state",
        "sweep",
        "n_total",
        "until_error",
        "n_segments",
        "n_segments_total",
        "acceptance",
        "metropolis",
        "swap_rate",
        "barrier",
        "round_trips_mean",
        "round_trips_worst",
        "equilibrated",
        "reasons",
        "trajectories",
    ]
    assert (record["state"], record["sweep"], record["n_segments"]) == ("complete", 138, 3)
    assert record["equilibrated"] in ("yes", "no", "unknown")
    text = answer_of(capsys, "status", complete)
    assert f"{complete}: complete, sweep 138 of 138 (3 of 3 results files)" in text
    for words in ("acceptance", "swap rates", "barrier Lambda", "round trips per walker", "equilibrated so far"):
        assert words in text
    for reason in record["reasons"]:
        assert reason in text


def test_status_while_another_process_writes(capsys, complete):
    """It takes no lock, and leaves the one that is there."""
    with RunDirectory(complete).locked():
        assert json_of(capsys, "status", complete)["state"] == "complete"
        assert (complete / "lock").exists()


# --- compare


def test_compare(capsys, complete, tmp_path):
    figure = tmp_path / "figure.png"
    record = json_of(capsys, "compare", complete, "--figure", figure)
    assert list(record) == ["comparisons", "predictions", "distances", "verdict", "figure"]
    keys = ["beta", "observable", "measured", "stderr", "n_networks", "predicted", "n_sigma", "ansatz"]
    assert all(list(row) == keys for row in record["comparisons"])
    assert record["figure"] == str(figure)
    assert_is_a_picture(figure)
    comparison = compare_with_theory(read_run(complete))
    assert record["verdict"] == comparison.verdict
    assert [row["observable"] for row in record["comparisons"]] == [m.observable for m in comparison.matches]
    for row, m in zip(record["comparisons"], comparison.matches, strict=True):
        assert (row["beta"], row["measured"], row["stderr"]) == (m.beta, m.measured.value, m.measured.stderr)
    assert not (complete / "comparison.png").exists()


def test_compare_in_words(capsys, complete):
    text = answer_of(capsys, "compare", complete)
    header, *_ = text.splitlines()
    assert header.split() == ["beta", "observable", "measured", "stderr", "predicted", "n_sigma", "ansatz"]
    assert "Identity A" in text
    assert f"figure: {complete / 'comparison.png'}" in text
    assert_is_a_picture(complete / "comparison.png")
    (complete / "comparison.png").unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ansatz", "2rsb"], "unknown ansatz '2rsb'"),
        (["--ansatz", "krsb"], "krsb needs it, as in --ansatz krsb --steps 3"),
        (["--steps", "2"], "--steps goes with --ansatz krsb"),
    ],
)
def test_compare_with_a_wrong_ansatz(capsys, tmp_path, options, message):
    """Told before the run is read, whether there is one or not."""
    answer = invoke(capsys, "compare", tmp_path, *options)
    assert (answer.status, len(answer.err.splitlines())) == (2, 1)
    assert message in answer.err


def test_compare_with_one_step_where_symmetry_holds(capsys, complete):
    record = json_of(capsys, "compare", complete, "--ansatz", "1rsb")
    assert {row["ansatz"] for row in record["comparisons"]} == {"rs"}
    assert all(prediction["note"] for prediction in record["predictions"])
    assert "stand in for the ansatz asked for" in record["verdict"]
    (complete / "comparison.png").unlink()


@pytest.mark.parametrize("name", ["figure.foo", "figure"])
def test_compare_with_an_unknown_format(capsys, complete, tmp_path, name):
    answer = invoke(capsys, "compare", complete, "--figure", tmp_path / name)
    assert answer.status == 2
    assert "format of figures" in answer.err


def test_compare_of_one_network(capsys, tmp_path):
    finished(small_config(model={"n_networks": 1}), tmp_path / "run")
    answer = invoke(capsys, "compare", tmp_path / "run")
    assert (answer.status, len(answer.err.splitlines())) == (1, 1)
    assert "at least 2 networks, found 1" in answer.err


# --- plot


def test_plot(capsys, complete, tmp_path):
    record = json_of(capsys, "plot", complete, "--out", tmp_path / "figures")
    names = ["energy", "diagnostics", "overlap"]
    assert record == {"figures": [str(tmp_path / "figures" / f"{name}.png") for name in names]}
    for path in record["figures"]:
        assert_is_a_picture(Path(path))


def test_plot_in_words(capsys, tmp_path):
    """Into the run directory, and without overlaps one figure less."""
    finished(small_config(tempering={"n_replicas": 1}, output={"overlaps": False}), tmp_path / "run")
    lines = answer_of(capsys, "plot", tmp_path / "run").splitlines()
    assert lines == [str(tmp_path / "run" / "figures" / f"{name}.png") for name in ("energy", "diagnostics")]
    assert all(Path(line).exists() for line in lines)


def test_plot_where_nothing_can_be_written(capsys, complete, tmp_path):
    (tmp_path / "file").write_text("in the way")
    answer = invoke(capsys, "plot", complete, "--out", tmp_path / "file")
    assert (answer.status, len(answer.err.splitlines())) == (1, 1)
    assert "cannot write " in answer.err
