"""Names of ansätze: which need a number of steps, which numbers, and what is said of the others."""

import pytest

from mcmc.errors import UsageError
from mcmc.theory.ansatz import ANSATZE, check_ansatz, phase_name


def test_names_that_are_known():
    for ansatz in ANSATZE:
        check_ansatz(ansatz, 1 if ansatz == "krsb" else None)


@pytest.mark.parametrize(
    ("ansatz", "n_steps", "message"),
    [
        ("krsb", None, "krsb needs it"),
        ("full", 3, "--steps goes with --ansatz krsb"),
        ("krsb", 0, "expected at least one step, found 0"),
        ("ful", None, "unknown ansatz 'ful'.*full"),
    ],
)
def test_others_are_refused(ansatz, n_steps, message):
    with pytest.raises(UsageError, match=message):
        check_ansatz(ansatz, n_steps)


def test_phases_in_words():
    assert [phase_name(name) for name in ("rs", "1rsb", "3rsb", "full")] == ["RS", "1RSB", "3RSB", "full RSB"]
