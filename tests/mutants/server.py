"""A process that has all libraries imported, nothing of ours, and forks pytest for each request.

Started by `sandbox.Server` by its path, so that neither `mcmc` nor `tests` are imported before the fork: a child takes
both from the folder of its request. A request is one line of JSON on standard input, and so is its answer on standard
output.
"""

import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    "torch",
    "torch.testing",
    "torch.library",
    "scipy.stats",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.special",
    "h5py",
    "hypothesis",
    "pydantic",
    "arviz_stats.base",
    "pymbar",
    "typer",
    "tomli_w",
    "tqdm",
    "threadpoolctl",
)


class Record:
    """A plugin of pytest that notes how each test ended."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[dict[str, Any]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if call.excinfo is not None and report.failed:
            self.failed.append(
                {
                    "test": item.nodeid,
                    "by_assertion": call.when == "call"
                    and call.excinfo.errisinstance((AssertionError, pytest.fail.Exception)),
                    "message": call.excinfo.exconly().split("\n")[0],
                }
            )
        elif call.when == "call" and report.passed:
            self.passed += 1
        return report

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed.append({"test": report.nodeid, "by_assertion": False, "message": str(report.longrepr)[-300:]})


def _child(request: dict[str, Any], log: Path) -> None:
    os.setsid()  # a timeout ends the whole family
    descriptor = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(request["folder"])
    os.environ.update(request["environment"], PYTHONPATH=request["folder"])
    sys.path[:] = [request["folder"], *sys.path[1:]]  # the first was the folder of this file
    sys.argv = ["pytest"]
    sys.dont_write_bytecode = True
    record = Record()
    status = pytest.main([*request["arguments"], "-p", "no:cacheprovider"], plugins=[record])
    found = {"status": int(status), "passed": record.passed, "failed": record.failed}
    Path(request["result"]).write_text(json.dumps(found))
    os._exit(0)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    result = Path(request["result"])
    result.unlink(missing_ok=True)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            _child(request, result.with_suffix(".log"))
        finally:
            os._exit(1)
    timed_out = False
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() - started > request["timeout_s"]:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            timed_out = True
            break
        time.sleep(0.02)
    found = json.loads(result.read_text()) if result.exists() else {"status": -1, "passed": 0, "failed": []}
    return found | {"seconds": time.monotonic() - started, "timed_out": timed_out}


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print
    for name in LIBRARIES:
        try:
            import_module(name)
        except ImportError:
            continue  # an extra that is not installed: the tests that want it say so
    sys.modules["torch"].set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
