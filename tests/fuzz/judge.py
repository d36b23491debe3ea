"""What may come of an input: an answer, or within seconds an error of ours on one screen. Anything else is Wrong."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mcmc.errors import MlpGibbsError

MAX_LINES, MAX_CHARACTERS = 24, 6000
DEADLINE_S = 5.0  # of processor time: a busy machine alarms nobody
WAITING = 20  # times as long by the clock, for what waits and does nothing


class Wrong(AssertionError):
    """A traceback, a hang, a page of output, or another number than before."""


@contextmanager
def deadline(seconds: float = DEADLINE_S) -> Iterator[None]:
    """Ends what takes longer."""

    def too_late(*_: Any) -> None:
        raise Wrong(f"no answer after {seconds} s")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, WAITING))
    before = [signal.signal(number, too_late) for number, _, _ in timers]
    for _, timer, factor in timers:
        signal.setitimer(timer, factor * seconds)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def judge(call: Callable[[], Any], seconds: float = DEADLINE_S) -> str:
    """ "valid" or "refused in words".

    Raises:
        Wrong: another error than ours, or none of one screen, or no end.
    """
    try:
        with deadline(seconds):
            call()
    except MlpGibbsError as error:
        message = str(error)
        if len(message) > MAX_CHARACTERS or message.count("\n") >= MAX_LINES or not message.strip():
            raise Wrong(f"{len(message)} characters: {message[:500]} ...") from error
        return "refused in words"
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"{type(error).__name__}: {error}"[:500]) from error
    return "valid"
