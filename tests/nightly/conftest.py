"""Seeds of the night, and the table of what was found: `make nightly` prints it.

MLP_GIBBS_NIGHTLY=full        everything, at full size; without it a choice of items, small, at a fixed seed
MLP_GIBBS_NIGHTLY_SEED=123    the night of that seed again
"""

import hashlib
import os
import secrets

import pytest

from tests.nightly.pvalues import FALSE_ALARM, Found, limit

IS_FULL = os.environ.get("MLP_GIBBS_NIGHTLY") == "full"
SHORT_SEED = 1  # tests that are run at every change must not fail by chance
SEED = int(os.environ.get("MLP_GIBBS_NIGHTLY_SEED", secrets.randbits(48) if IS_FULL else SHORT_SEED))
ROWS = pytest.StashKey[list[tuple[str, ...]]]()


def pytest_configure(config):
    config.stash[ROWS] = []


def pytest_report_header():
    return f"nightly seed: {SEED} (MLP_GIBBS_NIGHTLY_SEED repeats it)"


def seed_of(*names: object) -> int:
    """A seed below 2^48 for an item, from that of the night and its name."""
    return int.from_bytes(hashlib.sha256(repr((SEED, *map(str, names))).encode()).digest()[:6], "big")


@pytest.fixture(scope="session")
def full():
    """Everything, at full size."""
    return IS_FULL


@pytest.fixture
def judge(request):
    """judge(found, n_items, part, subject, exchange, seed): into the table; fails below the limit of the part."""

    def verdict(found: Found, n_items: int, *cells: object) -> None:
        *names, seed = cells
        row = (*map(str, names), str(found.n), f"{found.smallest:.2g}", f"{found.p:.2g}", str(seed))
        request.config.stash[ROWS].append(row)
        assert found.p > limit(n_items), (
            f"{names}: p = {found.p:.2g} <= {limit(n_items):.2g}: {found.what}, seed {seed}"
        )

    return verdict


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash[ROWS]
    if not rows:
        return
    terminalreporter.section("nightly")
    terminalreporter.write_line(f"seed {SEED}; a battery without faults fails once in {1 / FALSE_ALARM:.0f} nights")
    terminalreporter.write_line("| part | what | exchange | p-values | smallest | of the item | seed |")
    terminalreporter.write_line("|---|---|---|---:|---:|---:|---:|")
    for row in rows:
        terminalreporter.write_line("| " + " | ".join(row) + " |")
