"""`mlp-gibbs layers`: reference numbers through --json, tables, files, errors."""

import json

import pytest
from typer.testing import CliRunner

from mcmc.cli.layers.app import layers
from mcmc.errors import ConfigError, UsageError
from mcmc.io.arrays import read_arrays

TANH = ["--activation", "tanh", "--sigma-w", "1.224744871391589", "--sigma-b", "0.22360679774997896"]
LINEAR = ["--activation", "linear", "--sigma-w", "0.9486832980505138", "--sigma-b", "0.31622776601683794"]
CRITICAL = ["critical", "--activation", "linear", "--width", "256"]


def run(*words, exit_code=0):
    result = CliRunner().invoke(layers, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.stdout
    return result.stdout


def test_covariance():
    record = json.loads(run("covariance", *TANH, "--width", "128", "--networks", "500", "--json"))
    assert record["variance_fixed_point"] == pytest.approx(0.418037, abs=1e-6)
    assert record["chi"] == pytest.approx(0.551983, abs=1e-6)
    assert record["n_times_variance"] == pytest.approx(0.182097, abs=1e-6)
    assert record["correlation_length"] == pytest.approx(1.6828, abs=1e-4)
    assert record["exact_variance"] == pytest.approx(0.1815468 / 128, rel=1e-6)
    assert record["expected_from"] == "transfer matrix"
    assert record["lags"] == list(range(11))
    assert max(abs(z) for z in record["measured_z"]) < 4.5
    assert record["measured"] == pytest.approx(0.1815, abs=5 * record["stderr"])
    assert record["stderr"] < 0.005


def test_covariance_with_drawn_weights():
    words = ["--width", "32", "--networks", "500", "--explicit", "300", "--layers", "4", "--max-lag", "1"]
    record = json.loads(run("covariance", *TANH, *words, "--json"))
    for prefix in ("", "explicit_"):
        assert abs(record[f"{prefix}z"]) < 4
        assert record[f"{prefix}stderr"] > 0
    assert "explicit_measured" in run("covariance", *TANH, *words)


def test_covariance_table_of_a_linear_network():
    """9.84 at N = 64, where 1/N theory has 8.53."""
    record = json.loads(run("covariance", *LINEAR, "--width", "64", "--networks", "0", "--json"))
    assert record["exact_variance"] == pytest.approx(0.19 / (1 - 0.81 * (1 + 2 / 64)) - 1, rel=1e-9)
    assert "correlation_length     9.49122" in run("covariance", *LINEAR, "--width", "64", "--networks", "0")


def test_covariance_beyond_the_transfer_matrix():
    record = json.loads(run("covariance", *TANH, "--width", "10000", "--networks", "0", "--json"))
    assert record["exact_variance"] is None
    assert record["expected_from"] == "next order in 1/N"
    assert "measured" not in record


def test_spectrum():
    record = json.loads(run("spectrum", *LINEAR, "--networks", "400", "--json"))
    assert record["lattice"][0] == pytest.approx(162)
    assert record["windowed"][0] < 0.8 * record["lattice"][0]
    assert len(record["k"]) == len(record["measured"]) == 17
    assert max(abs(z) for z in record["z"]) < 4.5
    assert len(run("spectrum", *TANH, "--window", "6", "--networks", "0").splitlines()) == 5


def test_critical():
    record = json.loads(run(*CRITICAL, "--networks", "400", "--json"))
    assert record["critical_sigma_w"] == pytest.approx(1, rel=1e-14)
    assert record["variance_log"][-1] == pytest.approx(0.31372, abs=1e-5)
    assert record["mean_log"][-1] == pytest.approx(-0.1565, abs=1e-4)
    assert record["is_exact"] is True
    assert abs(record["z"][-1]) < 4.5
    assert abs(record["measured_mean_z"][-1]) < 4.5
    assert "sigma_w^2 = 2)" in run("critical", "--depth", "3", "--networks", "0")


def test_sample(tmp_path):
    out = tmp_path / "deep" / "draws.h5"
    words = ["--width", "4", "--depth", "3", "--burn-in", "60", "--draws", "60", "--beta", "1", "--beta", "0.8"]
    record = json.loads(run("sample", *words, "--kernel", "langevin", "--out", str(out), "--json"))
    assert record["passed"] is True
    assert record["beta"] == [0.8, 1]
    assert {line["observable"] for line in record["checks"]} >= {"ln det Sigma_2", "H / sites", "z^3"}
    arrays, attributes = read_arrays(out)
    assert attributes["schema"] == "mlp-gibbs layers sample"
    assert arrays["observed"].shape == (60, 1, 2, 64, len(arrays["observable"]))
    assert arrays["energy"].shape == (60, 1, 2, 64)


def test_sample_of_two_inputs():
    words = ["--width", "3", "--depth", "2", "--burn-in", "50", "--draws", "40", "--beta", "1"]
    matrix = [part for entry in (1.0, 0.4, 0.4, 0.7) for part in ("--first-variance", str(entry))]
    table = run("sample", *words, *matrix)
    assert "ln det Sigma_2" in table
    assert "FAILED" not in table


def test_a_wrong_sampler_ends_with_status_1(monkeypatch):
    from tests.support.broken import accept_everything

    accept_everything(monkeypatch)
    words = ["--kernel", "mala", "--step-size", "0.4", "--width", "4", "--depth", "3", "--burn-in", "40"]
    record = json.loads(run("sample", *words, "--draws", "60", "--json", exit_code=1))
    assert record["passed"] is False


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        (["covariance", "--activation", "tnh"], ConfigError, "Did you mean 'tanh'"),
        (["covariance", "--sigma-b", "-1"], ConfigError, "sigma_b: expected"),
        (["covariance", "--activation", "relu", "--sigma-w", "2"], UsageError, "no fixed point"),
        (["spectrum", "--sigma-w", "1", "--sigma-b", "0"], UsageError, "no fixed point"),
        (["covariance", "--networks", "1"], UsageError, "at least 2 networks"),
        (["sample", "--kernel", "hcm"], UsageError, "Did you mean 'hmc'"),
        (["sample", "--beta", "0"], UsageError, "0 < beta"),
        (["sample", "--beta", "1.2", "--sigma-b", "0"], UsageError, "beyond 1 if sigma_b > 0"),
        (["sample", "--step-size", "0"], UsageError, "--step-size"),
        (["sample", "--first-variance", "1", "--first-variance", "2"], UsageError, "square matrix"),
        (["sample", "--first-variance", "-1"], ConfigError, "positive definite"),
        (["sample", "--beta", "0.9", "--beta", "0.9"], UsageError, "must increase"),
    ],
)
def test_errors(words, error, why):
    with pytest.raises(error, match=why):
        run(*words)
