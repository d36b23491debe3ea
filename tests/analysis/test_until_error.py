"""Runs that stop at a target error: at the same sweep whatever killed them, or with the reason why they never would."""

import json

import numpy as np
import pytest

from mcmc.analysis.health import run_health
from mcmc.analysis.until_error import ErrorTargets, precision
from mcmc.errors import UsageError
from mcmc.io.directory import UNTIL_ERROR_FILE
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from mcmc.run.driver import run
from tests.support.cli import invoke
from tests.support.runs import as_toml, contents, finished, interrupted_command, small_config, small_data
from tests.support.synthetic import synthetic_run

SECTIONS = {
    "model": {"n_networks": 24},
    "tempering": {"beta_max": 0.5},
    "run": {"n_burn_in": 40, "n_sweeps": 160},
    "output": {"segment_sweeps": 16},
}


def targets(*texts, **sections):
    return ErrorTargets(texts, small_config(**(SECTIONS | sections)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the run leaves without targets, and errors of e after each segment from the second on."""
    path = tmp_path_factory.mktemp("whole") / "run"
    config = small_config(**SECTIONS)
    seen = {}

    def look(path, *, is_last):
        (target,) = targets("e=1e-9").targets
        seen[len(contents(path)) - 1] = precision(read_run(path), target).stderr
        return {"is_reached": False, "reason": ""}

    run(config, path, is_quiet=True, until=look)
    return contents(path), seen


def stop_between(errors):
    """A target that is first met in the middle of the run, and the number of segments then."""
    smallest = np.minimum.accumulate([errors[n] for n in range(2, 11)])
    n = next(n for n in range(4, 10) if smallest[n - 2] < smallest[n - 3])
    return float(0.5 * (smallest[n - 2] + smallest[n - 3])), n


def test_stops_at_the_first_segment_that_meets_the_target(whole, tmp_path):
    files, errors = whole
    target, n = stop_between(errors)
    outcome = run(small_config(**SECTIONS), tmp_path / "run", is_quiet=True, until=targets(f"e={target!r}"))
    assert (outcome.is_complete, outcome.exit_code, outcome.sweep) == (True, 0, 40 + 16 * n)
    found = contents(tmp_path / "run")
    assert len(found) == n + 1
    assert all(files[name] == content for name, content in found.items())
    record = json.loads((tmp_path / "run" / UNTIL_ERROR_FILE).read_text())
    assert (record["sweep"], record["is_reached"]) == (16 * n, True)
    assert record["targets"][0]["stderr"] == errors[n] <= target < errors[n - 1]
    assert outcome.reason == record["reason"]
    health = run_health(tmp_path / "run")
    assert (health["state"], health["until_error"]) == ("complete", record)
    # without the option the same command goes on to the end
    assert finished(small_config(**SECTIONS), tmp_path / "run") == files
    assert run_health(tmp_path / "run")["until_error"] is None


@pytest.mark.parametrize("place", ["sweep:77", "segment:2", "manifest:4"])
def test_a_kill_changes_nothing(whole, tmp_path, place):
    files, errors = whole
    target, n = stop_between(errors)
    (tmp_path / "run.toml").write_text(as_toml(small_data(**SECTIONS)))
    command = ["run", str(tmp_path / "run.toml"), "--out", str(tmp_path / "run"), "--until-error", f"e={target!r}"]
    assert interrupted_command("SIGKILL", place, *command).returncode != 0
    assert not (tmp_path / "run" / UNTIL_ERROR_FILE).exists()
    outcome = run(small_config(**SECTIONS), tmp_path / "run", is_quiet=True, until=targets(f"e={target!r}"))
    assert outcome.sweep == 40 + 16 * n
    assert contents(tmp_path / "run").items() <= files.items()
    before = (tmp_path / "run" / UNTIL_ERROR_FILE).read_bytes()
    again = run(small_config(**SECTIONS), tmp_path / "run", is_quiet=True, until=targets(f"e={target!r}"))
    assert (again.sweep, again.reason) == (outcome.sweep, outcome.reason)
    assert (tmp_path / "run" / UNTIL_ERROR_FILE).read_bytes() == before


def test_the_end_without_the_target(tmp_path):
    """A single look, at the end: nothing is refused, the record tells."""
    sections = {**SECTIONS, "run": {"n_burn_in": 40, "n_sweeps": 32}}
    outcome = run(small_config(**sections), tmp_path / "run", is_quiet=True, until=targets("q=1e-7", **sections))
    assert outcome.is_complete
    assert outcome.reason.startswith("n_sweeps reached, target not: error of q at beta = 0.5 is ")


# --- what is left between networks


def spread_run(quenched, thermal, *, n_networks=40, n_draws=300, seed=0):
    """Energies at the coldest temperature with that scatter between networks and between draws."""
    data = synthetic_run(n_networks=n_networks, n_draws=n_draws, seed=seed, overlaps=False)
    rng = np.random.default_rng(seed)
    energy = data.arrays[Key.ENERGY]
    energy[:, :, -1] = quenched * rng.standard_normal((n_networks, 1)) + thermal * rng.standard_normal(
        energy[:, :, -1].shape
    )
    return data


def energy_target(error):
    config = small_config(model={"n_networks": 40}, output={"overlaps": False, "segment_sweeps": 16})
    return ErrorTargets([f"e={error}"], config).targets[0]


def test_precision_takes_quenched_and_thermal_apart():
    """Averages over 30 invented runs: V = quenched^2, and the networks needed are (V + thermal^2/600)/target^2."""
    found = [precision(spread_run(0.05, 0.5, seed=seed), energy_target(0.004)) for seed in range(30)]
    scatter = 0.05**2 + 0.5**2 / 600
    assert np.mean([one.spread for one in found]) == pytest.approx(0.05**2, rel=0.15)
    assert np.std([one.spread for one in found]) == pytest.approx(np.mean([one.spread_error for one in found]), rel=0.5)
    assert np.mean([one.stderr**2 for one in found]) == pytest.approx(scatter / 40, rel=0.1)
    assert np.mean([one.n_networks_needed for one in found]) == pytest.approx(scatter / 0.004**2, rel=0.1)


@pytest.mark.parametrize(("quenched", "hopeless"), [(0.0, 0), (0.004 * 40**0.5 * 0.7, 1), (0.004 * 40**0.5 * 4, 30)])
def test_hopeless_targets(quenched, hopeless):
    """Target 0.004 of 40 networks: without spread or below the target hardly ever; at four times the target always."""
    found = [precision(spread_run(quenched, 0.5, seed=seed), energy_target(0.004)) for seed in range(30)]
    n_hopeless = sum(one.is_hopeless(40) for one in found)
    assert n_hopeless == 30 if hopeless == 30 else n_hopeless <= 2


def test_a_hopeless_target_is_refused_and_nothing_lost(capsys, tmp_path):
    data = small_data(**SECTIONS | {"tempering": {"beta_max": 4.0}})
    (tmp_path / "run.toml").write_text(as_toml(data))
    answer = invoke(
        capsys, "run", tmp_path / "run.toml", "--out", tmp_path / "run", "--until-error", "q=1e-5", "--json"
    )
    assert answer.status == 1
    message = json.loads(answer.out)["error"]["message"]
    assert "more sweeps will not reach the target" in message
    n_networks = int(message.split("About ")[1].split()[0])
    assert n_networks > 1000
    assert 2 <= len(list((tmp_path / "run" / "segments").iterdir())) < 10
    assert not (tmp_path / "run" / UNTIL_ERROR_FILE).exists()
    assert invoke(capsys, "run", tmp_path / "run.toml", "--out", tmp_path / "run", "--json").status == 0


# --- bad input


@pytest.mark.parametrize("text", ["e", "e=", "e=x", "e=0", "e=-1", "e=nan", "e=inf", "f=0.1", "q2=0.1", "q-1=0.1", ""])
def test_bad_targets(text):
    with pytest.raises(UsageError, match=r"takes NAME=ERROR \(e=0\.002\) with .* name of e, q, q0, q1: found"):
        targets(text)


def test_several_targets():
    found = targets("e=0.1,q=0.2", "q1=0.3").targets
    assert [(one.name, one.layer, one.error) for one in found] == [("e", None, 0.1), ("q", 0, 0.2), ("q1", 1, 0.3)]


def test_configurations_without_an_error():
    with pytest.raises(UsageError, match=r"at least 4 networks for an error, found model\.n_networks = 3"):
        targets("e=0.1", model={"n_networks": 3})
    with pytest.raises(UsageError, match="measures no overlaps"):
        targets("q=0.1", output={"overlaps": False})
    with pytest.raises(UsageError, match=r"a single one: set output\.segment_sweeps below run\.n_sweeps = 160"):
        targets("e=0.1", output={"segment_sweeps": 160})
