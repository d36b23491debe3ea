"""Every test that docs/reliability.md names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reliability.md").read_text()


def missing(page: str) -> list[str]:
    """Names of tests in a page that are not there."""
    names = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert names
    texts = {file: (ROOT / file).read_text() if (ROOT / file).exists() else "" for file, _ in names}
    return [
        f"{file}::{test}"
        for file, test in names
        if not re.search(rf"^def {test}\(" if test else ".", texts[file], re.M)
    ]


def test_every_promise_has_its_test():
    assert missing(PAGE) == []
    assert len(set(re.findall(r"`tests/[\w/]+\.py(?:::\w+)?`", PAGE))) > 35


def test_a_name_that_is_not_there_is_seen():
    assert missing("| x | `tests/test_reliability.py::test_nothing` |") == ["tests/test_reliability.py::test_nothing"]
    assert missing("`tests/nothing.py`") == ["tests/nothing.py::"]
