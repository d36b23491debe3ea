"""Where the items of a study are run: Parsl's high-throughput executor, on this machine or through Slurm.

One worker runs one item at a time, on one thread or on one GPU. Nothing that Parsl does reaches into the numbers: an
item is the same run wherever and however often it is started.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcmc.errors import EngineError, UsageError
from mcmc.names import nearest
from mcmc.study.tether import name_of_this_process
from mcmc.study.work import DEADLINE, Attempt, run_item

if TYPE_CHECKING:
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.jobs.states import JobStatus

LABEL = "items"
MOST_DEAD_BLOCKS = 5  # in a row, whose workers never came up: the engine does not work
SLURM_ANSWERS_S = 10.0
# runs leave by themselves when the driver is killed; Parsl's processes around them need not find out
_LEAVE_WITH_DRIVER = """\
(
  while kill -0 {driver} && kill -0 $$; do sleep 1; done
  kill -0 {driver} || {{ sleep 20; kill -KILL 0; }}
) 2>/dev/null &"""
DRAIN_BEFORE_S = 5.0  # workers take no new item this long before the items of a job are told to go


@dataclass(frozen=True)
class LocalEngine:
    """Workers on this machine.

    Attributes:
        n_workers: at a time, each on one thread; or each on one GPU.
        n_gpus:    0: on the CPU.
    """

    n_workers: int
    n_gpus: int = 0
    heartbeat_s: float = 20.0

    def check(self) -> None:
        """Raises UsageError: no workers, or more of them than GPUs."""
        if self.n_workers < 1:
            raise UsageError(f"--workers: expected at least 1, found {self.n_workers}.", n_workers=self.n_workers)
        if self.n_gpus < 0:
            raise UsageError(f"--gpus: expected at least 0, found {self.n_gpus}.", n_gpus=self.n_gpus)
        if 0 < self.n_gpus < self.n_workers:
            raise UsageError(
                f"--workers {self.n_workers} with --gpus {self.n_gpus}: a GPU has one worker. Leave --workers out."
            )

    @property
    def workers_per_block(self) -> int:
        return self.n_workers

    @property
    def gpus_per_block(self) -> int:
        return self.n_gpus

    @property
    def address(self) -> str | None:
        """Loopback: nothing outside this machine can or need connect."""
        return "127.0.0.1"

    @property
    def drain_s(self) -> int | None:
        return None

    def provider(self) -> Any:
        """Parsl's."""
        from parsl.providers import LocalProvider

        init = f"{_worker_init()}\n{_LEAVE_WITH_DRIVER.format(driver=os.getpid())}"
        return LocalProvider(init_blocks=1, min_blocks=0, max_blocks=1, worker_init=init)

    def text(self) -> str:
        """In words."""
        what = f"{self.n_gpus} GPUs" if self.n_gpus else f"{self.n_workers} workers"
        return f"{what} of this machine"


@dataclass(frozen=True)
class SlurmEngine:
    """Batch jobs of one node each.

    Attributes:
        n_jobs:       at a time.
        walltime_s:   of a job; its items checkpoint `grace_s` before and are taken up by the next job.
        partition, account, options: of sbatch; `options` are whole #SBATCH lines.
        n_workers:    of a job; one a GPU if there are any.
        gpus_per_node, cores_per_node: asked for; None: what the partition gives.
    """

    n_jobs: int
    walltime_s: int
    grace_s: int
    n_workers: int
    partition: str | None = None
    account: str | None = None
    gpus_per_node: int = 0
    options: str = ""
    worker_init: str = ""
    heartbeat_s: float = 60.0
    poll_s: int = 15

    def check(self) -> None:
        """Is Slurm there, and does it know the partition?

        Raises:
            UsageError:  numbers out of range, no such partition.
            EngineError: no Slurm, or it does not answer.
        """
        if self.n_workers < 1 or self.n_jobs < 1 or self.gpus_per_node < 0:
            raise UsageError("--workers-per-node and --jobs: expected at least 1; --gpus-per-node: at least 0.")
        if 0 < self.gpus_per_node < self.n_workers:
            raise UsageError(
                f"--workers-per-node {self.n_workers} with --gpus-per-node {self.gpus_per_node}: a GPU has one worker."
            )
        if self.walltime_s < 60 or self.drain_seconds < 1:
            raise UsageError(
                f"--walltime: expected at least a minute and more than --grace ({self.grace_s} s), "
                f"found {self.walltime_s} s."
            )
        missing = [name for name in ("sbatch", "squeue", "scancel", "sinfo") if shutil.which(name) is None]
        if missing:
            raise EngineError(
                f"--engine slurm: {', '.join(missing)} not found on PATH. Run this where Slurm's commands are (a login "
                "node), or use --engine local.",
                missing=missing,
            )
        partitions = _partitions()
        if self.partition is not None and self.partition not in partitions:
            raise UsageError(f"--partition: there is no '{self.partition}'.{nearest(self.partition, partitions)}")

    @property
    def workers_per_block(self) -> int:
        return self.n_workers

    @property
    def gpus_per_block(self) -> int:
        return self.gpus_per_node

    @property
    def address(self) -> str | None:
        """Every address of this machine: workers find the one that they can reach."""
        return None

    @property
    def drain_seconds(self) -> float:
        """After the start of a job: when its workers take nothing new."""
        return self.walltime_s - self.grace_s - DRAIN_BEFORE_S

    @property
    def drain_s(self) -> int | None:
        return int(self.drain_seconds)

    def provider(self) -> Any:
        """Parsl's."""
        from parsl.providers import SlurmProvider

        poll_s = self.poll_s

        class PolledSlurmProvider(SlurmProvider):
            """Asks for the state of jobs as often as the engine says; Parsl's own minute is long for short jobs."""

            @property
            def status_polling_interval(self) -> int:
                return poll_s

        deadline = f"export {DEADLINE}=$(( $(date +%s) + {self.walltime_s - self.grace_s} ))"
        minutes, seconds = divmod(self.walltime_s, 60)
        return PolledSlurmProvider(
            partition=self.partition,
            account=self.account,
            gpus_per_node=self.gpus_per_node or None,
            init_blocks=1,
            min_blocks=0,
            max_blocks=self.n_jobs,
            walltime=f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}",
            scheduler_options=f"#SBATCH --cpus-per-task={self.n_workers}\n{self.options}",
            worker_init="\n".join([self.worker_init, _worker_init(), deadline]),
            exclusive=False,
        )

    def text(self) -> str:
        """In words."""
        what = f"{self.gpus_per_node} GPUs" if self.gpus_per_node else f"{self.n_workers} workers"
        return f"up to {self.n_jobs} Slurm jobs of {what} for {self.walltime_s} s"


