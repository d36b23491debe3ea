"""The ansätze by name, as options and files spell them."""

from mcmc.errors import UsageError
from mcmc.names import nearest

ANSATZE = ("auto", "rs", "1rsb", "krsb", "full")


def check_ansatz(ansatz: str, n_steps: int | None) -> None:
    """Raises UsageError for an unknown name, and for krsb without a number of steps or another with one."""
    if (ansatz == "krsb") != (n_steps is not None):
        raise UsageError("--steps goes with --ansatz krsb, and krsb needs it, as in --ansatz krsb --steps 3.")
    if n_steps is not None and n_steps < 1:
        raise UsageError(f"k-step RSB: expected at least one step, found {n_steps}.", n_steps=n_steps)
    if ansatz not in ANSATZE:
        raise UsageError(f"unknown ansatz '{ansatz}'.{nearest(ansatz, ANSATZE)}")


def phase_name(ansatz: str) -> str:
    """How a solution's ansatz is called in words: "RS", "1RSB", "2RSB", ..., "full RSB"."""
    return {"rs": "RS", "full": "full RSB"}.get(ansatz, ansatz.upper())
