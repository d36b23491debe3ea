"""One server for all tests of faults, and a count of what was injected and what came of it: `make faults` prints it."""

import os

import pytest

from tests.faults.harness import Server
from tests.support.tally import Table, new_table, write_table

IS_FULL = os.environ.get("MLP_GIBBS_FAULTS") == "full"  # hundreds of kills, every system call: `make faults`
TABLE = pytest.StashKey[Table]()


def pytest_configure(config):
    config.stash[TABLE] = new_table()


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
    outcomes = ("same bytes", "refused in words", "caught", "WRONG")
    write_table(terminalreporter, "faults injected", ("fault", "injected"), outcomes, config.stash[TABLE])
