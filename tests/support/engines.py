"""Engines without Parsl: items run at once in this process, or what a broken engine does in their place."""

from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from mcmc.run.driver import run
from mcmc.study.directory import StudyDirectory
from mcmc.study.engine import Workers
from mcmc.study.work import Attempt


@dataclass
class HereEngine:
    """What happens to its first attempts are its mishaps: an exception, an Attempt, or None for a worker that hangs.

    Attributes:
        starts: how often it was started.   handed: items in the order of their attempts.
    """

    mishaps: list[Exception | Attempt | None] = field(default_factory=list)
    heartbeat_s: float = 0.3
    starts: int = 0
    handed: list[str] = field(default_factory=list)

    def check(self) -> None:
        pass

    def text(self) -> str:
        return "this process"

    @contextmanager
    def started(self, study):
        self.starts += 1
        directory, hanging = StudyDirectory(study), []

        def submit(name):
            self.handed.append(name)
            future = Future()
            mishap = self.mishaps.pop(0) if self.mishaps else self._run(directory, name)
            if isinstance(mishap, Exception):
                future.set_exception(mishap)
            elif mishap is None:
                hanging.append(name)
            else:
                future.set_result(mishap)
            return future

        yield Workers(submit, lambda: len(hanging))

    @staticmethod
    def _run(directory, name):
        item = next(item for item in directory.study().items() if item.name == name)
        return Attempt(run(item.config, directory.run_directory(item).path, is_quiet=True).exit_code, "")
