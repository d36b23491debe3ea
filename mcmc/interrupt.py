"""Signals that ask a command to stop: noted, so that it can leave something to resume from."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: what was done is saved, run the same command again
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Note SIGTERM, SIGINT and SIGUSR1 in a list instead of dying of them; a second SIGINT is obeyed at once."""
    caught: list[int] = []

    def note(number: int, frame: object) -> None:
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(number)

    try:
        before = {number: signal.signal(number, note) for number in SIGNALS}
    except ValueError:  # not the main thread: signals are not ours to handle
        yield caught
        return
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
