"""One item on a worker: an ordinary run in a process of its own, that writes a checkpoint whenever it has to go.

The engine calls `run_item` on a worker; that starts `python -m mcmc.study.work`, which is the run.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from mcmc.errors import MlpGibbsError
from mcmc.io.directory import RunDirectory
from mcmc.study.tether import die_with_parent, leave_at, leave_with

DEADLINE = "MLP_GIBBS_DEADLINE"  # environment variable of a batch job: when its items must go, seconds since the epoch
POLL_S = 0.2
TAIL_CHARACTERS = 2000


class Attempt(NamedTuple):
    """How an attempt at an item ended.

    Attributes:
        status:  of the process: 0 complete, 75 stopped with a checkpoint, negative: killed by that signal.
        message: what it said last, if it failed.
    """

    status: int
    message: str


def run_item(study: str, item: str, device: str, driver: str, patience_s: float) -> Attempt:
    """Run an item, or go on with it, until it is complete, told to go, or killed.

    Args:
        study:      path of the study.
        device:     `run.device` of the run.
        driver:     host:pid of the process that drives the study; on one host the run does not outlive it.
        patience_s: how long a lost attempt at this item may still be writing its last checkpoint.
    """
    directory = RunDirectory(Path(study) / "items" / item)
    _await_earlier_attempt(directory, patience_s)
    log = Path(study) / "logs" / f"{item}.log"
    environment = dict(os.environ)
    if device == "cpu":
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    arguments = [study, item, device, driver, str(os.getpid())]
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcmc.study.work", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
        status = process.wait()
    return Attempt(status, "" if status in (0, 75) else _tail(log))


def _await_earlier_attempt(directory: RunDirectory, patience_s: float) -> None:
    """Wait until the directory is free.

    A lock of another host that stays is of a job that was killed there: whoever still runs has given up by then, since
    workers leave when they hear nothing from the driver.
    """
    until = time.monotonic() + patience_s
    while (holder := directory.holder()) is not None:
        if time.monotonic() > until:
            directory.log("lock of a lost worker removed", **{f"lost_{key}": value for key, value in holder.items()})
            if holder["host"] != os.uname().nodename:
                (directory.path / "lock").unlink(missing_ok=True)
            return  # of this host, and alive: the run refuses and says who it is
        time.sleep(POLL_S)


def _tail(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")[-TAIL_CHARACTERS:].strip()
    return text.rpartition("mlp-gibbs: ")[2] or f"no message; see {log}"


def main(study: str, name: str, device: str, driver: str, parent: str) -> int:
    """The run itself; its exit status."""
    die_with_parent(signal.SIGTERM, int(parent))
    leave_with(driver)
    if DEADLINE in os.environ:
        leave_at(float(os.environ[DEADLINE]))

    import torch

    from mcmc.run.driver import run
    from mcmc.study.directory import StudyDirectory

    if device == "cpu":
        torch.set_num_threads(1)
    directory = StudyDirectory(study)
    try:
        item = next(item for item in directory.study().items() if item.name == name)
        config = item.config.model_copy(update={"run": item.config.run.model_copy(update={"device": device})})
        return run(config, directory.run_directory(item).path).exit_code
    except MlpGibbsError as error:
        print(f"mlp-gibbs: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
