"""Run a study: hand out what is missing, take up what was lost, leave politely on a signal."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from mcmc.errors import EngineError, StudyError
from mcmc.interrupt import EXIT_INTERRUPTED, noted_signals
from mcmc.io.directory import RunDirectory
from mcmc.study.config import Study
from mcmc.study.directory import StudyDirectory
from mcmc.study.engine import Engine, Workers, started
from mcmc.study.items import StudyItem
from mcmc.study.progress import sweeps_done
from mcmc.study.work import Attempt

POLL_S = 0.5
CHECKPOINT_WITHIN_S = 60.0
MOST_IDLE_ATTEMPTS = 10  # in a row, at an item that does not get on
STALLED_HEARTBEATS = 6.0  # without a run, though workers are said to have items: start the engine again


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
    directory.make()
    with RunDirectory(path).locked(), noted_signals() as caught:
        directory.open_for(study)
        return _Driver(directory, study.items(), engine, caught, is_quiet).go()


@dataclass
class _Tries:
    """Of one item: sweeps behind its last checkpoint, and how many attempts in a row added none."""

    sweeps: int
    n_idle: int = 0


@dataclass
class _Driver:
    directory: StudyDirectory
    items: list[StudyItem]
    engine: Engine
    caught: list[int]
    is_quiet: bool
    n_lost: int = 0
    tries: dict[str, _Tries] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def go(self) -> StudyOutcome:
        start, n_resumed = time.monotonic(), len(self.items) - len(self._missing())
        self._log("start", engine=self.engine.text(), n_items=len(self.items), n_completed=n_resumed)
        with self._bar(n_resumed) as bar:
            while (missing := self._missing()) and not self.caught:
                with started(self.engine, self.directory.path) as workers:
                    self._hand_out(workers, missing, bar)
                    self._release(missing)
        if self.failed:
            raise self._failure()
        n_completed = len(self.items) - len(self._missing())
        name = signal.Signals(self.caught[0]).name if self.caught else None
        self._log("complete" if n_completed == len(self.items) else f"stopped by {name}", n_completed=n_completed)
        seconds = time.monotonic() - start
        path = str(self.directory.path)
        return StudyOutcome(path, len(self.items), n_completed, n_resumed, self.n_lost, seconds, name)

    def _missing(self) -> list[StudyItem]:
        """Items to be done, the largest first, so that the last worker is not left with one of them."""
        todo = [item for item in self.items if item.name not in self.failed and not self.directory.is_completed(item)]
        return sorted(todo, key=lambda item: -item.n_inputs)

    def _hand_out(self, workers: Workers, missing: list[StudyItem], bar: tqdm) -> None:
        """Until all items are done or have failed, a signal comes, or the engine is stuck."""
        underway: dict[Future[Attempt], StudyItem] = {workers.submit(item.name): item for item in missing}
        patience_s = STALLED_HEARTBEATS * self.engine.heartbeat_s
        seen_alive = looked = time.monotonic()
        while underway and not self.caught:
            for future in wait(underway, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
                item = underway.pop(future)
                if self._is_done(future, item):
                    bar.update(1)
                elif item.name not in self.failed:
                    underway[workers.submit(item.name)] = item
            if time.monotonic() < looked + patience_s / 10:
                continue
            looked = time.monotonic()
            n_running = sum(self.directory.run_directory(item).holder() is not None for item in underway.values())
            if n_running >= min(workers.n_busy(), len(underway)):
                seen_alive = looked
            elif looked > seen_alive + patience_s:
                self._log("engine stuck: started again", n_running=n_running)
                return

    def _is_done(self, future: "Future[Attempt]", item: StudyItem) -> bool:
        """Judge an attempt that has ended."""
        from parsl.executors.errors import BadStateException

        try:
            status, message = future.result()
        except BadStateException as error:
            raise EngineError(f"the engine ({self.engine.text()}) does not start workers: {error}") from None
        except Exception as error:  # whatever Parsl says of a lost worker, manager or node
            status, message = EXIT_INTERRUPTED, f"{type(error).__name__}: {error}"
        if status == 0 and self.directory.is_completed(item):
            self._log("item complete", item=item.name)
            return True
        if status > 0 and status != EXIT_INTERRUPTED:
            self.failed[item.name] = message
            self._log("item failed", item=item.name, status=status, message=message)
        else:
            self._count_lost(item, status, message)
        return False

    def _count_lost(self, item: StudyItem, status: int, message: str) -> None:
        self.n_lost += 1
        tries = self.tries.setdefault(item.name, _Tries(0))
        sweeps = sweeps_done(self.directory, item)
        tries.n_idle = 0 if sweeps > tries.sweeps else tries.n_idle + 1
        tries.sweeps = sweeps
        self._log("item lost", item=item.name, status=status, sweep=sweeps, message=message)
        if tries.n_idle >= MOST_IDLE_ATTEMPTS:
            self.failed[item.name] = (
                f"{tries.n_idle} attempts in a row ended before its next checkpoint (the last with status {status}"
                f"{': ' + message if message else ''}). Lower run.checkpoint_every_s, or give it more time or memory."
            )

    def _release(self, missing: list[StudyItem]) -> None:
        """Have runs of this machine that go on write a checkpoint, and wait; the engine asks those of others."""
        until = time.monotonic() + CHECKPOINT_WITHIN_S
        asked: set[int] = set()
        while time.monotonic() < until:
            holders = [self.directory.run_directory(item).holder() for item in missing]
            here = {int(holder["pid"]) for holder in holders if holder and holder["host"] == socket.gethostname()}
            if not here:
                return
            for pid in here - asked:
                os.kill(pid, signal.SIGTERM)
            asked |= here
            time.sleep(POLL_S / 5)

    def _failure(self) -> StudyError:
        lines = [f"  {name}: {message}" for name, message in sorted(self.failed.items())]
        return StudyError(
            f"{len(lines)} items of {self.directory.path} failed; the others are finished, and the same command tries "
            "these again:\n" + "\n".join(lines[:10]) + ("\n  ..." if len(lines) > 10 else ""),
            failed=self.failed,
        )

    @contextmanager
    def _bar(self, n_resumed: int) -> Iterator[tqdm]:
        with tqdm(
            total=len(self.items),
            initial=n_resumed,
            unit="item",
            dynamic_ncols=True,
            file=sys.stderr,
            disable=True if self.is_quiet else None,  # None: shown on a terminal only
        ) as bar:
            yield bar

    def _log(self, event: str, **facts: object) -> None:
        RunDirectory(self.directory.logs).log(event, **facts)
        if not self.is_quiet:
            tqdm.write(f"{time.strftime('%H:%M:%S')} {event} {json.dumps(facts)}", file=sys.stderr)
