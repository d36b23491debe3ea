"""The table of mutants: every fault with the check that must catch it."""

from tests.mutants.table.analysis import ANALYSIS
from tests.mutants.table.compiled import COMPILED
from tests.mutants.table.exchange import EXCHANGE
from tests.mutants.table.kernels import KERNELS
from tests.mutants.table.mutant import Mutant
from tests.mutants.table.observers import OBSERVERS
from tests.mutants.table.streams import STREAMS
from tests.mutants.table.theory import THEORY

FAMILIES: dict[str, tuple[Mutant, ...]] = {
    "kernels": KERNELS,
    "exchange": EXCHANGE,
    "streams": STREAMS,
    "observers": OBSERVERS,
    "analysis": ANALYSIS,
    "theory": THEORY,
    "compiled": COMPILED,
}
MUTANTS = tuple(mutant for family in FAMILIES.values() for mutant in family)