Engine = LocalEngine | SlurmEngine


@dataclass(frozen=True)
class Workers:
    """The engine at work.

    Attributes:
        submit: hands an item, by name, to a worker; a lost worker is an exception of the future.
        n_busy: items that workers are said to have.
    """

    submit: Callable[[str], "Future[Attempt]"]
    n_busy: Callable[[], int]


@contextmanager
def started(engine: Engine, study: Path) -> Iterator[Workers]:
    """The engine at work; leaving it ends its workers.

    Raises:
        EngineError: Parsl is not installed or does not start.
    """
    try:
        import parsl
        from parsl.app.app import python_app
        from parsl.config import Config
    except ImportError as error:
        raise EngineError(
            f"studies are run by Parsl, which cannot be imported ({error}): pip install 'mlp-gibbs[study]'."
        ) from None
    executor = _executor(engine)
    config = Config(
        executors=[executor],
        run_dir=str(study / "logs" / "parsl"),
        strategy="simple",
        strategy_period=1.0,
        max_idletime=30.0,
        retries=0,  # the driver decides what is tried again
        usage_tracking=0,
    )
    kernel = parsl.load(config)
    try:
        app = python_app(run_item, data_flow_kernel=kernel, executors=[LABEL])
        device = "cuda" if engine.gpus_per_block else "cpu"
        driver, patience_s = name_of_this_process(), 1.5 * engine.heartbeat_s

        def submit(item: str) -> "Future[Attempt]":
            if executor.bad_state_is_set:
                raise EngineError(f"the engine ({engine.text()}) does not work: {executor.executor_exception}")
            return app(str(study.resolve()), item, device, driver, patience_s)

        def n_busy() -> int:
            return sum(manager["tasks"] for manager in executor.connected_managers() if manager["active"])

        yield Workers(submit, n_busy)
    finally:
        kernel.cleanup()


def _executor(engine: Engine) -> "HighThroughputExecutor":
    from parsl.executors import HighThroughputExecutor

    scripts = Path(sys.executable).parent
    interchange = shutil.which("interchange.py", path=str(scripts)) or shutil.which("interchange.py")
    if interchange is None:
        raise EngineError(f"Parsl's interchange.py is neither in {scripts} nor on PATH. Install parsl again.")
    python = [sys.executable, interchange]
    tether = [sys.executable, "-m", "mcmc.study.tether", str(os.getpid())]
    return HighThroughputExecutor(
        label=LABEL,
        provider=engine.provider(),
        address=engine.address,
        max_workers_per_node=engine.workers_per_block,
        cores_per_worker=1e-3,  # the number of workers is what was asked for, whatever the number of cores
        available_accelerators=engine.gpus_per_block,
        prefetch_capacity=0,
        heartbeat_period=max(1, round(engine.heartbeat_s / 4)),
        heartbeat_threshold=round(engine.heartbeat_s),
        drain_period=engine.drain_s,
        interchange_launch_cmd=[*tether, *python],
        block_error_handler=_give_up_on_dead_blocks,
    )


def _give_up_on_dead_blocks(executor: Any, status: "dict[str, JobStatus]") -> None:
    """Stop when the last blocks could not be submitted, or ended before any of their workers had come up."""
    from parsl.jobs.states import JobState

    last = sorted(status.items(), key=lambda pair: int(pair[0]))[-MOST_DEAD_BLOCKS:]
    is_dead = [block not in executor.blocks_to_job_id or state.state == JobState.MISSING for block, state in last]
    if len(last) == MOST_DEAD_BLOCKS and all(is_dead):
        state = last[-1][1]
        words = [state.message, state.stderr_summary]
        executor.set_bad_state_and_fail_all(
            EngineError("; ".join(str(text).strip() for text in words if text) or "its workers do not come up")
        )


def _worker_init() -> str:
    """Parsl's scripts are beside this Python, whatever PATH a job starts with."""
    return f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"


def _partitions() -> list[str]:
    try:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True, timeout=SLURM_ANSWERS_S
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"--engine slurm: sinfo did not answer within {SLURM_ANSWERS_S:g} s.") from None
    if done.returncode:
        raise EngineError(f"--engine slurm: Slurm does not answer: {done.stderr.strip()}")
    return done.stdout.split()
