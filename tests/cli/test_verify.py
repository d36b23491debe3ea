"""`mlp-gibbs verify`: its exit status, JSON and words follow from the checks."""

import json

import pytest

from mcmc.compare.verify import Check
from tests.support.cli import invoke
from tests.support.runs import as_toml, small_data


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(as_toml(small_data(model={"activation": "linear", "n_networks": 4})))
    return path


PASSED = Check("linear: <e> at beta=1", -0.5, 0.01, -0.51, True)
FAILED = Check("identity A at beta=1", 0.5, 0.01, 0.0, False)
IDLE = Check("idle", 1.0, 0.0, 0.0, False)


@pytest.mark.parametrize(("checks", "status"), [([PASSED], 0), ([PASSED, FAILED], 1), ([PASSED, IDLE], 1)])
def test_verify_status_and_json(capsys, monkeypatch, toml, checks, status):
    monkeypatch.setattr("mcmc.compare.verify.verify_config", lambda config: checks)
    answer = invoke(capsys, "verify", toml, "--json")
    assert answer.status == status
    record = json.loads(answer.out)
    assert list(record) == ["checks", "passed"]
    assert record["passed"] is (status == 0)
    for row, check in zip(record["checks"], checks, strict=True):
        assert list(row) == ["name", "measured", "stderr", "exact", "passed", "n_sigma"]
        assert (row["name"], row["passed"]) == (check.name, check.passed)
    if IDLE in checks:
        assert record["checks"][-1]["n_sigma"] is None, "infinity is no JSON"


def test_verify_in_words(capsys, monkeypatch, toml):
    monkeypatch.setattr("mcmc.compare.verify.verify_config", lambda config: [PASSED, FAILED])
    header, first, second = invoke(capsys, "verify", toml).out.splitlines()
    assert header.split() == ["check", "measured", "stderr", "exact", "n_sigma"]
    assert first.endswith("ok")
    assert second.endswith("+50.0  FAILED")


def test_verify_sees_the_configuration_it_was_given(capsys, monkeypatch, toml):
    """--set too, with a file and with the default."""
    seen = []
    monkeypatch.setattr("mcmc.compare.verify.verify_config", lambda config: seen.append(config) or [PASSED])
    invoke(capsys, "verify", toml, "--set", "run.seed=99")
    invoke(capsys, "verify", "--set", "sampler.kernel=mala", "--set", "run.seed=98")
    assert [(c.model.activation, c.sampler.kernel, c.run.seed) for c in seen] == [
        ("linear", "hmc", 99),
        ("sin", "mala", 98),
    ]
