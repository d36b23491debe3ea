"""Whatever is wrong is told on one screen, without a traceback, with the documented exit status."""

import json
import resource
import subprocess
import sys

import pytest

import mcmc.cli.app
from mcmc.io.directory import RunDirectory
from tests.support.cli import invoke
from tests.support.runs import INSTALLED, as_toml, command, small_data
from tests.support.segments import invented_run

SCREEN = 24


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(as_toml(small_data()))
    return path


def assert_plain_error(answer, status, *words):
    assert answer.status == status, answer
    assert "Traceback" not in answer.err
    assert 1 <= len(answer.err.splitlines()) <= SCREEN
    for word in words:
        assert word in answer.err, answer.err


USAGE = {
    "no such command": (["simulate"], ["No such command 'simulate'", "--help"]),
    "no such option": (["status", "x", "--fast"], ["No such option", "--fast"]),
    "missing argument": (["run"], ["Missing argument", "Usage: mlp-gibbs run"]),
    "missing beta": (["theory"], ["nothing to compute: give --beta"]),
    "beta in words": (["theory", "--beta", "cold"], ["--beta", "valid number"]),
    "negative beta": (["theory", "--beta", "-1"], ["beta >= 0", "-1.0"]),
    "no layers": (["theory", "--beta", "1", "--depth", "0"], ["L >= 1", "found 0"]),
    "misspelt activation": (["theory", "--beta", "1", "--activation", "sine"], ["'sine'", "Did you mean 'sin'?"]),
    "unknown ansatz": (["theory", "--beta", "1", "--ansatz", "wild"], ["ansatz 'wild'", "rs"]),
    "energy above zero": (["theory", "--energy", "0.2"], ["in (e_0, 0]", "found 0.2"]),
    "energy below the ground state": (["theory", "--energy=-0.9"], ["e_0 > -0.797885", "found -0.9"]),
    "expansion without beta": (["theory", "--high-temperature", "--ground-state"], ["--high-temperature", "--beta"]),
    "parameter without value": (
        ["theory", "--beta", "1", "--activation-param", "shape"],
        ["--activation-param expects NAME=NUMBER", "'shape'"],
    ),
    "wrong number of sigmas": (
        ["theory", "--beta", "1", "--depth", "3", "--sigma-w", "1", "--sigma-w", "2"],
        ["sigma_w", "expected one number or 3", "found 2"],
    ),
    "no such file": (["run", "nothing.toml"], ["cannot read the configuration nothing.toml", "No such file"]),
    "verify, no such file": (["verify", "nothing.toml"], ["cannot read the configuration nothing.toml"]),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage(capsys, case):
    arguments, words = USAGE[case]
    assert_plain_error(invoke(capsys, *arguments), 2, *words)


CONFIGURATIONS = {
    "unknown key": (["run.sede=3"], ["1 problem", "run.sede: unknown key. Did you mean 'seed'?"]),
    "several": (
        ["model.n_inputs=1", "sampler.kernel=hcm", "tempering.n_replicas=1"],
        ["3 problems", "model.n_inputs", "Did you mean 'hmc'?", "n_replicas must be at least 2"],
    ),
    "bad --set": (["seed=3"], ["--set expects section.key=value (as in run.seed=7), found 'seed=3'"]),
    "no such device": (["run.device=cuda:97"], ["device 'cuda:97' was asked for", "--device cpu"]),
    "too large": (["model.n_inputs=5000000"], ["this run needs about", "GiB"]),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
@pytest.mark.parametrize("kind", ["run", "dry"])
def test_wrong_configuration(capsys, tmp_path, toml, case, kind):
    changes, words = CONFIGURATIONS[case]
    sets = [part for change in changes for part in ("--set", change)]
    arguments = ["run", toml, "--out", tmp_path / "run", *sets, *(["--dry-run"] if kind == "dry" else [])]
    answer = invoke(capsys, *arguments)
    assert_plain_error(answer, 2, *words)
    assert answer.out == ""
    assert not (tmp_path / "run").exists()


def test_device_option_is_checked_too(capsys, toml):
    assert_plain_error(invoke(capsys, "run", toml, "--device", "tpu"), 2, "run.device", "found 'tpu'")


def test_problems_as_json(capsys, toml):
    """One object on standard output for machines, the words on standard error for people."""
    answer = invoke(capsys, "run", toml, "--set", "run.sede=3", "--json")
    assert_plain_error(answer, 2, "unknown key")
    error = json.loads(answer.out)["error"]
    assert error.keys() == {"type", "message"}
    assert error["type"] == "ConfigError"
    assert error["message"] in answer.err


@pytest.mark.parametrize("name", ["status", "compare", "plot"])
def test_not_a_run_directory(capsys, tmp_path, toml, name):
    for path in (tmp_path, tmp_path / "nothing", toml):
        answer = invoke(capsys, name, path, "--json")
        assert_plain_error(answer, 1, f"{path} is not a run directory", "mlp-gibbs run CONFIG.toml")
        assert json.loads(answer.out)["error"]["type"] == "RunDirectoryError"
    assert not (tmp_path / "comparison.png").exists()


@pytest.mark.parametrize("name", ["compare", "plot"])
def test_no_results_yet(capsys, tmp_path, name):
    invented_run(tmp_path / "run", n_segments=0)
    assert_plain_error(invoke(capsys, name, tmp_path / "run"), 1, "no complete results file yet", "mlp-gibbs status")


@pytest.mark.parametrize("name", ["status", "compare", "plot"])
def test_damaged_segment(capsys, tmp_path, name):
    invented_run(tmp_path / "run")
    path = RunDirectory(tmp_path / "run").segment(1)
    path.write_bytes(path.read_bytes()[:5000])
    assert_plain_error(invoke(capsys, name, tmp_path / "run"), 1, str(path), "truncated or altered")


@pytest.mark.parametrize("name", ["status", "compare", "plot"])
def test_damaged_run_json(capsys, tmp_path, name):
    invented_run(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("{}")
    assert_plain_error(invoke(capsys, name, tmp_path / "run"), 1, "run.json is damaged")


def test_run_into_a_foreign_directory(capsys, tmp_path, toml):
    assert_plain_error(invoke(capsys, "run", toml, "--out", tmp_path), 1, "is not a run directory", "another --out")


def test_run_with_another_configuration(capsys, tmp_path, toml):
    invented_run(tmp_path / "run", n_segments=0)
    answer = invoke(capsys, "run", toml, "--out", tmp_path / "run")
    assert_plain_error(answer, 1, "another configuration (theirs -> yours)", "run.seed: 0 -> 11", "another --out")


def test_not_finite(capsys, tmp_path, toml):
    sets = ["--set", "model.activation=relu", "--set", "model.sigma_w=1e39"]
    answer = invoke(capsys, "run", toml, "--out", tmp_path / "run", "--json", *sets)
    assert_plain_error(answer, 1, "energy is NaN or infinite", "network 0", "beta = ", "float64")
    assert json.loads(answer.out)["error"]["type"] == "NonFiniteEnergyError"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (PermissionError(13, "Permission denied", "/somewhere"), 1, "/somewhere: Permission denied"),
        (OSError("odd"), 1, "odd"),
    ],
    ids=repr,
)
def test_what_no_command_expects(capsys, monkeypatch, error, status, words):
    def fail(**options):
        raise error

    monkeypatch.setattr(mcmc.cli.app, "app", fail)
    answer = invoke(capsys, "status", "x")
    assert_plain_error(answer, status, "mlp-gibbs: ", words)
    assert len(answer.err.splitlines()) == 1


def test_a_bug_is_not_hidden(monkeypatch):
    """What is neither ours nor the system's keeps its traceback."""

    def fail(**options):
        raise ZeroDivisionError

    monkeypatch.setattr(mcmc.cli.app, "app", fail)
    monkeypatch.setattr("sys.argv", ["mlp-gibbs"])
    with pytest.raises(ZeroDivisionError):
        mcmc.cli.main()


# --- in the first second


@pytest.mark.parametrize("arguments", [["run"], ["run", "--dry-run"], ["verify"]], ids=" ".join)
def test_wrong_configuration_is_told_within_a_second(tmp_path, arguments):
    """In processor time, which a busy machine does not stretch, with the start of Python; torch is never imported."""
    path = tmp_path / "bad.toml"
    path.write_text(as_toml(small_data(model={"activation": "sine", "n_inputs": 1})))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = command(*arguments, str(path))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2
    assert "Did you mean 'sin'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


@pytest.mark.parametrize("arguments", [["run"], ["run", "--dry-run"], ["verify"]], ids=" ".join)
def test_wrong_configuration_needs_no_torch(tmp_path, arguments):
    path = tmp_path / "bad.toml"
    path.write_text(as_toml(small_data(model={"activation": "sine"})))
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules, 'numpy' in sys.modules))\n"
        f"sys.argv = {['mlp-gibbs', *arguments, str(path)]!r}\n"
        "from mcmc.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == "False False\n"


def test_status_of_the_installed_command(tmp_path):
    done = subprocess.run([INSTALLED, "run", str(tmp_path / "no.toml")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("mlp-gibbs: cannot read the configuration")
