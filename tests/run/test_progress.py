"""What a run tells on standard error while it goes."""

import re

from mcmc.run import progress
from mcmc.run.driver import run
from tests.support.runs import small_config


def test_lines_of_a_run_without_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    run(small_config(), tmp_path / "run")
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("sweep")]
    assert out == ""
    sweeps = [int(line.split()[1].split("/")[0]) for line in lines]
    assert sweeps == sorted(sweeps), "how many are done at a time depends on how fast they are"
    assert re.fullmatch(r"sweep 1/138  burn-in acceptance \d\.\d\d  about \d+ s left", lines[0])
    pattern = r"sweep \d+/138  production acceptance \d\.\d\d  slowest swap \d\.\d\d  round trips \d+  about \d+ s left"
    assert any(re.fullmatch(pattern, line) for line in lines)
    assert lines[-1].startswith("sweep 138/138")


def test_lines_come_now_and_then(tmp_path, capsys):
    run(small_config(), tmp_path / "run")
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len([line for line in lines if line.startswith("sweep")]) <= 3


def test_resuming_is_told(tmp_path, capsys):
    run(small_config(), tmp_path / "run", is_quiet=True)
    assert capsys.readouterr() == ("", "")
    run(small_config(), tmp_path / "run")
    assert f"resuming {tmp_path / 'run'} at sweep 138 of 138" in capsys.readouterr().err


def test_bar_on_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(progress, "BAR_EVERY_S", 0.0)
    run(small_config(), tmp_path / "run")
    err = capsys.readouterr().err
    assert "138/138" in err
    assert "production acceptance" in err
    assert err.endswith("\n")
