"""`mlp-gibbs phase` and its figure, as typed."""

import json

import matplotlib.image
import pytest

from tests.support.cli import invoke

WIDE = ["--width-ratio", "inf", "--workers", "1"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("phase") / "d"


@pytest.fixture
def summary(capsys, path):
    """Of a small diagram; computed once, then resumed."""
    answer = invoke(capsys, "phase", *WIDE, "--scan", "sigma_w=1,2", "--scan", "beta=1:3:3", "--out", path, "--json")
    assert answer.status == 0, answer.err
    return json.loads(answer.out)


def test_summary(summary, path):
    assert summary["n_points"] == 6
    assert summary["phases"] == {"RS": 5, "1RSB": 1}
    assert summary["not_solved"] == []
    assert len(summary["lines"]) == 6
    (static,) = [line for line in summary["lines"] if line["kind"] == "static" and line["sigma_w"] == 2]
    assert static["beta"] == pytest.approx(2.0137068, abs=1e-6)
    assert {line["beta"] for line in summary["lines"] if line["sigma_w"] == 1} == {None}
    assert matplotlib.image.imread(summary["figure"]).shape[2] == 4


def test_the_same_command_takes_up_everything(summary, path, capsys):
    again = invoke(capsys, "phase", *WIDE, "--scan", "sigma_w=1:2:2", "--scan", "beta=1,2,3", "--out", path)
    assert again.status == 0, again.err
    assert "6 points in 2 items (2 resumed)" in again.out
    assert "2.0137" in again.out
    assert "none found up to beta" in again.out


def test_another_model_is_refused(summary, path, capsys):
    other = ["phase", *WIDE, "--activation", "tanh", "--scan", "sigma_w=1,2", "--scan", "beta=1,2,3", "--out", path]
    answer = invoke(capsys, *other, "--json")
    assert answer.status == 1
    assert "activation: sin -> tanh" in json.loads(answer.out)["error"]["message"]


@pytest.mark.parametrize("name", ["", "diagram.h5"])
def test_the_figure_is_drawn_again_from_the_files(summary, path, capsys, tmp_path, name):
    answer = invoke(capsys, "plot", path / name, "--out", tmp_path, "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out) == {"figures": [str(tmp_path / "diagram.png")]}
    assert (tmp_path / "diagram.png").read_bytes() == (path / "diagram.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scan", "beta"], ["KEY=VALUES"]),
        (["--scan", "bta=1:2:3"], ["unknown key 'bta'", "Did you mean 'beta'?"]),
        (["--scan", "beta=0:2:3"], ["beta > 0"]),
        (["--scan", "beta=1:2:0"], ["n=0"]),
        (["--scan", "beta=1,2", "--beta", "3"], ["scanned and given"]),
        (["--scan", "sigma_w=1,2"], ["no temperature"]),
        (["--scan", "sigma_w=1,2", "--beta", "-3"], ["beta > 0, found -3"]),
        (["--scan", "sigma_w=1,2", "--scan", "beta=1", "--sigma-w", "3"], ["scanned and given too: sigma_w"]),
        (["--scan", "beta=1", "--scan", "beta=2"], ["different"]),
        (["--scan", "beta=1", "--workers", "0"], ["--workers: expected at least 1, found 0"]),
        (["--scan", "beta=1", "--activation", "sine"], ["Did you mean 'sin'"]),
        (["--scan", "sigma_w=-1,1", "--beta", "2"], ["sigma_w: expected finite numbers > 0"]),
        (["--scan", "beta=1", "--activation-param", "shape"], ["NAME=NUMBER"]),
        ([], ["Missing option '--scan'"]),
    ],
)
def test_wrong_usage(capsys, tmp_path, arguments, words):
    answer = invoke(capsys, "phase", *arguments, "--out", tmp_path / "d")
    assert answer.status == 2, answer
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err
    assert not (tmp_path / "d").exists()


def test_where_nothing_can_be_written(capsys, tmp_path):
    (tmp_path / "file").touch()
    answer = invoke(capsys, "phase", "--scan", "beta=1", "--out", tmp_path / "file" / "d", "--json")
    assert answer.status == 1
    assert "cannot write" in json.loads(answer.out)["error"]["message"]


def test_plot_of_a_file_that_is_no_diagram(capsys, tmp_path):
    (tmp_path / "x.h5").write_text("no")
    answer = invoke(capsys, "plot", tmp_path / "x.h5")
    assert answer.status == 1
    assert "cannot read" in answer.err
