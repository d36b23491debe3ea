"""How much is tried, and a count of what came of it: `make fuzz` tries everything and prints the table."""

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz.judge import Wrong
from tests.support.tally import Table, new_table, write_table

IS_FULL = os.environ.get("MLP_GIBBS_FUZZ") == "full"
TABLE = pytest.StashKey[Table]()
OUTCOMES = ("valid", "refused in words", "caught", "WRONG")


def pytest_configure(config):
    config.stash[TABLE] = new_table()


@pytest.fixture(scope="session")
def full():
    """Ten thousand cases of a kind, not some hundreds."""
    return IS_FULL


@pytest.fixture(scope="session")
def seed():
    """Fresh in the full form, and printed; fixed elsewhere."""
    chosen = int(os.environ.get("MLP_GIBBS_FUZZ_SEED", "0") or 0)
    chosen = chosen or (random.SystemRandom().randrange(1, 2**31) if IS_FULL else 1)
    print(f"MLP_GIBBS_FUZZ_SEED={chosen}")
    return chosen


@pytest.fixture
def tally(request):
    """tally(input, judge, *arguments): one more case, with the outcome that `judge` returns, or WRONG."""
    table = request.config.stash[TABLE]

    def count(name, judge, *arguments):
        try:
            outcome = judge(*arguments)
        except Wrong:
            table[name]["WRONG"] += 1
            raise
        table[name][outcome] += 1
        return outcome

    return count


def pytest_terminal_summary(terminalreporter, config):
    write_table(terminalreporter, "hostile input", ("input", "cases"), OUTCOMES, config.stash[TABLE])


def examples(short: int, full: int = 10_000):
    """Settings of a test of hypothesis; its own deadline is replaced by `judge.deadline`, which ends what hangs."""
    return settings(
        max_examples=full if IS_FULL else short,
        deadline=None,
        derandomize=not IS_FULL,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=True,
    )
