"""Every mutant of the table is caught by the check that is named there, and by a judgement, not a crash."""

import re
from dataclasses import replace

import pytest

from mcmc import native
from tests.mutants.build import switched
from tests.mutants.conftest import IS_FULL
from tests.mutants.sandbox import MutantError
from tests.mutants.table import FAMILIES, MUTANTS
from tests.support.runs import ROOT

pytestmark = pytest.mark.skipif(native.BACKEND == "reference", reason=f"no extension: {native.extension_error}")
TRIED = [mutant for mutant in MUTANTS if IS_FULL or mutant.is_short]
ENGINES = ["compiled", "torch", *(["switched"] if IS_FULL else [])]


def engine_of(mutant):
    return "switched" if mutant.is_compiled else mutant.engine


def test_the_table():
    """Forty at least, each a text that is there once, with tests that exist; the short form has some of each family."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.original) == 1, mutant.name
        assert mutant.original != mutant.replacement
        for test in mutant.tests:
            file, _, name = test.partition("::")
            pattern = rf"^def {name.partition('[')[0]}\(" if name else "^def test_"
            assert re.search(pattern, (ROOT / file).read_text(), re.M), test
    for family, mutants in FAMILIES.items():
        assert any(mutant.is_short for mutant in mutants) or family == "compiled", family


@pytest.mark.parametrize("engine", ENGINES)
def test_without_a_mutant_the_same_tests_pass(laboratory, engine):
    mutants = [mutant for mutant in TRIED if engine_of(mutant) == engine]
    outcome = laboratory.control(mutants)
    assert outcome.failed == ()
    assert not outcome.timed_out
    assert outcome.passed >= len({test for mutant in mutants for test in mutant.tests})


@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(laboratory, note, mutant):
    outcome = laboratory.run(mutant)
    catch = next((failure for failure in outcome.failed if failure.by_assertion), None)
    note(mutant, catch and catch.test, outcome.seconds)
    assert catch is not None, f"not caught: {outcome.failed or outcome.log[-1000:]}"


# --- the apparatus can fail


HARMLESS = next(mutant for mutant in MUTANTS if mutant.file == "mcmc/types.py")


def test_a_mutant_that_does_nothing_lives(laboratory):
    outcome = laboratory.run(replace(HARMLESS, replacement=f"list({HARMLESS.original})"))
    assert outcome.failed == ()
    assert outcome.passed


@pytest.mark.parametrize("replacement", ["[", "undefined_name", "1 / 0"], ids=["syntax", "name", "crash"])
def test_a_mutant_that_only_crashes_is_not_caught(laboratory, replacement):
    outcome = laboratory.run(replace(HARMLESS, replacement=replacement))
    assert outcome.failed
    assert not any(failure.by_assertion for failure in outcome.failed)


def test_a_row_that_no_longer_fits_is_an_error(laboratory):
    with pytest.raises(MutantError, match="must hold once, found 0 times"):
        laboratory.run(replace(HARMLESS, original="what was there before"))
    with pytest.raises(MutantError, match="must hold once, found 2 times"):
        switched("a b a", [(1, replace(HARMLESS, original="a"))], "mutant.h")
    with pytest.raises(MutantError, match="status 4"):
        laboratory.run(replace(HARMLESS, tests=("tests/no_such_file.py",)))
