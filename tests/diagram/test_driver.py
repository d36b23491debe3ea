"""A diagram that was stopped, anywhere and by anything, and computed on ends with the numbers of one that was not."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcmc.diagram import driver
from mcmc.diagram.axes import Axis
from mcmc.diagram.directory import DiagramDirectory, read_result
from mcmc.diagram.driver import compute, read_diagram
from mcmc.diagram.request import DiagramRequest, ModelOptions
from mcmc.errors import RunDirectoryError, UsageError
from mcmc.io.arrays import read_arrays

REQUEST = DiagramRequest(
    ModelOptions(width_ratio=math.inf), (Axis("sigma_w", (1.0, 1.5, 2.0, 2.5)), Axis("beta", (1.0, 2.0, 3.0)))
)
COMMAND = [
    *(str(Path(sys.executable).parent / "mlp-gibbs"), "phase", "--width-ratio", "inf"),
    *("--scan", "sigma_w=1:2.5:4", "--scan", "beta=1,2,3"),
]


def numbers(path):
    """The bytes of everything in diagram.h5 but the times."""
    arrays, _ = read_arrays(path / "diagram.h5")
    return {name: array.tobytes() for name, array in arrays.items() if name != "points/seconds"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    compute(REQUEST, path / "d", n_workers=1)
    found = numbers(path / "d")
    assert found["points/label"].count(b"1RSB") > 2
    return found


def test_processes_do_not_change_the_numbers(whole, tmp_path):
    diagram = compute(REQUEST, tmp_path / "d", n_workers=2)
    assert diagram.is_complete
    assert numbers(tmp_path / "d") == whole
    assert not (tmp_path / "d" / "lock").exists()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_of_the_environment_do_not_change_the_numbers(whole, tmp_path, n_threads):
    """Linear algebra libraries sum in another order on two threads: the last digits would tell."""
    env = {**os.environ, "OMP_NUM_THREADS": str(n_threads), "OPENBLAS_NUM_THREADS": str(n_threads)}
    subprocess.run([*COMMAND, "--workers", "1", "--out", str(tmp_path / "d")], env=env, check=True, timeout=120)
    assert numbers(tmp_path / "d") == whole


@pytest.mark.parametrize("n_workers", [1, 2])
def test_killed_at_a_random_moment(whole, tmp_path, n_workers):
    """SIGKILL: nothing is told and nothing cleaned up. The workers must not live on either."""
    path = tmp_path / "d"
    process = subprocess.Popen(
        [*COMMAND, "--workers", str(n_workers), "--out", str(path)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 120
    while not list(path.glob("items/item-*.h5")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))  # the rest takes longer
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert (path / "lock").exists()
    assert not (path / "diagram.h5").exists()
    diagram = compute(REQUEST, path, n_workers=1)
    assert 1 <= diagram.n_resumed <= 4
    assert numbers(path) == whole
    assert len(children) >= (n_workers > 1)
    while any(Path(f"/proc/{child}/status").exists() for child in children):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def test_a_signal_stops_it_with_status_75(whole, tmp_path):
    path = tmp_path / "d"
    process = subprocess.Popen(
        [*COMMAND, "--workers", "2", "--out", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (path / "lock").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert '"signal_name": "SIGINT"' in out
    assert "The same command resumes" in err
    assert "Traceback" not in err
    assert not (path / "lock").exists()
    compute(REQUEST, path, n_workers=1)
    assert numbers(path) == whole


def test_a_death_after_every_item(whole, tmp_path, monkeypatch):
    class Death(BaseException):
        pass

    true = DiagramDirectory.write_item

    def write(self, result):
        true(self, result)
        raise Death

    with monkeypatch.context() as patched:
        patched.setattr(DiagramDirectory, "write_item", write)
        for n_done in range(4):
            with pytest.raises(Death):
                compute(REQUEST, tmp_path / "d", n_workers=1)
            partial = read_diagram(DiagramDirectory(tmp_path / "d"))
            assert len(partial.results) == n_done + 1
            assert partial.is_complete == (n_done == 3)
    assert compute(REQUEST, tmp_path / "d").n_resumed == 4  # nothing left: no process is started
    assert numbers(tmp_path / "d") == whole


def test_a_damaged_item_is_named_set_aside_and_computed_again(whole, tmp_path, capsys):
    path = tmp_path / "d"
    compute(REQUEST, path, n_workers=1)
    damaged = path / "items" / "item-000002.h5"
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    partial = read_diagram(DiagramDirectory(path))
    assert len(partial.results) == 3
    assert "item-000002.h5" in capsys.readouterr().err
    diagram = compute(REQUEST, path, n_workers=1)
    assert diagram.n_resumed == 3
    message = capsys.readouterr().err
    assert "item-000002.h5" in message
    assert "Kept as item-000002.h5.damaged-1, computed again" in message
    assert (path / "items" / "item-000002.h5.damaged-1").read_bytes() == content[: len(content) // 2]
    assert numbers(path) == whole


def test_a_second_writer_is_refused(tmp_path):
    from mcmc.io.directory import RunDirectory

    (tmp_path / "d" / "items").mkdir(parents=True)
    DiagramDirectory(tmp_path / "d").open_for(REQUEST)
    (tmp_path / "d" / "lock").write_text('{"pid": 1, "host": "somewhere-else"}')
    with pytest.raises(RunDirectoryError, match="process 1 on somewhere-else"):
        compute(REQUEST, tmp_path / "d", n_workers=1)
    assert RunDirectory(tmp_path / "d").segment_paths() == []


def test_no_workers(tmp_path):
    with pytest.raises(UsageError, match="at least 1, found 0"):
        compute(REQUEST, tmp_path / "d", n_workers=0)
    assert not (tmp_path / "d").exists()


def test_the_result_is_the_diagram(tmp_path):
    diagram = compute(REQUEST, tmp_path / "d", n_workers=1)
    request, results = read_result(tmp_path / "d" / "diagram.h5")
    assert request == REQUEST
    assert repr(results) == repr(diagram.results)
    assert driver.Diagram(request, results).is_complete
