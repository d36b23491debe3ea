"""The import graph of the package, drawn with `ast`: layers point down, there are no cycles, and --help is light."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mcmc

ROOT = Path(mcmc.__file__).parent
LAYERS = (  # docs/architecture.md
    {
        "types",
        "errors",
        "names",
        "toml",
        "config",
        "config_problems",
        "interrupt",
        "machine",
        "rng",
        "philox",
        "native",
        "onednn",
        "_version",
    },
    {"systems"},
    {"kernels", "exchange", "theory"},
    {"observers", "io"},
    {"run", "diagram"},
    {"analysis", "fsck"},
    {"compare", "study", "pilot"},
    {"plots", "report"},
    {"cli"},
)
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
# allowed between packages of one layer: observers name their results as the files do, studies are compared with theory,
# pages hold plots; layer 0 is single modules
SAME_LAYER = {
    ("observers", "io"),
    ("study", "compare"),
    ("report", "plots"),
    ("config", "errors"),
    ("config", "names"),
    ("config", "config_problems"),
    ("config", "toml"),
    ("toml", "errors"),
    ("toml", "names"),
    ("config_problems", "names"),
    ("native", "onednn"),
    ("rng", "native"),
    ("rng", "philox"),
}


def read_sources(root: Path = ROOT) -> dict[str, str]:
    """Source of every module below the package, by dotted name."""
    sources = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return sources


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """module -> the modules of the package that it imports, anywhere in its text (functions and TYPE_CHECKING too)."""
    graph: dict[str, set[str]] = {name: set() for name in sources}
    for name, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} has a relative import: write the whole name"
                # `from mcmc.io import reader` imports the module mcmc.io.reader
                submodules = [f"{node.module}.{alias.name}" for alias in node.names]
                found = [s if s in sources else str(node.module) for s in submodules]
            else:
                continue
            graph[name] |= {target for target in found if target.split(".")[0] == "mcmc"} - {name}
    return graph


def package_of(module: str) -> str:
    """`io` of `mcmc.io.reader`."""
    return module.split(".")[1] if "." in module else ""


def violations(graph: dict[str, set[str]]) -> list[str]:
    """Imports that do not point down."""
    found = []
    for module, targets in sorted(graph.items()):
        here = package_of(module)
        for target in sorted(targets):
            there = package_of(target)
            if here == there or LAYER_OF[there] < LAYER_OF[here] or (here, there) in SAME_LAYER:
                continue
            found.append(f"{module} [{LAYER_OF[here]}] imports {target} [{LAYER_OF[there]}]")
    return found


GRAPH = import_graph(read_sources())


def test_the_graph_is_not_empty():
    assert len(GRAPH) > 60
    assert "mcmc.io.segment" in GRAPH["mcmc.io.reader"]
    assert "mcmc.run.driver" in GRAPH["mcmc.cli.run"]  # imported inside a function


def test_every_module_has_a_layer():
    packages = {package_of(name) for name in GRAPH} - {""}
    assert packages - LAYER_OF.keys() == set(), "say in docs/architecture.md and here to which layer this belongs"


def test_imports_point_down():
    assert violations(GRAPH) == []


def test_no_cycles():
    try:
        order = list(TopologicalSorter(GRAPH).static_order())
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")
    assert set(order) >= GRAPH.keys()


def test_package_inits_import_nothing_heavy():
    """`import mcmc.io` must not drag in its modules: only the command line has code there; a part may name its own."""
    for name, targets in GRAPH.items():
        if (ROOT.parent / name.replace(".", "/")).is_dir() and name != "mcmc.cli":
            own = name if name.count(".") > 1 else "nothing"
            assert all(target.startswith(f"{own}.") for target in targets), f"{name}/__init__.py imports {targets}"


def test_theory_knows_nothing_of_chains():
    reached, todo = set(), [name for name in GRAPH if name.startswith("mcmc.theory")]
    while todo:
        for target in GRAPH[todo.pop()] - reached:
            reached.add(target)
            todo.append(target)
    assert reached
    assert not [name for name in reached if package_of(name) in ("kernels", "exchange", "run", "io", "observers")]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("mcmc.kernels.bad", "from mcmc.run.driver import run"),
        ("mcmc.kernels.bad", "import mcmc.analysis.estimate"),
        ("mcmc.io.bad", "from mcmc.observers import series"),
        ("mcmc.theory.bad", "def f():\n    from mcmc.kernels.hmc import Hmc"),
        ("mcmc.exchange.bad", "from mcmc.kernels.base import ChainState"),
        ("mcmc.errors", "import mcmc.config"),
        ("mcmc.analysis.bad", "from mcmc.plots.style import save"),
    ],
)
def test_a_forbidden_import_is_detected(module, line):
    found = violations(import_graph({**read_sources(), module: line}))
    assert len(found) == 1
    assert found[0].startswith(f"{module} [")


def test_a_cycle_is_detected():
    sources = {**read_sources(), "mcmc.io.schema": "from mcmc.io.reader import read_run"}
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph(sources)).prepare()


# --- what a process really loads

HEAVY = ("torch", "numpy", "scipy", "h5py", "matplotlib", "pandas", "tqdm")


def modules_after(code: str) -> set[str]:
    """Top-level names of sys.modules in a fresh interpreter that has run the code."""
    report = "import sys; print(' '.join(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"import atexit\natexit.register(lambda: exec({report!r}))\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_importing_the_command_line_is_light():
    loaded = modules_after("import mcmc.cli, mcmc.cli.app")
    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", ["--help", "--version", "run --help", "compare --help"])
def test_help_is_light(arguments):
    loaded = modules_after(f"import sys; sys.argv = 'mlp-gibbs {arguments}'.split()\nfrom mcmc.cli import main\nmain()")
    assert "mcmc" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_configuration_needs_neither_torch_nor_numpy():
    loaded = modules_after("import mcmc.config")
    assert "pydantic" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_load_check_can_fail():
    assert "numpy" in modules_after("import mcmc.io.segment")
