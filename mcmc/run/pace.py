"""How many sweeps are done at a time: signals, checkpoints and progress wait for the end of a call."""

import time

LONGEST_CALL_S = 0.25
MOST_BYTES = 2**25  # of the draws that a call returns


class Pace:
    """Learns how long a sweep takes, and allows calls of about LONGEST_CALL_S.

    How sweeps are grouped changes no result.
    """

    def __init__(self, bytes_per_draw: int):
        self._most = max(1, MOST_BYTES // max(1, bytes_per_draw))
        self._allowed = 1
        self._started = 0.0

    def start(self) -> int:
        """Begin a call; the number of sweeps that it may do."""
        self._started = time.monotonic()
        return self._allowed

    def stop(self, n_sweeps: int) -> None:
        """So many sweeps were done since `start`."""
        seconds = max(time.monotonic() - self._started, 1e-6)
        # not more than twice as many as were timed: the first sweep of a process may be a slow one, or measured nothing
        self._allowed = min(self._most, 2 * n_sweeps, max(1, int(n_sweeps * LONGEST_CALL_S / seconds)))
