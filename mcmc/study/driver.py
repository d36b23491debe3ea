"""Run a study: hand out what is missing, take up what was lost, leave politely on a signal."""

import json
import os
import signal
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from mcmc.errors import EngineError, StudyError
from mcmc.interrupt import EXIT_INTERRUPTED, noted_signals
from mcmc.io.directory import RunDirectory
from mcmc.study.config import Study
from mcmc.study.directory import StudyDirectory
from mcmc.study.engine import Engine, Submit, started
from mcmc.study.items import StudyItem
from mcmc.study.progress import sweeps_done
from mcmc.study.work import Attempt

POLL_S = 0.5
LINE_EVERY_S = 60.0
CHECKPOINT_WITHIN_S = 60.0
MOST_IDLE_ATTEMPTS = 10  # in a row, at an item that does not get on


@dataclass(frozen=True)
class StudyOutcome:
    """How an attempt at a study ended.

    Attributes:
        n_items, n_completed: of the study, by now.
        n_resumed:   completed before this attempt.
        n_lost:      attempts at items that ended early and were made again: walltime, lost workers, kills.
        signal_name: the signal that stopped it.
    """

    directory: str
    n_items: int
    n_completed: int
    n_resumed: int
    n_lost: int
    seconds: float
    signal_name: str | None = None

    @property
    def is_complete(self) -> bool:
        """Every item is."""
        return self.n_completed == self.n_items

    @property
    def exit_code(self) -> int:
        """0 when complete, 75 when interrupted."""
        return 0 if self.is_complete else EXIT_INTERRUPTED


def run_study(study: Study, path: Path, engine: Engine, *, is_quiet: bool = False) -> StudyOutcome:
    """Run every item that is missing; the results do not depend on the engine, on its workers, or on interruptions.

    Raises:
        RunDirectoryError: the directory holds another study, or is being written.
        EngineError:       the engine cannot be reached, or its workers do not come up.
        StudyError:        items failed for a reason that another attempt would not change; the others are finished.
    """
    engine.check()
    directory = StudyDirectory(path)
    directory.open_for(study)
    with RunDirectory(path).locked(), noted_signals() as caught:
        return _Driver(study, directory, is_quiet).go(engine, caught)


@dataclass
class _Underway:
    """An item that was handed out: sweeps before this attempt, and how many attempts in a row added none."""

    item: StudyItem
    sweeps: int
    n_idle: int = 0


@dataclass
class _Driver:
    study: Study
    directory: StudyDirectory
    is_quiet: bool
    n_lost: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def go(self, engine: Engine, caught: list[int]) -> StudyOutcome:
        start = time.monotonic()
        items = self.study.items()
        missing = [item for item in items if not self.directory.is_completed(item)]
        n_resumed = len(items) - len(missing)
        self._log("start", engine=engine.text(), n_items=len(items), n_completed=n_resumed)
        if missing:
            with started(engine, self.directory.path) as submit:
                self._hand_out(submit, missing, n_resumed, caught)
                if caught:
                    self._stop(missing)
        if self.failed:
            raise self._failure()
        n_completed = sum(self.directory.is_completed(item) for item in items)
        name = signal.Signals(caught[0]).name if caught else None
        seconds = time.monotonic() - start
        self._log("complete" if n_completed == len(items) else f"stopped by {name}", n_completed=n_completed)
        return StudyOutcome(str(self.directory.path), len(items), n_completed, n_resumed, self.n_lost, seconds, name)

    def _hand_out(self, submit: Submit, missing: list[StudyItem], n_before: int, caught: list[int]) -> None:
        underway: dict[Future[Attempt], _Underway] = {}
        # the largest first, so that the last worker is not left with one of them
        for item in sorted(missing, key=lambda item: -item.n_inputs):
            underway[submit(item.name)] = _Underway(item, sweeps_done(self.directory, item))
        n_done, told = n_before, time.monotonic()
        with tqdm(
            total=n_before + len(missing),
            initial=n_before,
            unit="item",
            dynamic_ncols=True,
            file=sys.stderr,
            disable=True if self.is_quiet else None,  # None: shown on a terminal only
        ) as bar:
            while underway and not caught:
                for future in wait(underway, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
                    entry = underway.pop(future)
                    if self._is_done(future, entry):
                        n_done += 1
                        bar.update(1)
                    elif entry.item.name not in self.failed:
                        underway[submit(entry.item.name)] = entry
                if bar.disable and not self.is_quiet and time.monotonic() > told + LINE_EVERY_S:
                    told = time.monotonic()
                    print(f"{n_done} of {bar.total} items, {self.n_lost} lost", file=sys.stderr, flush=True)

    def _is_done(self, future: "Future[Attempt]", entry: _Underway) -> bool:
        """Judge an attempt that has ended."""
        try:
            status, message = future.result()
        except EngineError:
            raise
        except Exception as error:  # whatever Parsl says of a lost worker, manager or node
            status, message = EXIT_INTERRUPTED, f"{type(error).__name__}: {error}"
            if type(error).__name__ == "BadStateException":
                raise EngineError(f"the engine does not start workers: {message}") from None
        name = entry.item.name
        if status == 0 and self.directory.is_completed(entry.item):
            self._log("item complete", item=name)
            return True
        if status > 0 and status != EXIT_INTERRUPTED:
            self.failed[name] = message
            self._log("item failed", item=name, status=status, message=message)
            return False
        self.n_lost += 1
        sweeps = sweeps_done(self.directory, entry.item)
        entry.n_idle = 0 if sweeps > entry.sweeps else entry.n_idle + 1
        entry.sweeps = sweeps
        self._log("item lost", item=name, status=status, sweep=sweeps, message=message)
        if entry.n_idle >= MOST_IDLE_ATTEMPTS:
            self.failed[name] = (
                f"{entry.n_idle} attempts in a row ended before its next checkpoint (the last with status {status}"
                f"{': ' + message if message else ''}). Lower run.checkpoint_every_s, or give it more time or memory."
            )
        return False

    def _stop(self, missing: list[StudyItem]) -> None:
        """Have the items of this machine write a checkpoint, and wait for it; the engine asks those of others."""
        until = time.monotonic() + CHECKPOINT_WITHIN_S
        directories = [self.directory.run_directory(item) for item in missing]
        asked: set[int] = set()
        while time.monotonic() < until:
            holders = [holder for directory in directories if (holder := directory.holder()) is not None]
            here = {int(holder["pid"]) for holder in holders if holder["host"] == os.uname().nodename}
            if not here:
                return
            for pid in here - asked:
                os.kill(pid, signal.SIGTERM)
            asked |= here
            time.sleep(POLL_S)

    def _failure(self) -> StudyError:
        lines = [f"  {name}: {message}" for name, message in sorted(self.failed.items())]
        return StudyError(
            f"{len(lines)} items of {self.directory.path} failed; the others are finished, and the same command tries "
            "these again:\n" + "\n".join(lines[:10]) + ("\n  ..." if len(lines) > 10 else ""),
            failed=self.failed,
        )

    def _log(self, event: str, **facts: object) -> None:
        RunDirectory(self.directory.logs).log(event, **facts)
        if event.startswith("item ") and not self.is_quiet:
            print(f"{event}: {json.dumps(facts)}", file=sys.stderr, flush=True)
