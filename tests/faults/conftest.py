"""One server for all tests of faults, and a count of what was injected and what came of it: `make faults` prints it."""

import os
from collections import Counter, defaultdict

import pytest

from tests.faults.harness import Server

IS_FULL = os.environ.get("MLP_GIBBS_FAULTS") == "full"  # hundreds of kills, every system call: `make faults`
TABLE = pytest.StashKey[dict[str, Counter]]()


def pytest_configure(config):
    config.stash[TABLE] = defaultdict(Counter)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("faults"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def full():
    """Every fault, not a choice of them."""
    return IS_FULL


@pytest.fixture
def tally(request):
    """tally(fault, outcome): one more of them."""
    table = request.config.stash[TABLE]

    def count(fault: str, outcome: str) -> None:
        table[fault][outcome] += 1

    return count


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash[TABLE]
    if not table:
        return
    outcomes = ("same bytes", "refused in words", "caught", "WRONG")
    terminalreporter.section("faults injected")
    terminalreporter.write_line("| fault | " + " | ".join(("injected", *outcomes)) + " |")
    terminalreporter.write_line("|---|" + "---:|" * (len(outcomes) + 1))
    for fault, counts in table.items():
        cells = [str(counts.total()), *(str(counts[outcome]) for outcome in outcomes)]
        terminalreporter.write_line(f"| {fault} | " + " | ".join(cells) + " |")
