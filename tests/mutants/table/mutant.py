"""What one row of the table says."""

from dataclasses import dataclass
from typing import Literal

OURS = "ours"
STATISTICAL = "tests/statistical"


@dataclass(frozen=True)
class Mutant:
    """One fault: a text of a source that is found once, what stands in its place, and who must notice.

    Attributes:
        origin:      the code, with its issue, where it was published; "field" where it is common; or "ours".
        tests:       node ids; every one of them passes without the mutant, and one of them must fail with it.
        engine:      "torch" hides the compiled extension from the tests.
        is_short:    part of the short form, which `make test` runs.
    """

    name: str
    origin: str
    file: str
    original: str
    replacement: str
    tests: tuple[str, ...]
    engine: Literal["compiled", "torch"] = "compiled"
    is_short: bool = False

    @property
    def is_compiled(self) -> bool:
        """True for a fault in C++, which needs an extension of its own."""
        return self.file.startswith("cpp_ext")
