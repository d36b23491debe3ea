"""A process that has everything imported and forks a command for each request: 40 kills cost seconds, not minutes.

Started by `harness.Server` with the shim preloaded. A request is one line of JSON on standard input, and so is its
answer on standard output.
"""

import ctypes
import io
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.faults import twins


def _command(arguments: list[str]) -> int:
    from mcmc.cli import main

    sys.argv = ["mlp-gibbs", *arguments]
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _child(request: dict[str, Any], out: Path, err: Path) -> None:
    for descriptor, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), descriptor)
    os.environ.update(request.get("environment", {}))
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(errors="strict")  # as a new process has it
    os.chdir(request.get("cwd", "."))
    twins.TWINS[request.get("twin", "none")]()
    shim = ctypes.CDLL(None)
    shim.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
    fault = request.get("fault") or {"at": -1, "action": 0, "errno": 0}
    shim.fault_arm(
        os.fsencode(request["prefix"]), fault["at"], fault["action"], fault["errno"], os.fsencode(request["log"])
    )
    status = _command(request["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _answer(request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    out, err = scratch / "out", scratch / "err"
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            _child(request, out, err)
        finally:
            os._exit(98)
    if request.get("kill_after") is not None:
        time.sleep(request["kill_after"])
        os.kill(child, signal.SIGKILL)  # a zombie takes it quietly
    _, status = os.waitpid(child, 0)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "out": out.read_text(errors="replace"),
        "err": err.read_text(errors="replace"),
        "seconds": time.monotonic() - started,
    }


def main(scratch: Path) -> None:
    """Serve until standard input ends."""
    import torch

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what warming up prints
    torch.set_num_threads(1)
    for arguments in json.loads(sys.stdin.readline()):
        assert _command(arguments) == 0, arguments
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), scratch)), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
