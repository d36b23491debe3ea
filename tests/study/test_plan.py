"""Cost and precision told beforehand, against what is found afterwards."""

import json

import numpy as np
import pytest

from mcmc.io.reader import read_run
from mcmc.run.driver import run
from mcmc.study.config import load_study
from mcmc.study.plan import _variances, allot_networks, plan_json, plan_study
from tests.support.cli import invoke
from tests.support.studies import write_study

QUICK = {"run": {"n_burn_in": 60, "n_sweeps": 200, "measure_every": 2}}


@pytest.fixture
def path(tmp_path):
    return write_study(tmp_path, n_networks=[64, 32], item_networks=16, base=QUICK)


def test_variances_of_known_parts():
    """Networks of variance 4, chains of variance 1 around them, two chains each."""
    rng = np.random.default_rng(5)
    networks = 2 * rng.standard_normal((20_000, 3, 1))
    between, within = _variances(networks + rng.standard_normal((20_000, 3, 2)))
    np.testing.assert_allclose(between, 4, rtol=0.06)
    np.testing.assert_allclose(within, 0.5, rtol=0.06)


def test_the_error_foretold_is_the_error_found(tmp_path, path):
    """16 networks of the pilot foretell the spread of 64 others to a factor: sqrt(2/15) of a variance, five sigma."""
    study = load_study(path)
    plan = plan_study(study, pilot_s=6.0, device="cpu")[0]
    other = plan.cell.config.model_copy(
        update={"model": plan.cell.config.model.model_copy(update={"first_network": 10_000})}
    )
    run(other, tmp_path / "other", is_quiet=True)
    found = read_run(tmp_path / "other").energy.mean((0, 3)).var(axis=0, ddof=1)
    log_ratio = np.log(plan.variance["e"][1:] / found[1:])  # at beta = 0 it is all thermal, and depends on the pilot
    assert np.abs(log_ratio).max() < 5 * np.sqrt(2 / 15 + 2 / 63)


def test_networks_are_allotted_where_the_error_needs_them(path):
    study = load_study(path)
    plans = plan_study(study, pilot_s=1.0, device="cpu")
    errors = [plan.stderr["e"] for plan in plans]
    assert allot_networks(study, plans, f"e={2 * max(errors)}") == [64, 32], "never fewer than the study has"
    more = allot_networks(study, plans, f"e={min(errors) / 2}")
    for plan, n_networks in zip(plans, more, strict=True):
        needed = float(plan.variance["e"].max()) / (min(errors) / 2) ** 2
        assert needed <= n_networks < needed + 16
        assert n_networks % 16 == 0


def test_totals(path):
    plans = plan_study(load_study(path), pilot_s=1.0, device="cpu")
    content = plan_json(plans, 4)
    assert content["worker_hours"] == pytest.approx(sum(cell["hours"] for cell in content["cells"]))
    assert content["wall_hours"] == pytest.approx(content["worker_hours"] / 4)
    assert [cell["n_items"] for cell in content["cells"]] == [4, 2]


def test_disk_and_command(tmp_path, path, capsys):
    """The size foretold is an upper bound of what an item leaves, and no more than a few times that."""
    answer = invoke(capsys, "study", "plan", path, "--pilot-seconds", "1", "--json", "--target-error", "q=0.01")
    assert answer.status == 0
    content = json.loads(answer.out)
    assert len(content["n_networks"]) == 2
    item = load_study(path).items()[0]
    run(item.config, tmp_path / "item", is_quiet=True)
    size = sum(file.stat().st_size for file in (tmp_path / "item").rglob("*") if file.is_file())
    foretold = content["cells"][0]["disk_bytes"] / 4
    assert size / 3 < foretold < 6 * size
    assert invoke(capsys, "study", "plan", path, "--pilot-seconds", "1").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target-error", "f=0.1"], "unknown observable 'f'"),
        (["--target-error", "e"], "expected a positive number, as in e=0.002"),
        (["--target-error", "e=-1"], "expected a positive number"),
        (["--pilot-seconds", "0"], "--pilot-seconds: expected more than 0"),
        (["--workers", "0"], "--workers: expected at least 1"),
    ],
)
def test_wrong_requests(path, capsys, arguments, message):
    answer = invoke(capsys, "study", "plan", path, "--pilot-seconds", "0.1", *arguments)
    assert answer.status == 2
    assert message in answer.err
