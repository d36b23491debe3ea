"""The command: tables for people, one JSON document for machines, errors as ours."""

import json

import pytest
import typer
from typer.testing import CliRunner

from mcmc.cli.field import field
from mcmc.errors import ConfigError, UsageError

app = typer.Typer()
app.command()(field)


def run(*words):
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_json_of_everything():
    result = run(
        "--xi", "0.5*q**3", "--beta", "1", "--beta", "2", "--energy=-0.9", "--transitions", "--ground-state", "--json"
    )
    content = json.loads(result.stdout)
    assert [record["evidence"]["phase"] for record in content["records"]] == ["RS", "1RSB"]
    assert content["transitions"]["first"] == "static"
    assert content["transitions"]["at"] is None
    assert content["transitions"]["static"]["temperature"] == pytest.approx(0.586054, abs=1e-6)
    assert content["ground_state"]["energy_density"] == pytest.approx(-1.1716748, abs=1e-7)
    assert content["energies"][0]["phase"] == "1RSB"


def test_tables():
    result = run("--xi", "0.5*q**3", "--beta", "2", "--energy=-0.5", "--transitions", "--ground-state")
    for piece in (
        "xi: 0.5*q**3",
        "1RSB",
        "0.711666",
        "at      none",
        "T = 0.58605397",
        "e_0 = -1.171674779",
        "s = -0.25",
    ):
        assert piece in result.stdout
    result = run(
        "--activation", "leaky_relu", "--activation-param", "negative_slope=0.1", "--depth", "2", "--beta", "1"
    )
    assert "leaky_relu(negative_slope=0.1), L=2" in result.stdout
    result = run(
        "--activation", "sin", "--depth", "2", "--sigma-w", "1", "--sigma-w", "2", "--beta", "1", "--ansatz", "1rsb"
    )
    assert "sigma_w=(1, 2)" in result.stdout


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        ([], UsageError, "nothing to compute"),
        (["--xi", "q^3", "--beta", "1"], ConfigError, "write \\*\\* for a power"),
        (["--xi", "q", "--depth", "2", "--beta", "1"], UsageError, "excludes --activation"),
        (["--activation", "tan", "--beta", "1"], ConfigError, "Did you mean 'tanh'"),
        (["--activation-param", "slope", "--beta", "1"], UsageError, "NAME=NUMBER, found 'slope'"),
        (["--beta", "1", "--ansatz", "krsb"], UsageError, "n_steps=None"),
        (["--beta", "nan"], UsageError, "found nan"),
    ],
)
def test_errors(words, error, why):
    with pytest.raises(error, match=why):
        run(*words)
