"""The docs say what the code does: tables against the code, README commands executed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mcmc.config import RunConfig
from mcmc.io.schema import DATASETS, SCALES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RUN_FILE = (ROOT / "docs/run_file.md").read_text()
SMALL = ["model.n_inputs=16", "model.n_networks=4", "tempering.n_temperatures=4", "run.n_burn_in=40", "run.n_sweeps=40"]


def test_every_dataset_and_axis_is_in_the_table():
    for name, dataset in DATASETS.items():
        row = f"| `{name}` | {', '.join(dataset.axes) or 'scalar'} | {dataset.dtype} | {dataset.meaning} |"
        assert row in RUN_FILE
    for axis, meaning in SCALES.items():
        assert f"| `{axis}` | {meaning} |" in RUN_FILE
    documented = set(re.findall(r"^\| `([a-z_]+/[a-z_/]+)` \|", RUN_FILE, re.MULTILINE))
    assert documented == set(DATASETS)


def test_every_configuration_key_is_documented():
    for section, field in RunConfig.model_fields.items():
        for key in field.annotation.model_fields:
            assert re.search(rf"`({section}\.)?{key}`", RUN_FILE), f"{section}.{key} is missing in docs/run_file.md"


def test_links_of_the_docs_lead_somewhere():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_names_of_the_architecture_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    tree = text[text.index("    mcmc/") : text.index("    cpp_ext/")]
    rows = re.findall(r"^ +(?:\[\d\] )?([a-z_/]+/) +([a-z_ ]+?)(?:   .*)?$", tree, re.MULTILINE)
    modules = [f"{package}{name}.py" for package, names in rows for name in names.split()]
    modules = [module for module in modules if not module.startswith(("plots/", "cli/"))]  # described in words
    assert len(modules) > 40
    missing = [module for module in modules if not (ROOT / "mcmc" / module).exists()]
    assert not missing, f"docs/architecture.md names {missing}"


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def workplace(tmp_path):
    """A folder like a checkout, where results may be written."""
    (tmp_path / "runs").symlink_to(ROOT / "runs")
    return tmp_path


def test_commands_of_the_readme(workplace):
    """Every mlp-gibbs line of the README, in order, at a small size."""
    lines = [line for block in code_blocks("bash") for line in block.splitlines() if line.startswith("mlp-gibbs")]
    assert {line.split()[1] for line in lines} >= {"run", "status", "theory", "compare", "plot", "verify"}
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[1] in ("run", "tune", "verify") and any(word.endswith(".toml") for word in words):
            words += [part for change in SMALL for part in ("--set", change)]
        script = Path(sys.executable).parent / words[0]
        done = subprocess.run([script, *words[1:]], cwd=workplace, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert list(workplace.glob("results/*/comparison.png"))


def test_python_example_of_the_readme(workplace):
    (example,) = code_blocks("python")
    small = example.replace('"runs/quickstart.toml")', f'"runs/quickstart.toml"), {SMALL!r}')
    assert small != example
    done = subprocess.run([sys.executable, "-c", small], cwd=workplace, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_configuration_of_the_readme(workplace):
    (text,) = code_blocks("toml")
    (workplace / "mine.toml").write_text(text)
    script = Path(sys.executable).parent / "mlp-gibbs"
    done = subprocess.run([script, "run", "mine.toml", "--dry-run"], cwd=workplace, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", ["quickstart", "test"])
def test_make_targets_of_the_readme(target):
    assert f"make {target}" in README
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""}
    )
    assert done.returncode == 0
    assert ("mlp-gibbs compare" if target == "quickstart" else "pytest") in done.stdout


def test_tables_of_the_page_on_theory_and_simulation(tmp_path):
    """Every number of its tables comes from the committed lines, and its figures can be drawn from them."""
    script, lines = ROOT / "docs/theory_vs_simulation.py", ROOT / "docs/theory_vs_simulation.jsonl"
    done = subprocess.run([sys.executable, script, "table", lines], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs/theory_vs_simulation.md").read_text()
    rows = [line for line in done.stdout.splitlines() if line]
    assert len(rows) > 30
    assert [row for row in rows if row not in page] == []
    done = subprocess.run([sys.executable, script, "draw", lines, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("theory-energy.png", "theory-laws.png"):
        assert (tmp_path / name).exists()
        assert f"figures/{name}" in page


def test_tables_of_the_page_of_results():
    script, lines = ROOT / "docs/results.py", ROOT / "docs/results.jsonl"
    done = subprocess.run([sys.executable, script, "table", lines], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 40
    page = (ROOT / "docs/results.md").read_text()
    assert [row for row in done.stdout.splitlines() if row not in page] == []


def test_tables_of_the_page_on_performance():
    script = ROOT / "benchmarks/performance_tables.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs/performance.md").read_text()
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) >= 10
    assert [row for row in rows if row not in page] == []
