"""`mlp-gibbs flow`: table, JSON, figure, errors."""

import json

import pytest
import typer
from typer.testing import CliRunner

from mcmc.cli.flow import flow
from mcmc.errors import ConfigError, UsageError

app = typer.Typer()
app.command()(flow)


def run(*words):
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_json_and_figure(tmp_path):
    figure = tmp_path / "flow.png"
    result = run("--beta", "2", "--at-depth", "3", "--at-depth", "2", "--figure", str(figure), "--json")
    (record,) = json.loads(result.stdout)
    assert record["free_entropy_density"] == pytest.approx(0.44412616, abs=1e-7)
    assert record["stable"] is True
    assert len(record["depth_fraction"]) == len(record["overlap"]) == len(record["self_overlap"])
    assert [found["depth"] for found in record["finite_depth"]] == [2, 3]
    assert [len(found["overlap"]) for found in record["finite_depth"]] == [3, 4]
    assert figure.stat().st_size > 10_000


def test_table_of_several_temperatures_at_infinite_width():
    result = run("--activation", "linear", "--width-per-depth", "inf", "--beta", "1", "--beta", "2")
    rows = result.stdout.splitlines()
    assert len(rows) == 3
    assert rows[1].split()[:4] == ["1", "inf", "0.377428", "-0.618034"]


def test_phase_at_infinite_width():
    words = ["--activation", "shaped_relu", "--width-per-depth", "inf", "--beta", "2", "--phase"]
    (record,) = json.loads(run(*words, "--json").stdout)
    assert record["broken"]["evidence"]["phase"] == "RS"
    assert record["broken"]["energy_density"] == pytest.approx(record["energy_density"], abs=1e-8)
    assert "beta = 2: RS, Phi = 1.0188" in run(*words).stdout


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        (["--beta", "1", "--activation", "shaped_tan"], ConfigError, "Did you mean 'shaped_tanh'"),
        (["--beta", "1", "--activation", "tanh"], ConfigError, "weakens with depth"),
        (["--beta", "1", "--width-per-depth", "0"], ConfigError, "a > 0"),
        (["--beta", "1", "--at-depth", "0"], ConfigError, "L >= 1"),
        (["--beta", "1", "--at-depth", "4", "--width-per-depth", "inf"], ConfigError, "finite width_per_depth"),
        (["--beta", "1", "--activation-param", "shape"], UsageError, "NAME=NUMBER"),
        (["--beta", "1", "--phase"], UsageError, "--phase needs"),
        (["--beta", "1", "--beta", "2", "--figure", "x.png"], UsageError, "one temperature"),
        (["--beta", "1", "--figure", "x.xyz"], UsageError, "format of figures"),
    ],
)
def test_errors(words, error, why):
    with pytest.raises(error, match=why):
        run(*words)
