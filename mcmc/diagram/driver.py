"""Compute a phase diagram: what is missing of it, on all cores, saved item by item."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from mcmc.diagram.directory import DiagramDirectory
from mcmc.diagram.point import Point
from mcmc.diagram.request import DiagramRequest, Item
from mcmc.diagram.solve import ItemResult, solve_item
from mcmc.errors import SegmentError, UsageError
from mcmc.io.lock import locked

POLL_S = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Diagram:
    """A phase diagram as far as it is computed.

    Attributes:
        request: what it shows.
        results: of the finished items, in order.
        n_resumed: how many of them were there before.
    """

    request: DiagramRequest
    results: list[ItemResult]
    n_resumed: int = 0

    @property
    def is_complete(self) -> bool:
        """Every item is finished."""
        return len(self.results) == len(self.request.items())


class Interrupted(BaseException):
    """A polite signal arrived; what was finished is saved."""

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


def compute(request: DiagramRequest, out: Path, *, n_workers: int | None = None) -> Diagram:
    """The whole diagram; finished items of an earlier attempt are taken up.

    Args:
        out:       directory of the diagram.
        n_workers: processes; all cores if None. The results do not depend on it.
    Raises:
        UsageError:        n_workers < 1.
        RunDirectoryError: the directory holds another diagram, or is being written.
        StorageError:      it cannot be written.
        Interrupted:       SIGINT or SIGTERM.
    """
    if n_workers is not None and n_workers < 1:
        raise UsageError(f"--workers: expected at least 1, found {n_workers}.", n_workers=n_workers)
    directory = DiagramDirectory(out)
    directory.make()
    with locked(directory.path) as lock, _signals_raise():
        directory.open_for(request)
        done, missing = _sort(directory, request)
        n_points = len(request.betas)
        with tqdm(
            total=n_points * len(request.items()),
            initial=n_points * len(done),
            unit="point",
            dynamic_ncols=True,
            disable=None,  # shown on a terminal only
            file=sys.stderr,
        ) as bar:
            n = min(n_workers or os.cpu_count() or 1, len(missing))
            if n > 1:
                _in_processes(directory, missing, n, lambda: bar.update(n_points))
            else:
                _in_turn(directory, missing, lambda: bar.update(1))
        lock.verify()
        results = [_finished(directory, item) for item in request.items()]
        directory.write_result(request, results)
    return Diagram(request, results, len(done))


def read_diagram(directory: DiagramDirectory) -> Diagram:
    """What is finished of a diagram; damaged items count as missing."""
    request = directory.request()
    results = []
    for item in request.items():
        try:
            result = directory.read_item(item)
        except SegmentError as error:
            print(f"mlp-gibbs: {error} Left out.", file=sys.stderr)
            continue
        if result is not None:
            results.append(result)
    return Diagram(request, results)


def _sort(directory: DiagramDirectory, request: DiagramRequest) -> tuple[list[Item], list[Item]]:
    """(finished, missing) items; a damaged file is set aside and its item is missing."""
    done: list[Item] = []
    missing: list[Item] = []
    for item in request.items():
        try:
            is_done = directory.read_item(item) is not None
        except SegmentError as error:
            print(f"mlp-gibbs: {error} Kept as {directory.set_aside(item).name}, computed again.", file=sys.stderr)
            is_done = False
        (done if is_done else missing).append(item)
    return done, missing


def _finished(directory: DiagramDirectory, item: Item) -> ItemResult:
    result = directory.read_item(item)
    assert result is not None, "written a moment ago"
    return result


def _in_turn(directory: DiagramDirectory, items: list[Item], advance: Callable[[], object]) -> None:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for item in items:
            directory.write_item(_solve(item, lambda _: advance()))
    finally:
        torch.set_num_threads(n_threads)


def _solve(item: Item, on_point: Callable[[Point], object] = lambda point: None) -> ItemResult:
    """On one thread of every linear algebra library: the order of their sums, so the last digits, depends on it."""
    with threadpool_limits(1):
        return solve_item(item, on_point)


def _in_processes(directory: DiagramDirectory, items: list[Item], n: int, advance: Callable[[], object]) -> None:
    # spawn: a forked copy of a process that has used torch's threads can hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n, mp_context=context, initializer=_start_worker)
    try:
        # the last ones first: scans go from small to large, and large couplings take longer
        todo: set[Future[None]] = {pool.submit(_work, directory.path, item) for item in reversed(items)}
        while todo:
            finished, todo = wait(todo, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                advance()
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _start_worker() -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)  # killed without a chance to tell us

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _work(path: Path, item: Item) -> None:
    DiagramDirectory(path).write_item(_solve(item))


@contextmanager
def _signals_raise() -> Iterator[None]:
    def handler(number: int, frame: object) -> None:
        raise Interrupted(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
