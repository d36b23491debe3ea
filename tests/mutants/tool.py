"""Mutations of the tool cosmic-ray, drawn at random, against the tests of their package; run once, see docs/testing.md.

    pip install -c constraints.txt cosmic-ray==8.7.0
    python -m tests.mutants.tool kernels exchange observers theory --each 90 --out results/mutations

The tool finds the places and writes the mutated sources; tests run in the forking server. One mutation is drawn for a
place (line, column, kind of operator), and places are drawn uniformly, so that the eleven replacements of a sign do not
outnumber everything else. Left out: the | of annotations, and what moves between annotations and nothing.
"""

import argparse
import ast
import json
import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec

from tests.mutants.sandbox import Sandbox, Server
from tests.support.runs import ROOT

SEED = 20261122
TIMEOUT_S = 150.0
LEFT_OUT = ("core/ReplaceBinaryOperator_BitOr", "core/Variable")
# beside the file of the module's own tests, by the beginning of its path; the longest that fits
TESTS = {
    "mcmc/observers": ("tests/observers",),
    "mcmc/exchange": (
        "tests/exchange",
        "tests/cpp_ext/test_exchange_op.py",
        "tests/cpp_ext/test_overlap_op.py",
        "tests/run/test_production.py",
    ),
    "mcmc/kernels": (
        "tests/statistical/test_invariance.py",
        "tests/kernels",
        "tests/cpp_ext/test_rows_op.py",
        "tests/systems/test_students.py",
    ),
    "mcmc/kernels/tuning.py": ("tests/run/test_adaptation.py",),
    "mcmc/kernels/registry.py": ("tests/run/test_adaptation.py",),
    "mcmc/kernels/reversal.py": ("tests/run/test_checks.py",),
    "mcmc/theory": ("tests/theory/test_linear.py", "tests/theory/test_stability.py", "tests/theory/test_rs.py"),
    "mcmc/theory/rsb": ("tests/theory/rsb/test_recursion.py", "tests/theory/rsb/test_replica_symmetric_limits.py"),
    "mcmc/theory/gaussian_field": (
        "tests/theory/gaussian_field/test_thermodynamics.py",
        "tests/theory/gaussian_field/test_transitions.py",
    ),
    "mcmc/theory/function_space": ("tests/theory/function_space",),
    "mcmc/theory/layers": ("tests/theory/layers",),
    "mcmc/theory/shaped": ("tests/theory/shaped",),
}


def tests_of(module: str) -> list[str]:
    """Test files of a module, the most likely to fail first."""
    path = Path(module)
    twin = Path("tests", *path.parts[1:-1], f"test_{path.stem}.py")
    own = [str(twin)] if (ROOT / twin).exists() else []
    beginning = max((start for start in TESTS if module.startswith(start)), key=len)
    return own + [test for test in TESTS[beginning] if test not in own]


@dataclass(frozen=True)
class Mutation:
    """One drawn mutation and what became of it: killed, survived or timed out; how the tests noticed."""

    module: str
    operator: str
    place: tuple[int, int]
    line: str
    mutated: str
    outcome: str = ""
    noticed: str = ""
    seconds: float = 0.0


def places(package: str) -> list[list[MutationSpec]]:
    """Possible mutations of a package by place and kind of operator."""
    found: dict[tuple[str, tuple[int, int], str], list[MutationSpec]] = {}
    modules = sorted(path.relative_to(ROOT) for path in (ROOT / "mcmc" / package).rglob("*.py"))
    for item in _all_work_items(modules, {}):
        mutation = item.mutations[0]
        if not mutation.operator_name.startswith(LEFT_OUT):
            kind = mutation.operator_name.split("_")[0]
            found.setdefault((str(mutation.module_path), mutation.start_pos, kind), []).append(mutation)
    return list(found.values())


def drawn(package: str, n: int) -> list[MutationSpec]:
    """One mutation of each of n places."""
    generator = random.Random(f"{SEED} {package}")
    found = places(package)
    print(package, len(found), "places", flush=True)
    return [generator.choice(place) for place in generator.sample(found, min(n, len(found)))]


def mutated(source: str, mutation: MutationSpec) -> str:
    """The source with the mutation in it."""
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    result = mutate_code(source, operator, mutation.occurrence)
    assert result is not None
    return result


def _says_something_else(source: str, text: str) -> bool:
    """False for what is no Python either: the tool takes the * before keywords for a product."""
    try:
        return ast.dump(ast.parse(source)) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False


def key_of(mutation: MutationSpec) -> tuple[object, ...]:
    """What tells mutations apart."""
    return (str(mutation.module_path), mutation.operator_name, *mutation.start_pos)


def tried(
    mutations: Iterable[MutationSpec], more: Sequence[str], sandbox: Sandbox, server: Server
) -> Iterator[Mutation]:
    """Run the tests of their modules, and more, for every mutation; one after another."""
    for mutation in mutations:
        module, place = str(mutation.module_path), mutation.start_pos
        source = (ROOT / module).read_text()
        text = mutated(source, mutation)
        if not _says_something_else(source, text):
            continue
        line, new = next((a, b) for a, b in zip(source.split("\n"), text.split("\n"), strict=False) if a != b)
        (sandbox.folder / module).write_text(text)
        with sandbox.extension(next((ROOT / "mcmc").glob("_C*.so"))):
            outcome = server.run(sandbox.folder, [*tests_of(module), *more], timeout_s=TIMEOUT_S)
        sandbox.restore(module)
        noticed = outcome.failed[0].message[:120] if outcome.failed else ""
        word = "timed out" if outcome.timed_out else "killed" if outcome.failed else "survived"
        seconds = round(outcome.seconds, 1)
        yield Mutation(module, mutation.operator_name, place, line.strip(), new.strip(), word, noticed, seconds)


def main() -> None:
    """Try the packages that were named; results are appended to files of lines of JSON, the last of a place counts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packages", nargs="+")
    parser.add_argument(
        "--each", type=int, default=90, help="mutations of a package; those that were tried are left out"
    )
    parser.add_argument("--again", nargs="*", metavar="TEST", help="only what survived, with these tests too")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server, sandbox = Server(Path(folder)), Sandbox(Path(folder) / "copy")
        for package in options.packages:
            with open(options.out / f"{package}.jsonl", "a+") as file:
                file.seek(0)
                rows = {(row["module"], row["operator"], *row["place"]): row for row in map(json.loads, file)}
                if options.again is None:
                    chosen = [m for m in drawn(package, options.each) if key_of(m) not in rows]
                else:
                    alive = {key for key, row in rows.items() if row["outcome"] != "killed"}
                    chosen = [m for place in places(package) for m in place if key_of(m) in alive]
                for mutation in tried(chosen, options.again or (), sandbox, server):
                    print(json.dumps(asdict(mutation)), file=file, flush=True)
        server.close()


if __name__ == "__main__":
    main()
