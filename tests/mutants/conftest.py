"""One server and one sandbox for all mutants, and the table of what caught each: `make mutants` prints and keeps it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mutants.build import SWITCH, build_mutants
from tests.mutants.sandbox import Outcome, Sandbox, Server
from tests.mutants.table import COMPILED, FAMILIES, Mutant
from tests.support.runs import ROOT

IS_FULL = os.environ.get("MLP_GIBBS_MUTANTS") == "full"  # every mutant, those in C++ too: `make mutants`
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- mutants: written by `make mutants` -->\n", "<!-- end of mutants -->"


@dataclass(frozen=True)
class Row:
    """A mutant and the test that caught it; None for one that lives."""

    mutant: Mutant
    caught_by: str | None
    seconds: float


TABLE = pytest.StashKey[list[Row]]()


class Laboratory:
    """Runs tests on the package as it is, or with one mutant in it."""

    def __init__(self, folder: Path):
        self._folder, self._library = folder, None
        (folder / "server").mkdir()
        self.server, self.sandbox = Server(folder / "server"), Sandbox(folder / "copy")

    def run(self, mutant: Mutant) -> Outcome:
        """The tests that are to catch a mutant, with it."""
        with self.sandbox.extension(self._extension_for(mutant)):
            if mutant.is_compiled:
                return self.server.run(
                    self.sandbox.folder,
                    mutant.tests,
                    environment={SWITCH: str(COMPILED.index(mutant) + 1)},
                )
            self.sandbox.replace(mutant.file, mutant.original, mutant.replacement)
            try:
                return self.server.run(self.sandbox.folder, mutant.tests)
            finally:
                self.sandbox.restore(mutant.file)

    def control(self, mutants: list[Mutant]) -> Outcome:
        """All the tests of mutants of one engine, without a mutant."""
        tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
        with self.sandbox.extension(self._extension_for(mutants[0])):
            return self.server.run(self.sandbox.folder, tests, options=(), timeout_s=1800)

    def _extension_for(self, mutant: Mutant) -> Path | None:
        if mutant.engine == "torch":
            return None
        if not mutant.is_compiled:
            return next((ROOT / "mcmc").glob("_C*.so"), None)
        if self._library is None:
            self._library = build_mutants(COMPILED, self._folder / "build")
        return self._library


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path_factory.mktemp("mutants"))
    yield laboratory
    laboratory.server.close()


@pytest.fixture
def note(request):
    """note(mutant, caught_by, seconds): a row of the table."""
    rows = request.config.stash[TABLE]
    return lambda *row: rows.append(Row(*row))


def pytest_configure(config):
    config.stash[TABLE] = []


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash[TABLE]
    if not rows:
        return
    terminalreporter.section("mutants")
    terminalreporter.write_line("| mutant | origin | caught by | seconds |")
    terminalreporter.write_line("|---|---|---|---:|")
    for row in rows:
        terminalreporter.write_line(f"{_line(row)} {row.seconds:.1f} |")
    n_caught = sum(row.caught_by is not None for row in rows)
    terminalreporter.write_line(f"{len(rows)} mutants, {n_caught} caught")
    if len(rows) == sum(map(len, FAMILIES.values())):
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + _section(rows) + END + rest.partition(END)[2])


def _line(row: Row) -> str:
    caught_by = f"`{row.caught_by}`" if row.caught_by else "NOTHING"
    return f"| {row.mutant.name} | {row.mutant.origin} | {caught_by} |"


def _section(rows: list[Row]) -> str:
    """What the page keeps: counts by family, then every mutant."""
    lines = ["| family | mutants | caught |", "|---|---:|---:|"]
    for name, family in FAMILIES.items():
        caught = [row.mutant in family and row.caught_by is not None for row in rows]
        lines.append(f"| {name} | {len(family)} | {sum(caught)} |")
    lines += ["", "| mutant | origin | caught by |", "|---|---|---|", *map(_line, rows)]
    return "\n".join(lines) + "\n"
