"""What a run tells while it goes: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time

from tqdm import tqdm

from mcmc.exchange.barrier import rejection_rates
from mcmc.run.adaptation import has_swap_attempts
from mcmc.run.simulation import Simulation

BAR_EVERY_S = 0.5
LINE_EVERY_S = 10.0


class Progress:
    """Shows sweeps, time left, acceptance, the slowest swap rate and round trips, on standard error.

    Attributes:
        is_quiet: show nothing.
    """

    def __init__(self, total: int, done: int, *, is_quiet: bool = False):
        self.is_quiet = is_quiet
        self._is_terminal = sys.stderr.isatty()
        self._total, self._start, self._started_at = total, done, time.monotonic()
        self._next = 0.0
        self._bar = None
        if self._is_terminal and not is_quiet:
            self._bar = tqdm(total=total, initial=done, unit="sweep", dynamic_ncols=True, file=sys.stderr)

    def update(self, simulation: Simulation, phase: str, *, force: bool = False) -> None:
        """Report, unless it was done a moment ago."""
        now = time.monotonic()
        if self.is_quiet or (now < self._next and not force):
            return
        self._next = now + (BAR_EVERY_S if self._is_terminal else LINE_EVERY_S)
        text = f"{phase} {_vital_signs(simulation)}"
        if self._bar is not None:
            self._bar.n = simulation.sweep
            self._bar.set_postfix_str(text, refresh=True)
            return
        done = simulation.sweep - self._start
        rate = done / max(now - self._started_at, 1e-9)
        left = (self._total - simulation.sweep) / rate if done else float("nan")
        print(f"sweep {simulation.sweep}/{self._total}  {text}  about {left:.0f} s left", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        elif not self.is_quiet:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._bar is not None:
            self._bar.close()


def _vital_signs(simulation: Simulation) -> str:
    steps = int(simulation.diagnostics.tensors["n_steps"])
    parts = []
    if steps:
        parts.append(f"acceptance {float(simulation.diagnostics.tensors['acceptance'].mean()) / steps:.2f}")
    if has_swap_attempts(simulation):
        parts.append(f"slowest swap {1 - rejection_rates(simulation.exchange).max():.2f}")
        parts.append(f"round trips {int(simulation.exchange.round_trips.sum())}")
    return "  ".join(parts)
